"""Risk: value at risk and expected shortfall of the newest forecasts, and how often outcomes fell below the value at risk.

The value at risk of a level is the quantile of the forecast log return; an outcome below it is an exceedance: its PIT is
below the level. The tests of a ticker need independent forecasts, so they are made one session ahead alone: longer horizons
overlap, and a choice of every fifth forecast leaves too few exceedances to tell. Tickers fall together, so all tickers
(ticker_id None) are tested by the exceedances on each target date instead, with a variance that overlapping horizons keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.distributions import student_t_price_shortfall, student_t_quantiles, student_t_shortfall
from tickercast.jobs.scoring.exceedances import christoffersen, conditional_coverage, kupiec
from tickercast.jobs.scoring.significance import benjamini_hochberg, diebold_mariano
from tickercast.jobs.scoring.skill import ALL_MODES, ALPHA, FEWEST_SCORES, NOT_DISTINGUISHABLE
from tickercast.storage.queries import NewestForecast, ScoreColumns
from tickercast.storage.rows import RiskRow

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

LEVELS = (0.01, 0.05)
TOO_MANY, TOO_FEW, DEPENDENT = "too many", "too few", "dependent"


@dataclass(frozen=True, slots=True)
class Groups:
    """Scores by group, in the order of their targets. Columns are taken when they are needed: a record has millions of scores.

    order: (n,), the positions of the scores, one group after the other. begins: (k,), where each of k groups begins in it.
    """

    scores: ScoreColumns
    order: NDArray[np.intp]
    begins: NDArray[np.intp]

    @property
    def sizes(self) -> Counts:
        """Return the number of scores of each group (k,)."""
        return np.diff([*self.begins, len(self.order)])

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of the scores in the order of the groups (n,)."""
        values: NDArray[Any] = getattr(self.scores, name)[self.order]
        return values

    def first(self, name: str) -> NDArray[Any]:
        """Return the value of each group's first score (k,)."""
        values: NDArray[Any] = getattr(self.scores, name)[self.order[self.begins]]
        return values

    def last(self, name: str) -> NDArray[Any]:
        """Return the value of each group's last score (k,)."""
        values: NDArray[Any] = getattr(self.scores, name)[self.order[self.begins + self.sizes - 1]]
        return values

    def counts(self, flags: Flags) -> Counts:
        """Return how many of each group's scores have a flag (k,). flags: (n,), in the order of the groups."""
        return np.add.reduceat(flags, self.begins, dtype=np.int64) if len(flags) else np.zeros(0, np.int64)


def risk_rows(scores: ScoreColumns, newest: Sequence[NewestForecast]) -> list[RiskRow]:
    """Return a row per ticker, horizon, mode and level, and one per horizon, mode and level for all tickers together.

    Mode * is of the forecasts of all modes together; a ticker whose forecasts have no score yet has its row of mode * alone.
    p_adjusted is over the tickers of one mode and level, or over the horizons of all tickers.
    """
    parts = (scores, replace(scores, mode=np.full(len(scores.mode), ALL_MODES, "S1")))
    rows = [row for part in parts for row in _rows_of_tickers(_grouped(part, "ticker_id", "horizon", "mode"))]
    rows = _with_newest(rows, newest)
    rows += [row for part in parts for row in _rows_of_all(_grouped(part, "horizon", "mode"))]
    return [replace(row, p_adjusted=p, verdict=verdict_of(row, p)) for row, p in zip(rows, _adjusted(rows), strict=True)]


def verdict_of(row: RiskRow, p_adjusted: float | None) -> str:
    """Return `too many`, `too few` or `dependent` exceedances, or `not distinguishable` from what the level promises.

    p_adjusted is None without a test. A rejection is of the number of exceedances where that alone is rejected; otherwise of
    their independence.
    """
    if p_adjusted is None or p_adjusted > ALPHA:
        return NOT_DISTINGUISHABLE
    p_of_number = row.kupiec_p if row.kupiec_p is not None else row.date_p
    if p_of_number is not None and p_of_number <= ALPHA:
        return TOO_MANY if row.exceedances > row.level * row.n else TOO_FEW
    return DEPENDENT


