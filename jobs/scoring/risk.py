"""Risk: value at risk and expected shortfall of the newest forecasts, and how often outcomes fell below the value at risk.

The value at risk of a level is the quantile of the forecast log return; an outcome below it is an exceedance: its PIT is
below the level. The tests of a ticker need independent forecasts, so they are made one session ahead alone: longer horizons
overlap, and a choice of every fifth forecast leaves too few exceedances to tell. Tickers fall together, so all tickers
(ticker_id None) are tested by the exceedances on each target date instead, with a variance that overlapping horizons keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.date_sums import DateSums
from tickercast.jobs.scoring.distributions import student_t_price_shortfall, student_t_quantiles, student_t_shortfall
from tickercast.jobs.scoring.exceedances import christoffersen, conditional_coverage, kupiec
from tickercast.jobs.scoring.significance import benjamini_hochberg, diebold_mariano
from tickercast.jobs.scoring.skill import ALPHA, finite_or_none
from tickercast.jobs.scoring.terms import ALL_MODES, FEWEST_SCORES, LEVELS, NOT_DISTINGUISHABLE, SUMMED
from tickercast.jobs.scoring.ticker_sums import TRANSITIONS, TickerSums
from tickercast.storage.queries import NewestForecast
from tickercast.storage.rows import RiskRow

Floats = NDArray[np.float64]

SUMS_OF_EXCEEDANCES = ("returns", "shortfalls", "unknown")
P_ADJUSTED, ORIGIN = RiskRow._fields.index("p_adjusted"), RiskRow._fields.index("origin")
TOO_MANY, TOO_FEW, DEPENDENT = "too many", "too few", "dependent"


def risk_rows(tickers: Mapping[int, TickerSums], dates: DateSums, newest: Sequence[NewestForecast]) -> list[RiskRow]:
    """Return a row per ticker, horizon, mode and level, and one per horizon, mode and level for all tickers together.

    tickers: by horizon, with the sums of mode * too. dates: without it. Mode * is of the forecasts of all modes together; a
    ticker whose forecasts have no score yet has its row of mode * alone. p_adjusted is over the tickers of one mode and level,
    or over the horizons of all tickers.
    """
    rows = [row for sums in tickers.values() for i in range(len(LEVELS)) for row in _rows_of_tickers(sums, i)]
    rows.sort(key=lambda row: (row.mode == ALL_MODES, row.level, row.ticker_id, row.horizon, row.mode))
    rows = _with_newest(rows, newest)
    rows += [row for part in (dates, dates.with_mode(ALL_MODES)) for i in range(len(LEVELS)) for row in _rows_of_all(part, i)]
    after = P_ADJUSTED + 2  # the verdict follows it. By position, since _replace takes four times as long, and rows are many
    return [
        RiskRow._make((*row[:P_ADJUSTED], p, verdict_of(row, p), *row[after:]))
        for row, p in zip(rows, _adjusted(rows), strict=True)
    ]


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


def _rows_of_tickers(sums: TickerSums, level: int) -> Iterator[RiskRow]:
    """Yield the row of each ticker and mode at a level of LEVELS, given by its position."""
    n, exceedances = sums.of("n"), sums.of(f"exceedances_{level}")
    figures = _tests(sums, level) | _means(exceedances, *(sums.of(f"{name}_{level}") for name in SUMS_OF_EXCEEDANCES))
    known: dict[str, Iterable[Any]] = {
        "ticker_id": sums.ticker_id.tolist(), "horizon": repeat(sums.horizon), "mode": sums.mode.astype(str).tolist(),
        "level": repeat(LEVELS[level]), "n": n.astype(int).tolist(), "exceedances": exceedances.astype(int).tolist(),
        "first_target": sums.of("first_target").astype("M8[D]").tolist(),
        "last_target": sums.of("last_target").astype("M8[D]").tolist(),
        "verdict": repeat(NOT_DISTINGUISHABLE),
        **{name: finite_or_none(values) for name, values in figures.items()},
    }  # fmt: skip
    columns = [known.get(name, repeat(None)) for name in RiskRow._fields]
    yield from map(RiskRow._make, zip(*columns, strict=False))  # what repeats has no end


def _rows_of_all(dates: DateSums, level: int) -> Iterator[RiskRow]:
    """Yield the row of all tickers for each horizon and mode at a level of LEVELS, given by its position."""
    for horizon, mode, part in dates.series():
        figures = dict(zip(SUMMED, part.figures().T, strict=True))
        n, exceedances = figures["n"], figures[f"exceedances_{level}"]
        statistic, p_value = _test_by_date(n, exceedances, horizon, LEVELS[level])
        total = exceedances.sum(keepdims=True)
        means = _means(total, *(figures[f"{name}_{level}"].sum(keepdims=True) for name in SUMS_OF_EXCEEDANCES))
        ends = part.target[0].item(), part.target[-1].item()
        row = RiskRow(None, horizon, mode, LEVELS[level], int(n.sum()), int(total[0]), *ends)
        stored: dict[str, Any] = {name: _finite_or_none(value[0]) for name, value in means.items()}
        yield row._replace(date_statistic=statistic, date_p=p_value, **stored)


def _tests(sums: TickerSums, level: int) -> dict[str, Floats]:
    """Return the statistics and p-values of each group by name, each (k,): NaN where the group is not tested."""
    n = sums.of("n")
    is_tested = (n >= FEWEST_SCORES) & (sums.horizon == 1)
    number = kupiec(sums.of(f"exceedances_{level}"), n, LEVELS[level])
    independence = christoffersen(*(sums.of(f"{name}_{level}") for name in TRANSITIONS))
    both = conditional_coverage(number[0], independence[0])
    named = (("kupiec", number), ("independence", independence), ("conditional", both))
    return {
        f"{name}_{what}": np.where(is_tested, values, np.nan)
        for name, test in named
        for what, values in zip(("statistic", "p"), test, strict=True)
    }


def _means(exceedances: Floats, returns: Floats, shortfalls: Floats, unknown: Floats) -> dict[str, Floats]:
    """Return by name what the outcomes below the value at risk were on average, and what their forecasts expected, each (k,).

    Both are natural-log returns, NaN in a group without exceedances; the second also where a forecast had no mean.
    """
    nothing = np.full(len(exceedances), np.nan)
    mean = np.divide(returns, exceedances, out=nothing.copy(), where=exceedances > 0)
    expected = np.divide(shortfalls, exceedances, out=nothing, where=(exceedances > 0) & (unknown == 0))
    return {"mean_exceedance": mean, "mean_shortfall": expected}


def _test_by_date(n: Floats, exceedances: Floats, horizon: int, level: float) -> tuple[float | None, float | None]:
    """Return the statistic and p-value of as many exceedances as promised, from their surplus on each date; None with too few.

    n, exceedances: (dates,). The statistic is positive with more than promised.
    """
    if len(n) < max(FEWEST_SCORES, horizon + 2):
        return None, None
    statistic, p_value = diebold_mariano(exceedances, level * n, horizon)
    return _finite_or_none(statistic), _finite_or_none(p_value)


def _with_newest(rows: Sequence[RiskRow], newest: Sequence[NewestForecast]) -> list[RiskRow]:
    """Return the rows of tickers with the risk of the newest forecasts, and a row for each forecast whose horizon has none."""
    if not newest:
        return list(rows)
    columns = NewestForecast(*zip(*newest, strict=True))  # type: ignore[arg-type]
    location, scale, dof = (np.array(values, np.float64) for values in (columns.location, columns.scale, columns.dof))
    risks: dict[tuple[int | None, int, float], tuple[Any, ...]] = {}
    for level in LEVELS:
        figures = (
            student_t_quantiles(location, scale, dof, (level,))[:, 0],
            student_t_shortfall(location, scale, dof, level),
            100 * student_t_price_shortfall(location, scale, dof, level),
        )
        stored: list[tuple[Any, ...]] = list(zip(*(finite_or_none(values) for values in figures), strict=True))
        for forecast, values in zip(newest, stored, strict=True):
            risks[forecast.ticker_id, forecast.horizon, level] = (forecast.origin, forecast.target, *values)
    known = {(row.ticker_id, row.horizon, row.level) for row in rows}
    rows = [*rows, *(RiskRow(t, h, ALL_MODES, level, 0, 0, None, None) for t, h, level in risks if (t, h, level) not in known)]
    keys = ((row.ticker_id, row.horizon, row.level) for row in rows)
    return [RiskRow._make((*row[:ORIGIN], *risks.get(key, row[ORIGIN:]))) for row, key in zip(rows, keys, strict=True)]


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


def _finite_or_none(value: float) -> float | None:
    """Return a number as the database stores it: None for what is not finite."""
    return float(value) if isfinite(value) else None
