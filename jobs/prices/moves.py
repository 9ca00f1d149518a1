"""The gates on a bar's move from the bar before: jumps, untold splits, wrong scales, and dividends the price ignored.

Each gate is one function from the facts of a move to a message, or None. The first one that gives a message decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.bars import Bars, log_returns

Floats = NDArray[np.float64]

JUMP = np.log(5.0)
SPLIT_LIKE = 0.35  # log return from which a move may be a split's
OVERNIGHT_GAP = 0.55
GAP_SHARE_LEFT = 0.15  # of an overnight gap: how much of the move may have happened in the session
HUNDREDFOLD = (np.log(50.0), np.log(200.0))
RATIOS = np.log([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100])
NEAR_DAYS = 10  # beyond so many calendar days the bar before says little

# What is ordinary is taken from the bars before: how far a move may be from a ratio, and a day's range and volume.
ORDINARY_BARS = 60
USUAL_MOVES = 8.0  # a jump is at least so many usual moves
MAD_TO_DEVIATION = 1.4826  # from the median absolute move to a normal's standard deviation
UNKNOWN_MOVE = 0.02
LEAST_TOLERANCE, MOST_TOLERANCE, USUAL_MOVES_TOLERATED = 0.02, 0.05, 3.0
MOST_VOLUME_TIMES, MOST_RANGE_TIMES, NARROW_RANGE = 5.0, 3.0, 0.05

LARGE_DIVIDEND, TWICE_DIVIDEND, NEAR_SESSIONS = 0.10, 0.02, 10
LEAST_PRICE_SHARE = 1e-3


@dataclass(frozen=True, slots=True)
class Series:
    """Bars with what the gates read of each, (n,) in logs: the move since the bar before, its overnight part, the range."""

    bars: Bars
    moves: Floats
    gaps: Floats
    ranges: Floats

    def suspicious(self) -> NDArray[np.intp]:
        """Return the indices of moves that may be a split or a fault."""
        return np.flatnonzero((np.abs(self.moves) >= SPLIT_LIKE) | (np.abs(self.gaps) >= OVERNIGHT_GAP))

    def paying(self) -> NDArray[np.intp]:
        """Return the indices of bars with a dividend above 2 % of the price before."""
        return np.flatnonzero(self.bars.dividend[1:] > TWICE_DIVIDEND * self.bars.close[:-1] / self.bars.split[1:]) + 1


@dataclass(frozen=True, slots=True)
class Move:
    """The facts of one bar's move. size: the absolute log return; times: the close over the one before.

    reported: log ratios of the splits that the source reports near the bar. tolerance: how far a move may be from a ratio.
    is_calm: whether the move is rare, yet range and volume are those of an ordinary day. is_near: whether the bar before
    is at most NEAR_DAYS away.
    """

    move: float
    gap: float
    size: float
    times: float
    reported: Floats
    tolerance: float
    is_calm: bool
    is_near: bool


Gate = Callable[[Move], str | None]


def series_of(bars: Bars) -> Series:
    """Return bars with their moves, adjusted for the splits and dividends that the source reports."""
    moves = log_returns(bars, "close")
    return Series(bars, moves, moves + np.log(bars.open / bars.close), np.log(bars.high / bars.low))


def jump_of(series: Series, i: int) -> tuple[str, str] | None:
    """Return the code and the message of a move that no split or dividend explains; None for an ordinary one."""
    move = _move_at(series, i)
    return next(((code, message) for code, gate in JUMP_GATES if (message := gate(move)) is not None), None)


def ignored_dividend(series: Series, i: int) -> tuple[str, str] | None:
    """Return the code and the message of a dividend that the price did not follow; None for an ordinary one."""
    bars = series.bars
    before = float(bars.close[i - 1] / bars.split[i])
    dividend = float(bars.dividend[i])
    share = dividend / before
    fell = float(np.log(before / bars.close[i]))
    expected_fall = -np.log(max(1 - share, LEAST_PRICE_SHARE))
    message = f"a dividend of {dividend:.6g}, {share:.1%} of the price, which moved by {np.expm1(-fell):.1%}"
    if share > LARGE_DIVIDEND and fell < expected_fall / 3:
        return "dividend too large", message
    recent = bars.dividend[max(0, i - NEAR_SESSIONS) : i]
    similar = (recent > dividend / 2) & (recent < dividend * 2)
    if share > TWICE_DIVIDEND and similar.any() and fell < expected_fall / 2:
        sessions_since = int(len(recent) - np.flatnonzero(similar)[-1])
        return "dividend twice", f"{message}, {sessions_since} sessions after a similar one"
    return None


def _split_not_applied(move: Move) -> str | None:
    if not len(move.reported) or move.size < SPLIT_LIKE / 2 or not (move.is_calm or move.size >= JUMP):
        return None
    distance = np.abs(move.size - np.abs(move.reported))
    if not (distance <= move.tolerance).any():
        return None
    ratio = float(np.exp(move.reported[distance.argmin()]))
    shown = f"{ratio:g}:1" if ratio >= 1 else f"1:{1 / ratio:g}"
    return (
        f"a split of {shown} is reported, and the close is {move.times:.4g} times the one before beyond it: "
        "the source has not applied it to earlier prices, or has applied it twice"
    )


def _hundredfold(move: Move) -> str | None:
    if not HUNDREDFOLD[0] <= move.size <= HUNDREDFOLD[1]:
        return None
    return f"the close is {move.times:.4g} times the one before, as when pence are read as pounds"


def _split_not_told(move: Move) -> str | None:
    distance = np.abs(move.size - RATIOS)
    is_overnight = abs(abs(move.gap) - move.size) <= 2 * move.tolerance
    if not (move.is_near and move.is_calm and is_overnight and distance.min() <= move.tolerance):
        return None
    ratio = float(np.exp(RATIOS[distance.argmin()]))
    shown = f"{ratio:g}:1" if move.move < 0 else f"1:{ratio:g}"
    return f"the close is {move.times:.4g} times the one before, as at a split of {shown}, and none is reported"


def _large_jump(move: Move) -> str | None:
    return f"the close is {move.times:.4g} times the one before" if move.size >= JUMP else None


def _calm_overnight_jump(move: Move) -> str | None:
    is_overnight = abs(move.gap) >= OVERNIGHT_GAP and abs(move.move - move.gap) <= GAP_SHARE_LEFT * abs(move.gap)
    if not (move.is_near and move.is_calm and is_overnight):
        return None
    return f"the close is {move.times:.4g} times the one before, all of it overnight, on ordinary volume and range"


JUMP_GATES: tuple[tuple[str, Gate], ...] = (
    ("split not applied", _split_not_applied),
    ("hundredfold", _hundredfold),
    ("split not told", _split_not_told),
    ("jump", _large_jump),
    ("jump", _calm_overnight_jump),
)


def _move_at(series: Series, i: int) -> Move:
    move, bars = float(series.moves[i]), series.bars
    reported = np.log(bars.split[max(0, i - NEAR_SESSIONS) : i + 1])
    past = slice(max(0, i - ORDINARY_BARS), i)
    usual = _usual_move(series.moves[past])
    return Move(
        move=move,
        gap=float(series.gaps[i]),
        size=abs(move),
        times=float(np.exp(move)),
        reported=reported[np.abs(reported) >= SPLIT_LIKE / 2],
        tolerance=min(max(USUAL_MOVES_TOLERATED * usual, LEAST_TOLERANCE), MOST_TOLERANCE),
        is_calm=abs(move) >= USUAL_MOVES * usual and _is_ordinary_day(series, i, past),
        is_near=bool(bars.session[i] - bars.session[i - 1] <= np.timedelta64(NEAR_DAYS, "D")),
    )


def _usual_move(moves: Floats) -> float:
    """Return the standard deviation of ordinary moves, from their median so that a few jumps do not count."""
    known = np.abs(moves[np.isfinite(moves)])
    return MAD_TO_DEVIATION * float(np.median(known)) if len(known) >= 2 else UNKNOWN_MOVE


def _is_ordinary_day(series: Series, i: int, past: slice) -> bool:
    """Return whether a bar's range and volume are those of the days before it."""
    is_narrow = series.ranges[i] <= max(MOST_RANGE_TIMES * float(np.median(series.ranges[past])), NARROW_RANGE)
    usual_volume = float(np.median(series.bars.volume[past]))
    # At an untold split the number of shares traded grows as the price falls.
    share_ratio = max(1.0, float(np.exp(-series.moves[i])))
    is_quiet = usual_volume <= 0 or series.bars.volume[i] <= MOST_VOLUME_TIMES * usual_volume * share_ratio
    return bool(is_narrow and is_quiet)
