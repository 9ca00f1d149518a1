"""The gates between a source's bars and the store: which bars are admitted, and a verdict on each that is not.

Every verdict on a bar is reached from bars up to that one, so a bar means the same to an origin whether it came alone or with
the rest of history. A jump that no split or dividend explains opens a hold: its bar and those that follow at the new level are
kept apart until the price comes back, the source mends it, or somebody releases them. A stored bar is never judged again.
Nothing here does I/O. docs/prices.md explains each code (GATES).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from storage.bars import PRICE_FIELDS, SAME_WITHIN, Bars, concatenate_bars, log_returns

GATES = {
    "null price": "refused: a price is missing or not finite; the newest bar without prices is asked for again",
    "bad price": "refused: a price is zero, negative or absurd (beyond 1e12)",
    "incoherent": "refused: high below low, or open or close outside of low to high by more than 0.01 %",
    "bad volume": "refused: the volume is negative",
    "bad action": "refused: a dividend is negative, or a split is not positive",
    "duplicate": "refused: the session is given twice with different values (given twice alike counts once)",
    "no session": "refused: the exchange's calendar has no such session",
    "future": "refused: a bar of a session that has not begun",
    "hundredfold": "held: the price moves by a factor of 50 to 200, as where pence are taken for pounds",
    "jump": "held: a move by a factor of 5 or more, or an overnight gap of 70 % or more on ordinary volume and range",
    "split not told": "held: the price falls or rises as at a split, and the source reports none",
    "split not applied": "held: the source reports a split, and the prices before it are not adjusted",
    "dividend too large": "held: a dividend of more than 10 % of the price that the price did not follow",
    "dividend twice": "held: a dividend like the one of a few sessions before, which the price did not follow again",
    "rescaled": "held: all stored bars that came again differ by one factor, so new bars are on another scale",
    "gap": "noted: sessions of the calendar without a bar, asked for again once",
    "stale": "noted: 20 bars or more with one and the same price",
    "zero volume": "noted: 20 bars or more without volume in a ticker that has volume otherwise",
    "shrunken": "noted: the source gave far fewer bars than are stored; the stored ones stay",
}
REFUSED, HELD, NOTED = "refused", "held", "ok"

JUMP = np.log(5.0)
USUAL_MOVES = 8.0  # a jump is at least so many usual moves
HUNDREDFOLD = (np.log(50.0), np.log(200.0))
GAP = 0.55
SPLIT_LIKE = 0.35
RATIOS = np.log([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100])
MEMORY = 60  # bars that the ordinary move, range and volume are taken from
MOST_VOLUME_TIMES, MOST_RANGE_TIMES = 5.0, 3.0
LARGE_DIVIDEND, TWICE_DIVIDEND, TWICE_SESSIONS = 0.10, 0.02, 10
STALE_BARS, ZERO_BARS = 20, 20
NEAR_DAYS = 10  # beyond so many calendar days the bar before says little
RESCALED = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate says of a session. bars: the bar that is kept apart (length 1), where one is."""

    session: date
    state: str
    code: str
    message: str
    bars: Bars | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The bars that may be stored, and the verdicts on the others."""

    admitted: Bars
    verdicts: list[Verdict]


def judge(stored: Bars | None, incoming: Bars, waived: Bars | None = None) -> Judgement:
    """Return which of some coherent bars may be stored beside those that are.

    stored: one bar a session, as known; incoming: in session order; waived: bars that were refused for good, which are
    passed over as long as the source gives them alike.
    """
    if waived is not None:
        incoming = incoming.select(~_alike(incoming, waived))
    rescaled: list[Verdict] = []
    if stored is not None and len(stored) and len(incoming):
        incoming, rescaled = _without_rescaled(stored, incoming)
    if not len(incoming):
        return Judgement(incoming, rescaled)
    walk = _Walk(*_together(stored, incoming))
    keep = walk.keep()
    return Judgement(incoming.select(keep[np.isin(walk.bars.session, incoming.session)]), rescaled + walk.verdicts)


def notes(bars: Bars, since: date | None) -> Iterator[Verdict]:
    """Yield what is worth knowing of stored bars: flat stretches and stretches without volume that end at `since` or later."""
    first = np.datetime64(since) if since else bars.session[0]
    same = np.zeros(len(bars), dtype=np.bool_)
    same[1:] = (bars.close[1:] == bars.close[:-1]) & (bars.high[1:] == bars.low[1:])
    for begin, end in _runs(same):
        if end - begin + 1 >= STALE_BARS and bars.session[end - 1] >= first:
            day = bars.session[begin - 1].item()
            yield Verdict(day, NOTED, "stale", f"one and the same price since {day}, {STALE_BARS} sessions or more")
    if not (bars.volume > 0).any():
        return
    for begin, end in _runs(bars.volume == 0):
        if end - begin >= ZERO_BARS and bars.session[end - 1] >= first:
            day = bars.session[begin].item()
            yield Verdict(day, NOTED, "zero volume", f"no volume since {day}, {ZERO_BARS} sessions or more")


class _Walk:
    """Stored and new bars in one series; only moves that are suspicious are looked at one by one."""

    def __init__(self, series: Bars, is_new: NDArray[np.bool_]) -> None:
        self.bars, self.is_new = series, is_new
        self.verdicts: list[Verdict] = []
        self.moves = log_returns(series, "close")
        self.gaps = self.moves + np.log(series.open / series.close)
        self.ranges = np.log(series.high / series.low)

    def keep(self) -> NDArray[np.bool_]:
        """Return which bars of the series stand, after adding a verdict on each that does not."""
        keep = np.ones(len(self.bars), dtype=np.bool_)
        far = np.flatnonzero((np.abs(self.moves) >= SPLIT_LIKE) | (np.abs(self.gaps) >= GAP))
        paying = np.flatnonzero(self.bars.dividend[1:] > TWICE_DIVIDEND * self.bars.close[:-1] / self.bars.split[1:]) + 1
        held_until = -1  # the bar that a hold ends with came back: its own move is not looked at again
        for i in sorted({*far.tolist(), *paying.tolist()}):
            if i <= held_until or not self.is_new[i]:
                continue
            found = self._jump(i)
            if found is not None:
                held_until = self._hold(i, *found, far[far > i], keep)
                continue
            found = self._dividend(i)
            if found is not None:
                keep[i] = False
                self._say(i, i + 1, HELD, *found)
        return keep

    def _hold(self, begin: int, code: str, message: str, later: NDArray[np.intp], keep: NDArray[np.bool_]) -> int:
        """Hold the bars from one on, until the price is back or bars are stored that stand. Returns where that is."""
        level = float(self.moves[begin])
        stands = np.flatnonzero(~self.is_new[begin:])
        end = begin + int(stands[0]) if len(stands) else len(self.bars)
        back = None
        for i in later.tolist():
            if i >= end:
                break
            level += float(self.moves[i])
            if abs(level) < abs(float(self.moves[begin])) / 4:
                back, end = self.bars.session[i].item(), i
                break
        keep[begin:end] = False
        if back is None:
            self._say(begin, end, HELD, code, message)
        else:
            self._say(begin, end, REFUSED, code, f"{message}; the price came back on {back}")
        return end

    def _say(self, begin: int, end: int, state: str, code: str, message: str) -> None:
        first = self.bars.session[begin].item()
        for i in range(begin, end):
            day = self.bars.session[i].item()
            text = message if i == begin else f"at the level of {first}, which is {state}: {message}"
            self.verdicts.append(Verdict(day, state, code, text, self.bars.select(slice(i, i + 1))))

    def _jump(self, i: int) -> tuple[str, str] | None:
        """Return the code and the explanation of a move that no split or dividend explains; None for an ordinary one."""
        move, gap = float(self.moves[i]), float(self.gaps[i])
        size, times = abs(move), np.exp(move)
        tolerance, quiet = self._ordinary(i)
        told = np.log(self.bars.split[max(0, i - TWICE_SESSIONS) : i + 1])
        told = told[np.abs(told) >= SPLIT_LIKE / 2]
        if len(told) and size >= SPLIT_LIKE / 2 and (np.abs(size - np.abs(told)) <= tolerance).any() and (quiet or size >= JUMP):
            ratio = float(np.exp(told[np.abs(size - np.abs(told)).argmin()]))
            return "split not applied", (
                f"a split of {_ratio(ratio)} is reported, and the close is {times:.4g} times the one before beyond it: "
                "as where the source has not applied it to earlier prices, or twice"
            )
        near = float(np.abs(size - RATIOS).min())
        if HUNDREDFOLD[0] <= size <= HUNDREDFOLD[1]:
            return "hundredfold", f"the close is {times:.4g} times the one before: as where pence are taken for pounds"
        if (self.bars.session[i] - self.bars.session[i - 1]) > np.timedelta64(NEAR_DAYS, "D"):
            return ("jump", f"the close is {times:.4g} times the one before") if size >= JUMP else None
        if near <= tolerance and abs(abs(gap) - size) <= 2 * tolerance and quiet:
            ratio = float(np.exp(RATIOS[np.abs(size - RATIOS).argmin()]))
            shown = f"{ratio:g}:1" if move < 0 else f"1:{ratio:g}"
            return (
                "split not told",
                f"the close is {times:.4g} times the one before: as at a split of {shown}, and none is reported",
            )
        if size >= JUMP:
            return "jump", f"the close is {times:.4g} times the one before"
        if abs(gap) >= GAP and abs(move - gap) <= 0.15 * abs(gap) and quiet:
            return "jump", f"the close is {times:.4g} times the one before, all of it overnight, on ordinary volume and range"
        return None

    def _ordinary(self, i: int) -> tuple[float, bool]:
        """Return how far a move may be from a ratio, and whether a bar's range and volume are those of an ordinary day."""
        past = slice(max(0, i - MEMORY), i)
        moves, ranges = np.abs(self.moves[past]), self.ranges[past]
        known = moves[np.isfinite(moves)]
        usual = 1.4826 * float(np.median(known)) if len(known) >= 2 else 0.02
        tolerance = min(max(3 * usual, 0.02), 0.05)
        rare = np.abs(self.moves[i]) >= USUAL_MOVES * usual
        narrow = self.ranges[i] <= max(MOST_RANGE_TIMES * float(np.median(ranges)), 0.05)
        usual_volume = float(np.median(self.bars.volume[past]))
        # At a split that is not told the number of shares traded grows as the price falls.
        shares = max(1.0, float(np.exp(-self.moves[i])))
        calm = usual_volume <= 0 or self.bars.volume[i] <= MOST_VOLUME_TIMES * usual_volume * shares
        return tolerance, bool(rare and narrow and calm)

    def _dividend(self, i: int) -> tuple[str, str] | None:
        """Return the code and the explanation of a dividend that the price did not follow."""
        before = float(self.bars.close[i - 1] / self.bars.split[i])
        dividend = float(self.bars.dividend[i])
        share = dividend / before
        fell = float(np.log(before / self.bars.close[i]))
        due = -np.log(max(1 - share, 1e-3))
        text = f"a dividend of {dividend:.6g}, {share:.1%} of the price, which moved by {np.expm1(-fell):.1%}"
        if share > LARGE_DIVIDEND and fell < due / 3:
            return "dividend too large", text
        recent = self.bars.dividend[max(0, i - TWICE_SESSIONS) : i]
        alike = (recent > dividend / 2) & (recent < dividend * 2)
        if share > TWICE_DIVIDEND and alike.any() and fell < due / 2:
            return "dividend twice", f"{text}, {int(len(recent) - np.flatnonzero(alike)[-1])} sessions after one like it"
        return None


