"""Running sums of one ticker's scores by horizon and mode: what its skill and its risk are computed from.

New scores advance them. Each is a sum in the order of the targets, one score after the other, so its bytes do not depend on how
many scores came at once. Scores of earlier targets cannot be added: then the sums of the ticker are computed anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.addends import addends
from tickercast.jobs.scoring.terms import ALL_MODES, LEVELS, SUMMED
from tickercast.storage.queries import ScoreColumns
from tickercast.storage.rows import ScoreSumRow

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# After SUMMED: the number of target dates, the first and the last target in days since 1970, and of the differences of CRPS by
# date the first one, and the sum of what each is above it: a series that hardly varies loses no digits.
# Then by level: whether the last score was an exceedance, and how often a score with or without one followed another.
OF_DATES = ("dates", "first_target", "last_target", "first_difference", "differences")
TRANSITIONS = ("after_none_none", "after_none_one", "after_one_none", "after_one_one")
OF_LEVEL = ("was_exceeded", *TRANSITIONS)
FIGURES = (*SUMMED, *OF_DATES, *(f"{name}_{i}" for i in range(len(LEVELS)) for name in OF_LEVEL))
AT = {name: i for i, name in enumerate(FIGURES)}


@dataclass(frozen=True, slots=True)
class TickerSums:
    """Sums of k groups of one horizon h, by ticker and mode.

    values: (k, figures + 3 h - 2) in the order of FIGURES, then of the differences above the first: the sums of products with
    the one `lag` dates before, for lags 0 to h - 1; the first h - 1; and the last h - 1, the newest first.
    """

    horizon: int
    ticker_id: Integers
    mode: NDArray[np.bytes_]
    values: Floats

    def of(self, name: str) -> Floats:
        """Return a figure of each group (k,), which may be written to."""
        return self.values[:, AT[name]]

    @property
    def products(self) -> Floats:
        """Return the sums of lagged products (k, h), which may be written to."""
        return self.values[:, len(FIGURES) : len(FIGURES) + self.horizon]

    @property
    def first(self) -> Floats:
        """Return the first differences (k, h - 1), which may be written to."""
        return self.values[:, len(FIGURES) + self.horizon : len(FIGURES) + 2 * self.horizon - 1]

    @property
    def last(self) -> Floats:
        """Return the last differences (k, h - 1), the newest first, which may be written to."""
        return self.values[:, len(FIGURES) + 2 * self.horizon - 1 :]

    def rows(self) -> list[ScoreSumRow]:
        """Return the sums as the database stores them."""
        columns = (self.ticker_id.tolist(), self.mode.astype(str).tolist(), self.of("n").astype(int).tolist())
        return [
            ScoreSumRow(ticker_id, self.horizon, mode, n, values.tobytes())
            for ticker_id, mode, n, values in zip(*columns, self.values.astype("<f8"), strict=True)
        ]


def stored_ticker_sums(rows: Iterable[ScoreSumRow]) -> dict[int, TickerSums]:
    """Return the sums of some stored rows by horizon."""
    by_horizon: dict[int, list[ScoreSumRow]] = {}
    for row in rows:
        by_horizon.setdefault(row.horizon, []).append(row)
    return {horizon: _stored(horizon, by_horizon[horizon]) for horizon in sorted(by_horizon)}


def ticker_sums_of(scores: ScoreColumns) -> dict[int, TickerSums]:
    """Return the sums of some scores, by horizon, in any order of theirs."""
    return advanced({}, scores)


def advanced(sums: dict[int, TickerSums], scores: ScoreColumns) -> dict[int, TickerSums]:
    """Return the sums of the tickers with some more scores, by horizon.

    sums: of these tickers, none of whose targets is at or after the ticker's first new one.
    """
    found = dict(sums)
    for horizon in np.unique(scores.horizon).tolist():
        own = scores.select(np.flatnonzero(scores.horizon == horizon))
        pooled = replace(own, mode=np.full(len(own.mode), ALL_MODES, "S8"))
        both = ScoreColumns(*(np.concatenate([getattr(part, f.name) for part in (own, pooled)]) for f in fields(own)))
        found[horizon] = _advanced(sums.get(horizon) or _stored(horizon, []), both)
    return found


def _stored(horizon: int, rows: list[ScoreSumRow]) -> TickerSums:
    values = np.frombuffer(b"".join(row.sums for row in rows), "<f8").astype(np.float64)
    width = len(FIGURES) + 3 * horizon - 2
    tickers, modes = np.array([row.ticker_id for row in rows], np.int64), np.array([row.mode for row in rows], "S8")
    return TickerSums(horizon, tickers, modes, values.reshape(len(rows), width))


def _advanced(sums: TickerSums, scores: ScoreColumns) -> TickerSums:
    """Return the sums of one horizon with some more scores of it."""
    order = np.lexsort([scores.origin, scores.target, scores.mode, scores.ticker_id])
    scores = scores.select(order)
    is_first = np.ones(len(order), bool)
    is_first[1:] = (scores.ticker_id[1:] != scores.ticker_id[:-1]) | (scores.mode[1:] != scores.mode[:-1])
    begins = np.flatnonzero(is_first)
    sums, places = _with_places(sums, scores.ticker_id[begins], scores.mode[begins])
    group = places[np.cumsum(is_first) - 1]
    figures = addends(scores)
    if sums.horizon == 1:
        _add_transitions(sums, scores, figures, group, begins)
    for i, name in enumerate(SUMMED):
        np.add.at(sums.of(name), group, figures[:, i])  # one after the other, in the order given
    for i in range(len(LEVELS)):
        ends = np.append(begins[1:], len(order)) - 1
        sums.of(f"was_exceeded_{i}")[places] = figures[ends, AT[f"exceedances_{i}"]]
    _add_differences(sums, scores, group)
    return sums


def _with_places(sums: TickerSums, ticker_id: NDArray[Any], mode: NDArray[Any]) -> tuple[TickerSums, NDArray[np.intp]]:
    """Return a copy of the sums with a row for each of some groups, and where these are in it (k,)."""
    known = {key: i for i, key in enumerate(zip(sums.ticker_id.tolist(), sums.mode.tolist(), strict=True))}
    keys = list(zip(ticker_id.tolist(), np.asarray(mode, "S8").tolist(), strict=True))
    new = [key for key in keys if key not in known]
    known |= {key: len(known) + i for i, key in enumerate(new)}
    copy = TickerSums(
        sums.horizon,
        np.append(sums.ticker_id, np.array([key[0] for key in new], np.int64)),
        np.append(sums.mode, np.array([key[1] for key in new], "S8")),
        np.concatenate([sums.values, np.zeros((len(new), sums.values.shape[1]))]),
    )
    return copy, np.array([known[key] for key in keys], np.intp)


def _add_transitions(sums: TickerSums, scores: ScoreColumns, figures: Floats, group: Integers, begins: NDArray[np.intp]) -> None:
    """Count how scores with and without an exceedance follow each other, by the last score of each group and the new ones.

    A forecast follows another where it was made at that one's target: a gap in the record is no transition.
    """
    targets, origins = (np.asarray(days).astype("M8[D]").astype(np.int64) for days in (scores.target, scores.origin))
    before = np.empty(len(group))
    before[1:], before[begins] = targets[:-1], sums.of("last_target")[group[begins]]
    follows = origins == before
    follows[begins] &= sums.of("n")[group[begins]] > 0
    for i in range(len(LEVELS)):
        is_exceeded = figures[:, AT[f"exceedances_{i}"]] > 0
        was = np.empty(len(group), bool)
        was[1:], was[begins] = is_exceeded[:-1], sums.of(f"was_exceeded_{i}")[group[begins]] > 0
        pairs = ((~was, ~is_exceeded), (~was, is_exceeded), (was, ~is_exceeded), (was, is_exceeded))
        for name, (first, second) in zip(TRANSITIONS, pairs, strict=True):
            np.add.at(sums.of(f"{name}_{i}"), group[follows & first & second], 1.0)


def _add_differences(sums: TickerSums, scores: ScoreColumns, group: Integers) -> None:
    """Add the differences of CRPS, each the mean of its date's, and their products with earlier ones."""
    targets = np.asarray(scores.target).astype("M8[D]").astype(np.int64)
    is_date = np.ones(len(group), bool)
    is_date[1:] = (targets[1:] != targets[:-1]) | (group[1:] != group[:-1])
    dates = np.flatnonzero(is_date)
    sizes = np.diff(np.append(dates, len(group)))
    means = [np.add.reduceat(losses, dates) / sizes for losses in (scores.crps, scores.baseline_crps)]
    difference, group, targets = means[0] - means[1], group[dates], targets[dates]
    is_first = np.ones(len(group), bool)
    is_first[1:] = group[1:] != group[:-1]
    begins = np.flatnonzero(is_first)
    sizes, places = np.diff(np.append(begins, len(group))), group[begins]
    new = sums.of("dates")[places] == 0
    sums.of("first_target")[places[new]] = targets[begins[new]]
    sums.of("first_difference")[places[new]] = difference[begins[new]]
    sums.of("last_target")[places] = targets[begins + sizes - 1]
    above = difference - sums.of("first_difference")[group]
    np.add.at(sums.of("differences"), group, above)
    _add_products(sums, above, group, begins, sizes)
    np.add.at(sums.of("dates"), places, sizes)


