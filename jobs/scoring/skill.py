"""Skill against the baseline, by ticker, horizon and mode: means, Diebold-Mariano, Benjamini-Hochberg and a verdict.

A row for all tickers together has ticker_id None. Tickers move together, so their errors on one date are not independent:
that row is of the tickers' mean loss by target date. Its n counts dates, its CRPS are means over dates, and they are what is
tested. Its other figures are means over scores. Rows of mode * are of the forecasts of all modes together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import repeat
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.date_sums import DateSums
from tickercast.jobs.scoring.significance import benjamini_hochberg, diebold_mariano, diebold_mariano_of_sums
from tickercast.jobs.scoring.terms import ALL_MODES, FEWEST_SCORES, MEANS, NOT_DISTINGUISHABLE, SUMMED
from tickercast.jobs.scoring.ticker_sums import TickerSums
from tickercast.storage.rows import SkillRow

Floats = NDArray[np.float64]

ALPHA = 0.05
BETTER, WORSE = "better", "worse"


def skill_rows(tickers: Mapping[int, TickerSums], dates: DateSums) -> list[SkillRow]:
    """Return one row per ticker, horizon and mode, then one per horizon and mode for all tickers together.

    tickers: by horizon, with the sums of mode * too. dates: without it. p_adjusted is over tickers x horizons within a mode.
    Rows for all tickers are adjusted separately from the others.
    """
    rows = [row for sums in tickers.values() for row in _rows_of_tickers(sums)]
    rows.sort(key=lambda row: (row.mode == ALL_MODES, row.ticker_id, row.horizon, row.mode))
    rows += [row for part in (dates, dates.with_mode(ALL_MODES)) for row in _rows_of_all(part)]
    return [
        SkillRow(*row[:-2], p, verdict_of(n=row.n, crps=row.crps, baseline_crps=row.baseline_crps, p_adjusted=p))
        for row, p in zip(rows, _adjusted(rows), strict=True)
    ]


def verdict_of(*, n: int, crps: float, baseline_crps: float, p_adjusted: float | None) -> str:
    """Return `better`, `worse` or `not distinguishable` from the baseline. p_adjusted is None without a test."""
    if n < FEWEST_SCORES or p_adjusted is None or p_adjusted > ALPHA:
        return NOT_DISTINGUISHABLE
    return BETTER if crps < baseline_crps else WORSE


def _rows_of_tickers(sums: TickerSums) -> Iterator[SkillRow]:
    """Yield the row of each ticker and mode, without the adjusted p-value and the verdict: they depend on the other rows."""
    statistic, p_value = diebold_mariano_of_sums(
        sums.of("dates"), sums.of("first_difference"), sums.of("differences"), sums.products, sums.first, sums.last
    )
    is_tested = (sums.of("dates") > sums.horizon + 1) & np.isfinite(statistic)
    n, moved = sums.of("n"), sums.of("moved")
    means = {name: sums.of(name) / n for name in MEANS}
    crps, baseline = means["crps"], means["baseline_crps"]
    skill = 1 - np.divide(crps, baseline, out=np.ones(len(n)), where=baseline != 0)
    hits = np.divide(sums.of("hits"), moved, out=np.full(len(n), np.nan), where=moved != 0)
    columns = (
        sums.ticker_id.tolist(), repeat(sums.horizon), sums.mode.astype(str).tolist(), n.astype(int).tolist(),
        *(sums.of(name).astype("M8[D]").tolist() for name in ("first_target", "last_target")),
        *(figures.tolist() for figures in (means["abs_error"], means["baseline_abs_error"], crps, baseline, skill)),
        *(means[f"inside_{share}"].tolist() for share in (50, 80, 90)),
        finite_or_none(hits), *(finite_or_none(np.where(is_tested, figures, np.nan)) for figures in (statistic, p_value)),
        repeat(None), repeat(NOT_DISTINGUISHABLE),
    )  # fmt: skip
    yield from map(SkillRow._make, zip(*columns, strict=False))  # what repeats has no end


def finite_or_none(values: Floats) -> list[float | None]:
    """Return numbers (k,) as the database stores them: None for what is not finite."""
    return [value if isfinite(value) else None for value in values.tolist()]


def _rows_of_all(dates: DateSums) -> Iterator[SkillRow]:
    """Yield the row of all tickers for each horizon and mode, without the adjusted p-value and the verdict."""
    for horizon, mode, part in dates.series():
        figures = part.figures()
        n, crps, baseline_crps = (figures[:, SUMMED.index(name)] for name in ("n", "crps", "baseline_crps"))
        ours, baseline = crps / n, baseline_crps / n
        ends = part.target[0].item(), part.target[-1].item()
        row = _row(horizon, mode, dict(zip(SUMMED, figures.sum(axis=0).tolist(), strict=True)), ends)
        statistic, p_value = _difference(ours, baseline, horizon)
        # The figures that are compared must be those that are tested: every date weighs the same.
        row = _with_losses(row, float(ours.mean()), float(baseline.mean()))
        yield row._replace(n=len(n), dm_statistic=statistic, p_value=p_value)


def _row(horizon: int, mode: str, sums: Mapping[str, float], targets: tuple[date, date]) -> SkillRow:
    """Return a row of all tickers without a test. sums: by the names of SUMMED. targets: the first and the last one."""
    means = {name: sums[name] / sums["n"] for name in MEANS}
    row = SkillRow(
        ticker_id=None,
        horizon=horizon,
        mode=mode,
        n=int(sums["n"]),
        first_target=targets[0],
        last_target=targets[1],
        mae=means["abs_error"],
        baseline_mae=means["baseline_abs_error"],
        crps=means["crps"],
        baseline_crps=means["baseline_crps"],
        crps_skill=0.0,
        coverage_50=means["inside_50"],
        coverage_80=means["inside_80"],
        coverage_90=means["inside_90"],
        # Of the forecasts whose location and return are not zero, the share with one sign.
        hit_rate=sums["hits"] / sums["moved"] if sums["moved"] else None,
        dm_statistic=None,
        p_value=None,
        p_adjusted=None,
        verdict=NOT_DISTINGUISHABLE,
    )
    return _with_losses(row, row.crps, row.baseline_crps)


def _with_losses(row: SkillRow, crps: float, baseline_crps: float) -> SkillRow:
    """Return a row with a mean CRPS, that of the baseline, and the skill that they make."""
    skill = 1 - crps / baseline_crps if baseline_crps else 0.0
    return row._replace(crps=crps, baseline_crps=baseline_crps, crps_skill=skill)


def _difference(ours: Floats, baseline: Floats, horizon: int) -> tuple[float | None, float | None]:
    """Return the Diebold-Mariano statistic and p-value of two CRPS by date (n,); None, None with too few dates to tell."""
    if len(ours) <= horizon + 1:
        return None, None
    statistic, p_value = diebold_mariano(ours, baseline, horizon)
    return (statistic, p_value) if np.isfinite(statistic) else (None, None)


def _adjusted(rows: Sequence[SkillRow]) -> list[float | None]:
    """Return each row's p-value adjusted over its family: one mode's rows of tickers, or one mode's rows of all tickers."""
    families: dict[tuple[str, bool], list[int]] = {}
    for i, row in enumerate(rows):
        if row.p_value is not None:
            families.setdefault((row.mode, row.ticker_id is None), []).append(i)
    adjusted: list[float | None] = [None] * len(rows)
    for members in families.values():
        p_values = np.array([rows[i].p_value for i in members])
        for i, p_adjusted in zip(members, benjamini_hochberg(p_values).tolist(), strict=True):
            adjusted[i] = p_adjusted
    return adjusted
