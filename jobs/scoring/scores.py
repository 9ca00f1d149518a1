"""Scores of forecasts whose target has settled: closed-form CRPS, absolute errors, PIT and coverage.

A realised return is the sum of a ticker's log returns from origin to target, adjusted for splits and dividends. Not here:
which targets have settled, and what is stored (updates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.distributions import crps_student_t, student_t_cdf
from tickercast.storage.bars import Bars, log_returns
from tickercast.storage.queries import ScorableForecast, ScoreColumns
from tickercast.storage.rows import BaselineForecastRow, ScoreRow

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Days = NDArray[np.datetime64]


def score_rows(forecasts: Sequence[ScorableForecast], bars: Mapping[int, Bars], field: str) -> list[ScoreRow]:
    """Return the score, as revision 0, of each forecast whose origin and target have bars.

    bars: by ticker_id; those after a target do not change its score. field: the price that was forecast, close or open.
    Errors, crps and returns are natural-log returns. realised_price is on the origin's share scale.
    """
    if not forecasts:
        return []
    columns = _columns(forecasts)
    origins, targets = (np.array(days, "M8[D]") for days in (columns.origin, columns.target))
    owners, realised = np.array(columns.ticker_id), np.full(len(forecasts), np.nan)
    for ticker_id in set(columns.ticker_id):
        own = np.flatnonzero(owners == ticker_id)
        realised[own] = realised_returns(bars[ticker_id], field, origins[own], targets[own])
    known = np.flatnonzero(np.isfinite(realised))
    return _scores_at([forecasts[i] for i in known.tolist()], realised[known])


def realised_returns(bars: Bars, field: str, origins: Days, targets: Days) -> Floats:
    """Return the natural-log returns (n,) of a ticker from origins (n,) to targets (n,), NaN where either has no bar."""
    begin, end = np.searchsorted(bars.session, [origins.min(), targets.max() + 1])
    bars = bars.select(slice(begin, end))  # a return is of its own bar and the one before
    returns, sessions = log_returns(bars, field), bars.session
    first, last = np.searchsorted(sessions, origins), np.searchsorted(sessions, targets)
    is_stored = last < len(sessions)
    is_stored[is_stored] = (sessions[first[is_stored]] == origins[is_stored]) & (sessions[last[is_stored]] == targets[is_stored])
    realised = np.full(len(origins), np.nan)
    for count in np.unique((last - first)[is_stored]):  # few: the horizons, and more where bars are missing
        same = is_stored & (last - first == count)
        realised[same] = np.lib.stride_tricks.sliding_window_view(returns, count)[first[same] + 1].sum(axis=1)
    return realised


def twin_crps(twins: Sequence[BaselineForecastRow], realised: Sequence[float]) -> list[float]:
    """Return the CRPS of each cold twin at its realised return, in natural-log returns."""
    location, scale, dof = (_column(twins, name) for name in ("location", "scale", "dof"))
    crps: list[float] = crps_student_t(realised, location, scale, dof).tolist()
    return crps


def score_columns(scored: Sequence[tuple[ScorableForecast, ScoreRow]]) -> ScoreColumns:
    """Return some forecasts with their scores by column (n,), as they are read from the record."""
    forecasts = _columns([forecast for forecast, _ in scored])
    scores: Any = ScoreRow(*zip(*(score for _, score in scored), strict=True))  # type: ignore[arg-type]
    realised = np.array(scores.realised_return)
    location = np.array(forecasts.location)
    return ScoreColumns(
        ticker_id=np.array(forecasts.ticker_id, np.int32),
        horizon=np.array(forecasts.horizon, np.int16),
        mode=np.array(forecasts.mode, "S8"),
        origin=np.array(forecasts.origin, "M8[D]"),
        target=np.array(forecasts.target, "M8[D]"),
        location=location,
        scale=np.array(forecasts.scale),
        dof=np.array(forecasts.dof, np.float64),  # NumPy reads None as NaN
        realised_return=realised,
        abs_error=np.abs(realised - location),
        baseline_abs_error=np.abs(realised - np.array(forecasts.baseline_location)),
        crps=np.array(scores.crps),
        baseline_crps=np.array(scores.baseline_crps),
        pit=np.array(scores.pit),
        inside_50=np.array(scores.inside_50, np.int8),
        inside_80=np.array(scores.inside_80, np.int8),
        inside_90=np.array(scores.inside_90, np.int8),
    )


def _scores_at(forecasts: Sequence[ScorableForecast], realised: Floats) -> list[ScoreRow]:
    """Return the score of each forecast at its realised return (n,)."""
    if not forecasts:
        return []
    columns = _columns(forecasts)
    location, scale, dof, last_price, *baseline = (
        np.array(values, np.float64)  # NumPy reads None as NaN
        for values in (
            columns.location, columns.scale, columns.dof, columns.last_price,
            columns.baseline_location, columns.baseline_scale, columns.baseline_dof,
        )
    )  # fmt: skip
    crps, baseline_crps = crps_student_t(realised, location, scale, dof), crps_student_t(realised, *baseline)
    pit = np.clip(student_t_cdf(realised, location, scale, dof), 0.0, 1.0)
    price = last_price * np.exp(realised)
    from_median = np.abs(pit - 0.5)
    figures: tuple[Floats | Counts, ...] = (
        realised, price, crps, baseline_crps, pit,
        *((from_median <= half).astype(np.int64) for half in (0.25, 0.40, 0.45)),
    )  # fmt: skip
    rows = zip(columns.origin_id, columns.horizon, *(figure.tolist() for figure in figures), strict=True)
    return [ScoreRow(origin_id, horizon, 0, *row) for origin_id, horizon, *row in rows]


def _columns(forecasts: Sequence[ScorableForecast]) -> Any:
    """Return one ScorableForecast whose fields are the columns of some, (n,) each."""
    return ScorableForecast(*zip(*forecasts, strict=True))  # type: ignore[arg-type]


def _column(rows: Sequence[BaselineForecastRow], name: str) -> Floats:
    """Return one column of some rows as an array (n,), None as NaN."""
    return np.fromiter((getattr(row, name) for row in rows), np.float64)
