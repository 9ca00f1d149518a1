"""A published distribution as rows of `forecasts`: quantile prices on the origin's own share scale. Called by advance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import numpy as np

from jobs.forecasting.heads import Published
from jobs.forecasting.tasks import Case
from jobs.workspace.config import Config
from rnn.scores import student_t_quantiles
from storage.schema import TWIN

LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
QUANTILES = ("q05", "q10", "q25", "q50", "q75", "q90", "q95")
# A price that may move by a factor of e within its own scale is no forecast but a fault.
WIDEST_SCALE = 1.0


def is_publishable(published: Published, k: int) -> bool:
    """Return whether network k's distributions are all finite and of a width that a price can have."""
    scale = published.scale[k]
    finite = np.isfinite(published.location[k]).all() and np.isfinite(scale).all()
    return bool(finite and (scale > 0).all() and (scale < WIDEST_SCALE).all() and np.abs(published.location[k]).max() < 1)


def forecast_rows(case: Case, published: Published, k: int, model_id: str, config: Config) -> Iterator[dict[str, Any]]:
    """Return one row a horizon, without what only the writer knows: made_at, mode and run_id."""
    last_price = float(getattr(case.seen.history, config.field)[-1])
    returns = student_t_quantiles(published.location[k], published.scale[k], published.dof[k], LEVELS)
    prices = last_price * np.exp(returns)
    known_at = case.seen.history.recorded_at.max().item().replace(tzinfo=UTC)
    for h, target in enumerate(case.origin.targets):
        dof = float(published.dof[k, h])
        yield {
            "ticker_id": case.ticker.ticker_id,
            "config_id": config.id,
            "origin": case.origin.session,
            "horizon": h + 1,
            "target": target,
            "field": config.field,
            "location": float(published.location[k, h]),
            "scale": float(published.scale[k, h]),
            "dof": dof if np.isfinite(dof) else None,
            "last_price": last_price,
            **dict(zip(QUANTILES, prices[h].tolist(), strict=True)),
            "baseline_location": 0.0,
            "baseline_scale": float(published.baseline_scale[k, h]),
            "baseline_dof": float(published.baseline_dof[k, h]),
            "known_at": known_at,
            "input_sha256": case.input_sha256,
            "price_basis": case.ticker.price_basis,
            "model_id": model_id,
        }


def twin_rows(case: Case, published: Published, k: int, config: Config) -> Iterator[dict[str, Any]]:
    """Return what a cold twin would have forecast, a row of `baseline_forecasts` a horizon, not yet scored."""
    for h in range(len(case.origin.targets)):
        dof = float(published.dof[k, h])
        yield {
            "ticker_id": case.ticker.ticker_id,
            "config_id": config.id,
            "origin": case.origin.session,
            "horizon": h + 1,
            "name": TWIN,
            "location": float(published.location[k, h]),
            "scale": float(published.scale[k, h]),
            "dof": dof if np.isfinite(dof) else None,
            "crps": None,
        }
