"""Skill against the baseline, by ticker, horizon and mode: means, Diebold-Mariano, Benjamini-Hochberg and a verdict.

A row for all tickers together has ticker_id None. Tickers move together, so their errors on one date are not independent:
that row is of the tickers' mean loss by target date. Its n counts dates, its CRPS are means over dates, and they are what is
tested. Its other figures are means over scores. Rows of mode * are of the forecasts of all modes together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.significance import benjamini_hochberg, diebold_mariano
from tickercast.storage.queries import ScoreColumns
from tickercast.storage.rows import SkillRow

Floats = NDArray[np.float64]

ALPHA = 0.05
FEWEST_SCORES = 60
ALL_MODES = "*"
BETTER, WORSE, NOT_DISTINGUISHABLE = "better", "worse", "not distinguishable"


def skill_rows(scores: ScoreColumns) -> list[SkillRow]:
    """Return one row per ticker, horizon and mode, then one per horizon and mode for all tickers together.

    Mode * comes in addition to each. p_adjusted is over tickers x horizons within a mode. Rows for all tickers are adjusted
    separately from the others.
    """
    pooled = replace(scores, mode=np.full(len(scores.mode), ALL_MODES, "S1"))
    rows = []
    for part in (scores, pooled):
        rows += [_untested(int(group.ticker_id[0]), group) for group in _groups(part, "ticker_id", "horizon", "mode")]
    for part in (scores, pooled):
        rows += [_untested(None, group) for group in _groups(part, "horizon", "mode")]
    return [
        replace(
            row,
            p_adjusted=p_adjusted,
            verdict=verdict_of(n=row.n, crps=row.crps, baseline_crps=row.baseline_crps, p_adjusted=p_adjusted),
        )
        for row, p_adjusted in zip(rows, _adjusted(rows), strict=True)
    ]


def verdict_of(*, n: int, crps: float, baseline_crps: float, p_adjusted: float | None) -> str:
    """Return `better`, `worse` or `not distinguishable` from the baseline. p_adjusted is None without a test."""
    if n < FEWEST_SCORES or p_adjusted is None or p_adjusted > ALPHA:
        return NOT_DISTINGUISHABLE
    return BETTER if crps < baseline_crps else WORSE


def _groups(scores: ScoreColumns, *by: str) -> Iterator[ScoreColumns]:
    """Yield the scores of each combination of some columns, ordered by target, then ticker."""
    if not len(scores.target):
        return
    keys = dict.fromkeys((*by, "target", "ticker_id"))
    order = np.lexsort([getattr(scores, name) for name in reversed(keys)])
    columns = [getattr(scores, name)[order] for name in by]
    begins = np.flatnonzero(np.any([column[1:] != column[:-1] for column in columns], axis=0)) + 1
    for members in np.split(order, begins):
        yield scores.select(members)


def _untested(ticker_id: int | None, group: ScoreColumns) -> SkillRow:
    """Return the row of a group, without the adjusted p-value and the verdict: they depend on the other groups."""
    horizon = int(group.horizon[0])
    ours, baseline = _mean_by_date(group.target, group.crps), _mean_by_date(group.target, group.baseline_crps)
    # Of all tickers, the figures that are compared must be those that are tested: every date weighs the same.
    means = (ours, baseline) if ticker_id is None else (group.crps, group.baseline_crps)
    crps, baseline_crps = (float(losses.mean()) for losses in means)
    statistic, p_value = _difference(ours, baseline, horizon)
    return SkillRow(
        ticker_id=ticker_id,
        horizon=horizon,
        mode=str(group.mode[:1].astype(str)[0]),
        n=len(ours) if ticker_id is None else len(group.target),
        first_target=group.target[0].item(),
        last_target=group.target[-1].item(),
        mae=float(group.abs_error.mean()),
        baseline_mae=float(group.baseline_abs_error.mean()),
        crps=crps,
        baseline_crps=baseline_crps,
        crps_skill=1 - crps / baseline_crps if baseline_crps else 0.0,
        coverage_50=float(group.inside_50.mean()),
        coverage_80=float(group.inside_80.mean()),
        coverage_90=float(group.inside_90.mean()),
        hit_rate=_hit_rate(group),
        dm_statistic=statistic,
        p_value=p_value,
        p_adjusted=None,
        verdict=NOT_DISTINGUISHABLE,
    )


def _hit_rate(group: ScoreColumns) -> float | None:
    """Return the share of forecasts whose location has the sign of the realised return; zeros do not count."""
    moved = (group.location != 0) & (group.realised_return != 0)
    hits = np.sign(group.location[moved]) == np.sign(group.realised_return[moved])
    return float(hits.mean()) if len(hits) else None


def _difference(ours: Floats, baseline: Floats, horizon: int) -> tuple[float | None, float | None]:
    """Return the Diebold-Mariano statistic and p-value of two CRPS by date (n,); None, None with too few dates to tell."""
    if len(ours) <= horizon + 1:
        return None, None
    statistic, p_value = diebold_mariano(ours, baseline, horizon)
    return (statistic, p_value) if np.isfinite(statistic) else (None, None)


def _mean_by_date(targets: NDArray[np.datetime64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each date's values, in the order of the dates. targets, values: (n,), sorted by target."""
    begins = np.flatnonzero(np.concatenate([[True], targets[1:] != targets[:-1]]))
    counts = np.diff([*begins, len(targets)])
    means: NDArray[np.float64] = np.add.reduceat(values, begins) / counts
    return means


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
