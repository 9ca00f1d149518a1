"""The gates on a bar's move from the bar before: jumps, unreported splits, wrong scales, and dividends without a fall in price.

Each gate is one function that returns a message about a move it does not admit, else None. The first message decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tickercast.storage.bars import Bars

Floats = NDArray[np.float64]

# Moves, gaps, ranges and ratios are in logs.
JUMP = np.log(5.0)
SPLIT_LIKE = 0.35  # a smaller move is not judged as a split
OVERNIGHT_GAP = 0.55
GAP_SHARE_LEFT = 0.15  # share of an overnight gap by which the whole move may differ from it
HUNDREDFOLD = (np.log(50.0), np.log(200.0))
RATIOS = np.log([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50])
NEAR_DAYS = 10  # calendar days; a move from an older bar is not compared with overnight moves
NEAR_SESSIONS = 10  # in which a reported split or a dividend can belong to a bar

# What is ordinary is measured on the bars before.
ORDINARY_BARS = 60
RARE_MOVES = 8.0  # usual moves from which a move is rare
MAD_TO_DEVIATION = 1.4826  # from the median absolute value of a normal variable to its standard deviation
UNKNOWN_MOVE = 0.02  # the usual move where fewer than two moves are known
LEAST_TOLERANCE, MOST_TOLERANCE, TOLERATED_MOVES = 0.02, 0.05, 3.0
MOST_VOLUME_TIMES, MOST_RANGE_TIMES, NARROW_RANGE = 5.0, 3.0, 0.05

LARGE_DIVIDEND, NOTABLE_DIVIDEND = 0.10, 0.02  # shares of the price before
LEAST_SHARE_LEFT = 1e-3  # of the price after a dividend, so that its logarithm exists


@dataclass(frozen=True, slots=True)
class Series:
    """Bars (n,) and what the gates read of each, in logs: its move from the bar before, the overnight part, its range."""

    bars: Bars
    moves: Floats
    gaps: Floats
    ranges: Floats

    def suspicious(self) -> NDArray[np.intp]:
        """Return the indices of bars whose move may be a split or an error."""
        return np.flatnonzero((np.abs(self.moves) >= SPLIT_LIKE) | (np.abs(self.gaps) >= OVERNIGHT_GAP))

    def paying(self) -> NDArray[np.intp]:
        """Return the indices of bars with a dividend above 2 % of the price before."""
        return np.flatnonzero(self.bars.dividend[1:] > NOTABLE_DIVIDEND * self.bars.close[:-1] / self.bars.split[1:]) + 1


@dataclass(frozen=True, slots=True)
class Move:
    """The facts of one bar's move. size: the absolute log return. times: the close over the one before, after actions.

    gap: the overnight part, log of open over the close before. reported: log ratios of the splits that the source reports
    at most NEAR_SESSIONS before. tolerance: largest distance in logs from a split's ratio. is_calm: whether the move is rare
    while range and volume are ordinary. is_near: whether the bar before is at most NEAR_DAYS before. is_traded: whether both
    range and volume are far beyond the ordinary, as in a crash and unlike in an error.
    """

    log_return: float
    gap: float
    size: float
    times: float
    reported: Floats
    tolerance: float
    is_calm: bool
    is_near: bool
    is_traded: bool = False


Gate = Callable[[Move], str | None]


def series_of(bars: Bars) -> Series:
    """Return bars with their moves, adjusted for the splits and dividends that the source reports."""
    moves, gaps = np.full(len(bars), np.nan), np.full(len(bars), np.nan)
    before = bars.close[:-1] / bars.split[1:]
    moves[1:] = move_over(before, bars.close[1:], bars.dividend[1:])
    gaps[1:] = move_over(before, bars.open[1:], bars.dividend[1:])
    return Series(bars, moves, gaps, np.log(bars.high / bars.low))


def move_over(before: ArrayLike, price: ArrayLike, dividend: ArrayLike) -> Floats:
    """Return the log moves (n,), or one, from prices before to prices, all on the same shares, adjusted for dividends.

    Of a price that pays most of itself out, little is left: a cent then looks like a jump. So a large dividend is added to the
    new price, and a usual one is taken from the old price, as in storage.bars.log_returns.
    """
    before, price, dividend = (np.asarray(each, np.float64) for each in (before, price, dividend))
    is_large = dividend > LARGE_DIVIDEND * before
    return np.log(np.where(is_large, price + dividend, price) / np.where(is_large, before, before - dividend))


def jump_of(series: Series, i: int) -> tuple[str, str] | None:
    """Return the gate's code and its message for a move that no split or dividend explains, None for an ordinary move."""
    move = _move_at(series, i)
    return next(((code, message) for code, gate in JUMP_GATES if (message := gate(move)) is not None), None)