def _add_products(sums: TickerSums, above: Floats, group: Integers, begins: Integers, sizes: Integers) -> None:
    """Add the products with what was 0 to h - 1 dates before, and keep the first and the last h - 1 differences.

    above: (n,) by group, in the order of the dates. begins, sizes: of the groups in it. sums.of("dates"): as before them.
    """
    position = np.arange(len(above)) - np.repeat(begins, sizes)
    stored = sums.of("dates")[group].astype(np.int64)
    for lag in range(sums.horizon):
        at = np.flatnonzero(position + stored >= lag)
        earlier = above[at - np.minimum(lag, position[at])]
        is_stored = position[at] < lag
        earlier[is_stored] = sums.last[group[at[is_stored]], lag - position[at[is_stored]] - 1]
        np.add.at(sums.products[:, lag], group[at], above[at] * earlier)
    at = np.flatnonzero(position + stored < sums.horizon - 1)
    sums.first[group[at], (position + stored)[at]] = above[at]
    places, ends = group[begins], begins + sizes - 1
    last = sums.last[places]
    for back in range(sums.horizon - 1):
        is_new = sizes > back
        kept = last[np.arange(len(places)), np.maximum(back - sizes, 0)]
        sums.last[places, back] = np.where(is_new, above[np.where(is_new, ends - back, 0)], kept)