def _grouped(scores: ScoreColumns, *by: str) -> Groups:
    columns = [getattr(scores, name) for name in by]
    order = np.lexsort([scores.target, *reversed(columns)])
    if not len(order):
        return Groups(scores, order, order)
    is_first = np.zeros(len(order), bool)
    is_first[0] = True
    for column in columns:
        sorted_column = column[order]
        is_first[1:] |= sorted_column[1:] != sorted_column[:-1]
    return Groups(scores, order, np.flatnonzero(is_first))


def _rows_of_tickers(groups: Groups) -> Iterator[RiskRow]:
    pit, follows, ids = groups.column("pit"), _follows(groups), groups.first("ticker_id").tolist()
    for level in LEVELS:
        is_exceeded = pit < level
        counts = groups.counts(is_exceeded)
        figures = _tests(groups, is_exceeded, counts, follows, level) | _mean_exceedances(groups, is_exceeded, counts, level)
        for i, row in enumerate(_counted(groups, counts, level)):
            told: dict[str, Any] = {name: _told(values[i]) for name, values in figures.items()}
            yield replace(row, ticker_id=ids[i], **told)


def _rows_of_all(groups: Groups) -> Iterator[RiskRow]:
    pit, targets = groups.column("pit"), groups.column("target")
    ends = [*groups.begins[1:].tolist(), len(pit)]
    for level in LEVELS:
        is_exceeded = pit < level
        counts = groups.counts(is_exceeded)
        means = _mean_exceedances(groups, is_exceeded, counts, level)
        for i, row in enumerate(_counted(groups, counts, level)):
            members = slice(groups.begins[i], ends[i])
            statistic, p_value = _test_by_date(targets[members], is_exceeded[members], row.horizon, level)
            told: dict[str, Any] = {name: _told(values[i]) for name, values in means.items()}
            yield replace(row, date_statistic=statistic, date_p=p_value, **told)


def _counted(groups: Groups, counts: Counts, level: float) -> Iterator[RiskRow]:
    """Yield the row of each group for all tickers, without tests and means. counts: (k,), its exceedances."""
    columns = (
        groups.first("horizon"), groups.first("mode").astype(str), groups.sizes, counts, groups.first("target"),
        groups.last("target"),
    )  # fmt: skip
    for horizon, mode, n, exceedances, first, last in zip(*(column.tolist() for column in columns), strict=True):
        yield RiskRow(None, horizon, mode, level, n, exceedances, first, last)


def _tests(groups: Groups, is_exceeded: Flags, counts: Counts, follows: Flags, level: float) -> dict[str, Floats]:
    """Return the statistics and p-values of each group by name, each (k,): NaN where the group is not tested."""
    is_tested = (groups.first("horizon") == 1) & (groups.sizes >= FEWEST_SCORES)
    number = kupiec(counts, groups.sizes, level)
    independence = christoffersen(*_transitions(groups, is_exceeded, follows))
    both = conditional_coverage(number[0], independence[0])
    named = (("kupiec", number), ("independence", independence), ("conditional", both))
    return {
        f"{name}_{what}": np.where(is_tested, values, np.nan)
        for name, test in named
        for what, values in zip(("statistic", "p"), test, strict=True)
    }


def _follows(groups: Groups) -> Flags:
    """Return for each score whether its forecast was made at the target of the one before, in its group (n,).

    A gap in the record is no transition. True only of forecasts one session ahead.
    """
    origins, targets = groups.column("origin"), groups.column("target")
    follows = np.zeros(len(targets), bool)
    follows[1:] = origins[1:] == targets[:-1]
    follows[groups.begins] = False
    return follows


def _transitions(groups: Groups, is_exceeded: Flags, follows: Flags) -> list[Counts]:
    """Return how often a score with or without an exceedance follows one: none-none, none-one, one-none, one-one, each (k,)."""
    before = np.zeros_like(is_exceeded)
    before[1:] = is_exceeded[:-1]
    pairs = ((~before, ~is_exceeded), (~before, is_exceeded), (before, ~is_exceeded), (before, is_exceeded))
    return [groups.counts(follows & first & second) for first, second in pairs]