def without_dividend(series: Series, i: int) -> Series:
    """Return a series in which a bar's dividend does not count."""
    bars, moves, gaps = series.bars, series.moves.copy(), series.gaps.copy()
    moves[i] = np.log(bars.close[i] * bars.split[i] / bars.close[i - 1])
    gaps[i] = moves[i] + np.log(bars.open[i] / bars.close[i])
    return replace(series, moves=moves, gaps=gaps)


def ignored_dividend(series: Series, i: int) -> tuple[str, str] | None:
    """Return the gate's code and its message for a dividend without the fall in price that it implies, None for others."""
    bars = series.bars
    before = float(bars.close[i - 1] / bars.split[i])
    dividend = float(bars.dividend[i])
    share = dividend / before
    fell = float(np.log(before / bars.close[i]))
    expected_fall = -np.log(max(1 - share, LEAST_SHARE_LEFT))
    message = f"a dividend of {dividend:.6g}, {share:.1%} of the price, which moved by {bars.close[i] / before - 1:.1%}"
    if share > LARGE_DIVIDEND and fell < expected_fall / 3:
        return "dividend too large", message
    recent = bars.dividend[max(0, i - NEAR_SESSIONS) : i]
    similar = (recent > dividend / 2) & (recent < dividend * 2)
    if share > NOTABLE_DIVIDEND and similar.any() and fell < expected_fall / 2:
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
        "the source has not applied it to earlier prices, or it has applied it twice"
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
    shown = f"{ratio:g}:1" if move.log_return < 0 else f"1:{ratio:g}"
    return f"the close is {move.times:.4g} times the one before, as at a split of {shown}, and none is reported"


def _large_jump(move: Move) -> str | None:
    return f"the close is {move.times:.4g} times the one before" if move.size >= JUMP and not move.is_traded else None


def _calm_overnight_jump(move: Move) -> str | None:
    is_overnight = abs(move.gap) >= OVERNIGHT_GAP and abs(move.log_return - move.gap) <= GAP_SHARE_LEFT * abs(move.gap)
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
    log_return, bars = float(series.moves[i]), series.bars
    reported = np.log(bars.split[max(0, i - NEAR_SESSIONS) : i + 1])
    past = slice(max(0, i - ORDINARY_BARS), i)
    usual = _usual_move(series.moves[past])
    tolerance = min(max(TOLERATED_MOVES * usual, LEAST_TOLERANCE), MOST_TOLERANCE)
    is_narrow = _is_narrow(series, i, past)
    # At an unreported split more shares are traded, by the factor by which the price falls.
    share_ratio = max(1.0, float(np.exp(-log_return)))
    is_like_split = bool(np.abs(abs(log_return) - RATIOS).min() <= tolerance)
    return Move(
        log_return=log_return,
        gap=float(series.gaps[i]),
        size=abs(log_return),
        times=float(np.exp(log_return)),
        reported=reported[np.abs(reported) >= SPLIT_LIKE / 2],
        tolerance=tolerance,
        is_calm=abs(log_return) >= RARE_MOVES * usual and is_narrow and not _is_heavy(series, i, past, share_ratio),
        is_near=bool(bars.session[i] - bars.session[i - 1] <= np.timedelta64(NEAR_DAYS, "D")),
        is_traded=not is_narrow and _is_heavy(series, i, past, share_ratio if is_like_split else 1.0),
    )


def _usual_move(moves: Floats) -> float:
    """Return the standard deviation of ordinary moves, estimated from their median so that a few jumps do not count."""
    known = np.abs(moves[np.isfinite(moves)])
    return MAD_TO_DEVIATION * float(np.median(known)) if len(known) >= 2 else UNKNOWN_MOVE


def _is_narrow(series: Series, i: int, past: slice) -> bool:
    """Return whether a bar's range is like those of the bars before it."""
    return bool(series.ranges[i] <= max(MOST_RANGE_TIMES * float(np.median(series.ranges[past])), NARROW_RANGE))


def _is_heavy(series: Series, i: int, past: slice, share_ratio: float) -> bool:
    """Return whether a bar's volume is far above that of the bars before it, on share_ratio times their number of shares."""
    usual_volume = float(np.median(series.bars.volume[past]))
    return bool(0 < usual_volume * MOST_VOLUME_TIMES * share_ratio < series.bars.volume[i])