def _without_rescaled(stored: Bars, incoming: Bars) -> tuple[Bars, list[Verdict]]:
    """Return the new bars without those that are stored bars times one factor, nor, where all are, any that follow."""
    common, ours, theirs = np.intersect1d(stored.session, incoming.session, assume_unique=True, return_indices=True)
    factor = np.log(incoming.close[theirs] / stored.close[ours])
    differs = np.abs(factor) > RESCALED
    if not differs.any() or not (differs.all() or differs.sum() >= 3) or np.ptp(factor[differs]) > 0.02:
        return incoming, []
    times = float(np.exp(np.median(factor[differs])))
    keep = ~np.isin(incoming.session, common[differs])
    if differs[-1]:
        keep &= incoming.session <= common[-1]
    fresh = incoming.session[~np.isin(incoming.session, stored.session)]
    message = f"{int(differs.sum())} stored bars came again {times:.4g} times what they were: as after a split that is not told"
    if differs[-1] and len(fresh):
        verdicts = [Verdict(day, HELD, "rescaled", message) for day in fresh[fresh > common[-1]].tolist()]
    else:
        verdicts = [Verdict(common[differs][0].item(), HELD, "rescaled", message)]
    return incoming.select(keep), verdicts


def _together(stored: Bars | None, incoming: Bars) -> tuple[Bars, NDArray[np.bool_]]:
    """Return one series of the stored bars and the new ones in their places, and which of it is new or restated."""
    if stored is None or not len(stored):
        return incoming, np.ones(len(incoming), dtype=np.bool_)
    rest = stored.select(~np.isin(stored.session, incoming.session))
    series = concatenate_bars([rest, incoming])
    fresh = np.concatenate([np.zeros(len(rest), dtype=np.bool_), ~_alike(incoming, stored)])
    order = np.argsort(series.session, kind="stable")
    return series.select(order), fresh[order]


def _alike(bars: Bars, others: Bars) -> NDArray[np.bool_]:
    """Return which bars have one among others of the same session with the same prices, dividend and split."""
    _, ours, theirs = np.intersect1d(bars.session, others.session, assume_unique=True, return_indices=True)
    alike = np.zeros(len(bars), dtype=np.bool_)
    same = np.ones(len(ours), dtype=np.bool_)
    for name in (*PRICE_FIELDS, "dividend", "split"):
        a, b = getattr(bars, name)[ours], getattr(others, name)[theirs]
        same &= np.abs(a - b) <= SAME_WITHIN * np.maximum(np.abs(a), np.abs(b))
    alike[ours] = same
    return alike


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the begin and the end (exclusive) of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _ratio(split: float) -> str:
    return f"{split:g}:1" if split >= 1 else f"1:{1 / split:g}"