def _mean_exceedances(groups: Groups, is_exceeded: Flags, counts: Counts, level: float) -> dict[str, Floats]:
    """Return by name what the outcomes below the value at risk were on average, and what their forecasts expected, each (k,).

    Both are natural-log returns, NaN in a group without exceedances.
    """
    at, scores = np.flatnonzero(is_exceeded), groups.scores
    group, own = np.searchsorted(groups.begins, at, side="right") - 1, groups.order[at]
    expected = student_t_shortfall(scores.location[own], scores.scale[own], scores.dof[own], level)
    nothing = np.full(len(counts), np.nan)
    mean, mean_expected = (
        np.divide(np.bincount(group, values, len(counts)), counts, out=nothing.copy(), where=counts > 0)
        for values in (scores.realised_return[own], expected)
    )
    return {"mean_exceedance": mean, "mean_shortfall": mean_expected}


def _test_by_date(
    targets: NDArray[np.datetime64], is_exceeded: Flags, horizon: int, level: float
) -> tuple[float | None, float | None]:
    """Return the statistic and p-value of as many exceedances as promised, from their surplus on each date; None with too few.

    The statistic is positive with more than promised.
    """
    begins = np.flatnonzero(np.concatenate([[True], targets[1:] != targets[:-1]]))
    if len(begins) < max(FEWEST_SCORES, horizon + 2):
        return None, None
    forecasts = np.diff([*begins, len(targets)])
    exceedances = np.add.reduceat(is_exceeded.astype(np.float64), begins)
    statistic, p_value = diebold_mariano(exceedances, level * forecasts, horizon)
    return _told(statistic), _told(p_value)


def _with_newest(rows: Sequence[RiskRow], newest: Sequence[NewestForecast]) -> list[RiskRow]:
    """Return the rows of tickers with the risk of the newest forecasts, and a row for each forecast whose horizon has none."""
    if not newest:
        return list(rows)
    columns = NewestForecast(*zip(*newest, strict=True))  # type: ignore[arg-type]
    location, scale, dof = (np.array(values, np.float64) for values in (columns.location, columns.scale, columns.dof))
    risks: dict[tuple[int, int, float], dict[str, Any]] = {}
    for level in LEVELS:
        quantiles = student_t_quantiles(location, scale, dof, (level,))[:, 0]
        shortfalls = student_t_shortfall(location, scale, dof, level)
        percents = 100 * student_t_price_shortfall(location, scale, dof, level)
        for forecast, *figures in zip(newest, quantiles.tolist(), shortfalls.tolist(), percents.tolist(), strict=True):
            told = dict(zip(("var_return", "es_return", "es_percent"), map(_told, figures), strict=True))
            key = (forecast.ticker_id, forecast.horizon, level)
            risks[key] = {"origin": forecast.origin, "target": forecast.target, **told}
    known = {(row.ticker_id, row.horizon, row.level) for row in rows}
    rows = [*rows, *(RiskRow(t, h, ALL_MODES, level, 0, 0, None, None) for t, h, level in risks if (t, h, level) not in known)]
    return [replace(row, **risks.get((row.ticker_id or 0, row.horizon, row.level), {})) for row in rows]


def _adjusted(rows: Sequence[RiskRow]) -> list[float | None]:
    """Return each row's p-value adjusted over its family: of both hypotheses, of the number alone, or of all tickers by date."""
    families: dict[tuple[str, float, bool], list[int]] = {}
    p_values = [next((p for p in (row.conditional_p, row.kupiec_p, row.date_p) if p is not None), None) for row in rows]
    for i, row in enumerate(rows):
        if p_values[i] is not None:
            families.setdefault((row.mode, row.level, row.ticker_id is None), []).append(i)
    adjusted: list[float | None] = [None] * len(rows)
    for members in families.values():
        for i, p in zip(members, benjamini_hochberg(np.array([p_values[i] for i in members])).tolist(), strict=True):
            adjusted[i] = p
    return adjusted


def _told(value: float) -> float | None:
    """Return a number as the database stores it: None for NaN."""
    return float(value) if np.isfinite(value) else None
