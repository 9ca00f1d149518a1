"""Levels: where a price jumps without a reason, its bars stay apart until the price is back at the old level.

Each bar is compared with the last one that is admitted, so no admitted bar carries a move that a gate would not admit. A
price is back only when it is near its old level and got there as abruptly as it left. A crash that slides on, or that
recovers step by step, stays in quarantine for somebody to decide.

Not here: what a jump is (moves), and which bars are judged at all (gates).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.prices.moves import (
    NEAR_SESSIONS,
    ORDINARY_BARS,
    Series,
    ignored_dividend,
    jump_of,
    move_over,
    without_dividend,
)
from tickercast.jobs.prices.verdicts import QUARANTINED, REFUSED, Verdict
from tickercast.storage.bars import Bars

Mask = NDArray[np.bool_]

BACK_WITHIN = 1 / 4  # share of the jump: a price that is nearer to its old level has come back
COMPARED_BARS = max(ORDINARY_BARS, NEAR_SESSIONS)  # the bars before that a gate reads


@dataclass(slots=True)
class Levels:
    """Which bars (n,) of a series may stay, and a verdict on each other one, still without its bar.

    bars: those of the series, where the bar after refused ones has their splits and dividends. moves: as in the series, until a
    bar is left out.
    """

    series: Series
    is_new: Mask
    bars: Bars
    keep: Mask
    moves: NDArray[np.float64]
    verdicts: list[Verdict] = field(default_factory=list)
    judged_until: int = -1  # the last index that is judged

    def judge(self, i: int) -> None:
        """Judge a bar that may be an error, and where it is one, those at its level."""
        series, k = self._among_kept(i)
        dividend = ignored_dividend(series, k)
        if dividend is not None and jump_of(without_dividend(series, k), k) is None:
            self._quarantine_dividend(i, *dividend)
        elif (jump := jump_of(series, k)) is not None:
            self._judge_level(i, jump)

    def _judge_level(self, first: int, jump: tuple[str, str] | None) -> None:
        begin = first
        while jump is not None:
            end, is_back = self._end_of_level(begin)
            self.keep[begin:end] = False
            self.judged_until = end
            self.verdicts += verdicts_at_level(self.series.bars, begin, end, *jump, is_back=is_back)
            if not is_back:
                return
            self._pass_actions_on(first, end)
            # The bar that is back is compared with the last admitted one: the time between may have moved the price too.
            begin, jump = end, jump_of(*self._among_kept(end))

    def _quarantine_dividend(self, i: int, code: str, message: str) -> None:
        bars = self.series.bars
        self.keep[i] = False
        self.moves[i] = np.log(bars.close[i] * bars.split[i] / bars.close[i - 1])  # later bars do not count the dividend
        self.verdicts.append(Verdict(bars.session[i].item(), QUARANTINED, code, message))

    def _among_kept(self, i: int) -> tuple[Series, int]:
        """Return a series in which the bars before one are the admitted ones, and its index there.

        Over a hole it is unknown which part of the move was overnight (NaN), so only the size of the move is judged.
        """
        if self.keep[max(0, i - COMPARED_BARS - 1) : i].all():
            return self.series, i
        index = np.append(np.flatnonzero(self.keep[:i]), i)
        path = np.cumsum(np.nan_to_num(self.moves[: i + 1]))
        moves = np.append(np.nan, np.diff(path[index]))
        gaps = np.where(self.keep[i - 1], self.series.gaps[index], np.nan)
        return Series(self.bars.select(index), moves, gaps, self.series.ranges[index]), len(index) - 1

    def _end_of_level(self, begin: int) -> tuple[int, bool]:
        """Return the index of the first bar after a jump that is not at its level, and whether the price came back there.

        A stored bar ends the level too, because it was accepted before.
        """
        stored = np.flatnonzero(~self.is_new[begin:])
        end = begin + int(stored[0]) if len(stored) else len(self.moves)
        base = int(np.flatnonzero(self.keep[:begin])[-1])
        level = np.cumsum(self.moves[base + 1 : end])[begin - base - 1 :]  # of each bar from the jump on, from the old level
        jump = far = float(level[0])
        later = self.series.suspicious()
        for i in later[(later > begin) & (later < end)].tolist():
            far += float(self.moves[i])
            if max(abs(far), abs(float(level[i - begin]))) < abs(jump) * BACK_WITHIN:
                return i, True
        return end, False

    def _pass_actions_on(self, begin: int, end: int) -> None:
        """Give the bar that is back the splits and dividends of the refused bars before it where they explain its price."""
        bars, before = self.series.bars, float(self.series.bars.close[begin - 1])
        split, dividend = actions_over(bars, begin, end, before)
        splits, dividends = self.bars.split.copy(), self.bars.dividend.copy()
        splits[end], dividends[end] = split, dividend
        self.bars = replace(self.bars, split=splits, dividend=dividends)
        self.moves[begin:end], self.moves[end] = 0.0, move_over(before / split, bars.close[end], dividend)


def judge_levels(series: Series, is_new: Mask) -> Levels:
    """Return which bars of a series may stay, and a verdict on each other one. Only new bars (n,) are judged."""
    levels = Levels(series, is_new, series.bars, np.ones(len(series.bars), dtype=np.bool_), series.moves.copy())
    for i in sorted({*series.suspicious().tolist(), *series.paying().tolist()}):
        if i > levels.judged_until and is_new[i]:
            levels.judge(i)
    return levels


def actions_over(bars: Bars, begin: int, end: int, before: float) -> tuple[float, float]:
    """Return the split and the dividend of a bar, with those of the bars from begin on that are left out before it.

    before: the last close before them. Theirs count only where they explain the bar's price: they may be the very error.
    """
    own, whole = ((float(np.prod(bars.split[i : end + 1])), float(bars.dividend[i : end + 1].sum())) for i in (end, begin))
    moves = [abs(move_over(before / split, bars.close[end], dividend)) for split, dividend in (own, whole)]
    return whole if moves[1] < moves[0] else own


def verdicts_at_level(bars: Bars, begin: int, end: int, code: str, message: str, *, is_back: bool) -> Iterator[Verdict]:
    """Yield a verdict on each bar at a jump's level: refused where the price came back afterwards, else quarantined."""
    state, first = REFUSED if is_back else QUARANTINED, bars.session[begin].item()
    if is_back:
        message = f"{message}; the price came back on {bars.session[end].item()}"
    for i in range(begin, end):
        text = message if i == begin else f"at the level of {first}, which is {state}: {message}"
        yield Verdict(bars.session[i].item(), state, code, text)
