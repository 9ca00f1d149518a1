"""Computed models and distributions as rows of the record. Here a forecast's price quantiles are made."""

from __future__ import annotations

from datetime import UTC

import numpy as np
from numpy.typing import NDArray

from jobs.forecasting.model import Trained
from jobs.forecasting.tasks import OriginTask
from jobs.scoring.distributions import student_t_quantiles
from jobs.workspace.config import Config
from rnn.density import ForecastDistribution
from rnn.training import Training
from storage.rows import QUANTILE_LEVELS, TWIN, BaselineForecastRow, ForecastRow, LossRow, ModelRow, RecalibrationRow

# A price that may move by a factor of e within its own scale is not a forecast but a fault.
WIDEST_SCALE = 1.0
FARTHEST_LOCATION = 1.0


def is_publishable(forecast: ForecastDistribution, k: int) -> bool:
    """Return whether network k's distributions are all finite and of a width that a price can have."""
    location, scale = forecast.location[k], forecast.scale[k]
    # A comparison with NaN is false, so these limits also refuse what is not finite.
    return bool(((scale > 0) & (scale < WIDEST_SCALE) & (np.abs(location) < FARTHEST_LOCATION)).all())


def forecast_rows(
    task: OriginTask, forecast: ForecastDistribution, baseline: ForecastDistribution, k: int, *, model_id: str, config: Config
) -> list[ForecastRow]:
    """Return one row for each horizon from network k's distributions. Quantile prices are on the origin's share scale."""
    bars = task.input.history.bars
    last_price = float(getattr(bars, config.field)[-1])
    prices = quantile_prices(last_price, forecast, k)
    known_at = bars.recorded_at.max().item().replace(tzinfo=UTC)
    return [
        ForecastRow(
            ticker_id=task.ticker.ticker_id,
            config_id=config.id,
            origin=task.origin.session,
            horizon=h + 1,
            target=target,
            field=config.field,
            location=float(forecast.location[k, h]),
            scale=float(forecast.scale[k, h]),
            dof=_dof(forecast, k, h),
            last_price=last_price,
            **dict(zip(QUANTILE_LEVELS, prices[h].tolist(), strict=True)),
            baseline_location=float(baseline.location[k, h]),
            baseline_scale=float(baseline.scale[k, h]),
            baseline_dof=_dof(baseline, k, h),
            known_at=known_at,
            input_sha256=task.input_sha256,
            price_basis=task.ticker.price_basis,
            model_id=model_id,
        )
        for h, target in enumerate(task.origin.targets)
    ]


def quantile_prices(last_price: float, forecast: ForecastDistribution, k: int) -> NDArray[np.float64]:
    """Return the prices (horizons, levels) that network k's returns reach at each of QUANTILE_LEVELS."""
    levels = tuple(QUANTILE_LEVELS.values())
    returns = student_t_quantiles(forecast.location[k], forecast.scale[k], forecast.dof[k], levels)
    prices: NDArray[np.float64] = last_price * np.exp(returns)
    return prices


def twin_rows(task: OriginTask, forecast: ForecastDistribution, k: int, config: Config) -> list[BaselineForecastRow]:
    """Return what a cold twin forecasts, one row for each horizon, not yet scored."""
    return [
        BaselineForecastRow(
            ticker_id=task.ticker.ticker_id,
            config_id=config.id,
            origin=task.origin.session,
            horizon=h + 1,
            name=TWIN,
            location=float(forecast.location[k, h]),
            scale=float(forecast.scale[k, h]),
            dof=_dof(forecast, k, h),
            crps=None,
        )
        for h in range(len(task.origin.targets))
    ]


def recalibration_rows(
    task: OriginTask, factor: NDArray[np.float64], raw_scale: NDArray[np.float64], config: Config
) -> list[RecalibrationRow]:
    """Return the factor and the scale before it, (H,) each, one row for each horizon."""
    return [
        RecalibrationRow(
            ticker_id=task.ticker.ticker_id,
            config_id=config.id,
            origin=task.origin.session,
            horizon=h + 1,
            scale_factor=float(factor[h]),
            raw_scale=float(raw_scale[h]),
        )
        for h in range(len(factor))
    ]


def model_row(
    task: OriginTask, trained: Trained, k: int, *, model_id: str, role: str, features: str, sha256: str, config: Config
) -> ModelRow:
    """Return the row of network k's training. A twin starts cold and has no part in the chain."""
    parent = None if task.is_cold else task.parent
    return ModelRow(
        id=model_id,
        ticker_id=task.ticker.ticker_id,
        config_id=config.id,
        origin=task.origin.session,
        role=role,
        start="warm" if parent else "cold",
        reason=task.reason,
        parent_id=parent.model_id if parent else None,
        prior_id=task.prior_id,
        depth=parent.depth + 1 if parent else 0,
        cold_ancestor_id=parent.cold_ancestor_id if parent else model_id,
        epochs=int(trained.training.epochs[k]),
        updates=int(trained.training.updates[k]),
        seed=task.seed,
        input_sha256=task.input_sha256,
        features=features,
        seconds=trained.seconds,
        checkpoint_sha256=sha256,
    )


def loss_rows(model_id: str, training: Training, k: int) -> list[LossRow]:
    """Return network k's losses, one row for each epoch that it took."""
    return [
        LossRow(
            model_id=model_id,
            epoch=epoch,
            train_loss=float(training.train_loss[epoch, k]),
            validation_loss=_finite_or_none(float(training.validation_loss[epoch, k])),
            gradient_norm=float(training.gradient_norm[epoch, k]),
            learning_rate=training.learning_rates[epoch],
        )
        for epoch in range(int(training.epochs[k]))
    ]


def _dof(distribution: ForecastDistribution, k: int, h: int) -> float | None:
    return _finite_or_none(float(distribution.dof[k, h]))


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
