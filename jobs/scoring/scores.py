"""Scores of forecasts whose targets have settled: closed-form CRPS, errors, PIT and coverage. Called by ledger.

Realised returns come from the bars as the job knows them, adjusted for splits and dividends, from origin to target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.scoring.distributions import crps_student_t, student_t_cdf
from storage.bars import Bars, log_returns

Row = dict[str, Any]


def score_rows(forecasts: Sequence[Row], bars: Mapping[int, Bars], field: str) -> list[Row]:
    """Return a row of `scores` for each forecast whose origin and target have bars.

    forecasts: rows with ticker_id, config_id, origin, horizon, target, location, scale, dof, last_price and the
    baseline's three. bars: by ticker_id, ending where the job may look. Units: natural-log returns.
    """
    realised = _realised(forecasts, bars, field)
    known = [row for row, value in zip(forecasts, realised, strict=True) if np.isfinite(value)]
    if not known:
        return []
    value = realised[np.isfinite(realised)]
    location, scale, dof = (_column(known, name) for name in ("location", "scale", "dof"))
    base = [_column(known, f"baseline_{name}") for name in ("location", "scale", "dof")]
    crps, baseline_crps = crps_student_t(value, location, scale, dof), crps_student_t(value, *base)
    pit = np.clip(student_t_cdf(value, location, scale, dof), 0.0, 1.0)
    price = _column(known, "last_price") * np.exp(value)
    distance = np.abs(pit - 0.5)
    return [
        {
            "ticker_id": row["ticker_id"],
            "config_id": row["config_id"],
            "origin": row["origin"],
            "horizon": row["horizon"],
            "revision": 0,
            "realised_return": float(value[i]),
            "realised_price": float(price[i]),
            "abs_error": float(abs(value[i] - location[i])),
            "baseline_abs_error": float(abs(value[i] - base[0][i])),
            "crps": float(crps[i]),
            "baseline_crps": float(baseline_crps[i]),
            "pit": float(pit[i]),
            "inside_50": int(distance[i] <= 0.25),
            "inside_80": int(distance[i] <= 0.40),
            "inside_90": int(distance[i] <= 0.45),
        }
        for i, row in enumerate(known)
    ]


def twin_crps(rows: Sequence[Row], realised: Sequence[float]) -> list[float]:
    """Return the CRPS of rows with location, scale and dof, natural-log returns."""
    location, scale, dof = (_column(rows, name) for name in ("location", "scale", "dof"))
    crps: list[float] = crps_student_t(np.array(realised), location, scale, dof).tolist()
    return crps


def _column(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], np.float64)


def _realised(forecasts: Sequence[Row], bars: Mapping[int, Bars], field: str) -> NDArray[np.float64]:
    returns = {ticker_id: log_returns(history, field) for ticker_id, history in bars.items()}
    place = {ticker_id: {day: i for i, day in enumerate(history.session.tolist())} for ticker_id, history in bars.items()}
    realised = np.full(len(forecasts), np.nan)
    for i, row in enumerate(forecasts):
        at = place[row["ticker_id"]]
        origin, target = at.get(row["origin"]), at.get(row["target"])
        if origin is not None and target is not None:
            realised[i] = returns[row["ticker_id"]][origin + 1 : target + 1].sum()
    return realised
