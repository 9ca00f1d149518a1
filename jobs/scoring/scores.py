"""Scores of forecasts whose target has settled: closed-form CRPS, absolute errors, PIT and coverage.

A realised return is the sum of a ticker's log returns from origin to target, adjusted for splits and dividends. Not here:
which targets have settled, and what is stored (updates).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from jobs.scoring.distributions import crps_student_t, student_t_cdf
from storage.bars import Bars, log_returns
from storage.queries import ScorableForecast
from storage.rows import BaselineForecastRow, ScoreRow

Floats = NDArray[np.float64]


class RealisedReturns:
    """The log returns of one ticker's bars, summed from one session to another."""

    def __init__(self, bars: Bars, field: str) -> None:
        self._returns = log_returns(bars, field)
        self._index = {session: i for i, session in enumerate(bars.session.tolist())}

    def between(self, origin: date, target: date) -> float:
        """Return the natural-log return from origin to target, NaN where either session has no bar."""
        first, last = self._index.get(origin), self._index.get(target)
        if first is None or last is None:
            return math.nan
        return float(self._returns[first + 1 : last + 1].sum())


def score_rows(forecasts: Sequence[ScorableForecast], bars: Mapping[int, Bars], field: str) -> list[ScoreRow]:
    """Return the score, as revision 0, of each forecast whose origin and target have bars.

    bars: by ticker_id; those after a target do not change its score. field: the price that was forecast, close or open.
    Errors, crps and returns are natural-log returns. realised_price is on the origin's share scale.
    """
    returns = {ticker_id: RealisedReturns(bars[ticker_id], field) for ticker_id in {f.ticker_id for f in forecasts}}
    realised = [returns[f.ticker_id].between(f.origin, f.target) for f in forecasts]
    known = [i for i, value in enumerate(realised) if math.isfinite(value)]
    return _scores_at([forecasts[i] for i in known], np.array([realised[i] for i in known]))


def twin_crps(twins: Sequence[BaselineForecastRow], realised: Sequence[float]) -> list[float]:
    """Return the CRPS of each cold twin at its realised return, in natural-log returns."""
    location, scale, dof = (_column(twins, name) for name in ("location", "scale", "dof"))
    crps: list[float] = crps_student_t(realised, location, scale, dof).tolist()
    return crps


def _scores_at(forecasts: Sequence[ScorableForecast], realised: Floats) -> list[ScoreRow]:
    """Return the score of each forecast at its realised return (n,)."""
    location, scale, dof = (_column(forecasts, name) for name in ("location", "scale", "dof"))
    baseline = [_column(forecasts, f"baseline_{name}") for name in ("location", "scale", "dof")]
    crps, baseline_crps = crps_student_t(realised, location, scale, dof), crps_student_t(realised, *baseline)
    pit = np.clip(student_t_cdf(realised, location, scale, dof), 0.0, 1.0)
    price = _column(forecasts, "last_price") * np.exp(realised)
    from_median = np.abs(pit - 0.5)
    return [
        ScoreRow(
            ticker_id=forecast.ticker_id,
            config_id=forecast.config_id,
            origin=forecast.origin,
            horizon=forecast.horizon,
            revision=0,
            realised_return=float(realised[i]),
            realised_price=float(price[i]),
            abs_error=float(abs(realised[i] - location[i])),
            baseline_abs_error=float(abs(realised[i] - baseline[0][i])),
            crps=float(crps[i]),
            baseline_crps=float(baseline_crps[i]),
            pit=float(pit[i]),
            inside_50=int(from_median[i] <= 0.25),
            inside_80=int(from_median[i] <= 0.40),
            inside_90=int(from_median[i] <= 0.45),
        )
        for i, forecast in enumerate(forecasts)
    ]


def _column(rows: Sequence[ScorableForecast] | Sequence[BaselineForecastRow], name: str) -> Floats:
    """Return one column of some rows as an array (n,), None as NaN."""
    return np.fromiter((getattr(row, name) for row in rows), np.float64)
