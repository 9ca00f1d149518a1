"""Inputs of the density network beside a ticker's own bars: its market's volatility index, the calendar, company reports.

All columns are there for every ticker. Where something is not known its columns are zero, and so is the one that tells
whether it is known. A prior's fit leaves it out at random, so the network has seen both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

SESSIONS_A_YEAR = 252
# A volatility index lies above the volatility that follows, and a stock's own lies above its market's: their difference.
USUAL_DIFFERENCE = 0.4
WIDEST_DIFFERENCE = 3.0

AHEAD = 5  # sessions after the present one whose reports and hours are inputs
# Before a company's reports are known it counts as one that reports before the open half of the time, with a usual reaction.
USUAL_REACTION, USUAL_REACTIONS = 2.5, 3  # in volatilities; worth so many reports
LARGEST_REACTION = 8.0

REFERENCE_NAMES = ("reference volatility", "reference known")
CALENDAR_NAMES = (
    "next session short", "later short sessions", "next session in the last week of December",
    "share of sessions in it", "next session on a weekend", "share of weekend sessions",
)  # fmt: skip
REPORT_NAMES = (
    *(f"reaction {j} sessions ahead" for j in range(AHEAD + 1)),
    "report today", "report tomorrow", "size of the next reaction", "size of all reactions ahead", "reports known",
)  # fmt: skip


def reference_columns(level: Floats, sigma: Floats) -> Floats:
    """Return (K, n, 2): the log of an index's daily volatility over a ticker's own, and whether the index is known.

    level: (K, n), the index in percent a year, NaN where unknown. sigma: (K, n), volatility a day.
    """
    known = np.isfinite(level) & (level > 0)
    daily = np.where(known, level, 100 * np.sqrt(SESSIONS_A_YEAR)) / np.sqrt(SESSIONS_A_YEAR)  # percent
    difference = np.log(daily / (100 * sigma)) + USUAL_DIFFERENCE
    return np.stack([np.where(known, np.clip(difference, -WIDEST_DIFFERENCE, WIDEST_DIFFERENCE), 0.0), known], axis=-1)


def report_columns(reports: Sequence[Positions | None], z: Floats, settled_from: int) -> Floats:
    """Return (K, n, 11) in the order of REPORT_NAMES, for the reports that K tickers are known to give.

    reports: sorted positions of sessions in 0..n - 1 + AHEAD, more than two sessions apart; None where nothing is known.
    z: (K, n), returns over the volatility before them. settled_from: the first session whose z counts.

    A report moves the price on its day or on the day after. `after` is the share of a company's earlier reports that moved it
    more on the day after, so a reaction is expected on the two days with the weights 1 - after and after. Its size is the mean
    of the earlier ones, less the usual one.
    """
    k, n = z.shape
    positions = _padded(reports)
    magnitude = np.abs(z)
    row = np.arange(k)[:, None]
    known = positions >= 0
    reacted = known & (positions >= settled_from) & (positions + 1 < n)
    day = np.where(reacted, positions, 0)
    today, next_day = magnitude[row, day], magnitude[row, np.minimum(day + 1, n - 1)]
    # Reports are in order, so those before each are a prefix. A running sum adds in the same order, however many follow.
    count = _before(reacted.astype(np.float64))
    after = (1 + _before(np.where(reacted & (next_day > today), 1.0, 0.0))) / (2 + count)
    size = np.where(reacted, np.minimum(np.maximum(today, next_day), LARGEST_REACTION), 0.0)
    excess = (USUAL_REACTION * USUAL_REACTIONS + _before(size)) / (USUAL_REACTIONS + count) - USUAL_REACTION
    report, reaction, sized = (np.zeros((k, n + AHEAD + 2)) for _ in range(3))
    where, at = np.nonzero(known)
    day, share = positions[where, at], after[where, at]
    report[where, day] = 1
    reaction[where, day] += 1 - share
    reaction[where, day + 1] += share
    sized[where, day] += (1 - share) * excess[where, at]
    sized[where, day + 1] += share * excess[where, at]
    ahead = [reaction[:, j : j + n] for j in range(AHEAD + 1)]
    sizes = [sized[:, j : j + n] for j in range(1, AHEAD + 1)]
    has_reports = np.array([positions is not None for positions in reports], np.float64)
    columns = [
        *ahead,
        report[:, :n],
        report[:, 1 : n + 1],
        sizes[0],
        np.sum(sizes, axis=0),
        np.repeat(has_reports[:, None], n, 1),
    ]
    return np.stack(columns, axis=-1)


def _before(values: Floats) -> Floats:
    """Return (K, E): at each place the sum of the values before it."""
    sums = np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=sums[:, 1:])
    return sums


def _padded(reports: Sequence[Positions | None]) -> Positions:
    """Return positions (K, most reports) as one array, -1 where a ticker has fewer."""
    most = max((len(positions) for positions in reports if positions is not None), default=0)
    padded = np.full((len(reports), most), -1, np.int64)
    for row, positions in zip(padded, reports, strict=True):
        if positions is not None:
            row[: len(positions)] = positions
    return padded
