"""Computed models and distributions as rows of the record. Here a forecast's price quantiles are made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.forecasting.model import Trained
from tickercast.jobs.forecasting.tasks import OriginTask
from tickercast.jobs.scoring.distributions import student_t_quantiles
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.density import ForecastDistribution
from tickercast.rnn.training import Curves
from tickercast.storage.rows import QUANTILE_LEVELS, TWIN, BaselineForecastRow, LossRow, ModelRow, OriginRow, RecalibrationRow

# A price that may move by a factor of e within its own scale is not a forecast but a fault.
WIDEST_SCALE = 1.0
FARTHEST_LOCATION = 1.0


def are_publishable(forecast: ForecastDistribution) -> NDArray[np.bool_]:
    """Return (K,) whether each network's distributions are all finite and of a width that a price can have."""
    location, scale = forecast.location, forecast.scale
    # A comparison with NaN is false, so these limits also refuse what is not finite.
    is_sound = (scale > 0) & (scale < WIDEST_SCALE) & (np.abs(location) < FARTHEST_LOCATION)
    return np.asarray(is_sound.all(axis=1))


def origin_row(task: OriginTask, numbers: Sequence[Sequence[float | None]], *, model_id: str, config: Config) -> OriginRow:
    """Return the row of an origin with its forecasts, whose numbers forecast_numbers gave."""
    bars = task.input.history.bars
    return OriginRow(
        ticker_id=task.ticker.ticker_id,
        config_id=config.id,
        origin=task.origin.session,
        field=config.field,
        last_price=last_price(task, config),
        price_basis=task.ticker.price_basis,
        known_at=bars.recorded_at.max().item().replace(tzinfo=UTC),
        input_sha256=task.input_sha256,
        model_id=model_id,
        targets=task.origin.targets,
        numbers=numbers,
        context=task.input.context.knowledge if task.input.context else "none",
    )


def forecast_numbers(
    last_prices: Sequence[float], forecast: ForecastDistribution, baseline: ForecastDistribution
) -> list[list[list[float | None]]]:
    """Return the numbers of K networks' forecasts, (K, horizons, FORECAST_NUMBERS). last_prices: (K,), at the origin."""
    ours, theirs = (np.stack([d.location, d.scale, d.dof], axis=-1) for d in (forecast, baseline))
    # Adding zero turns -0.0 into 0.0, which is how SQLite stores it.
    numbers = np.concatenate([ours, quantile_prices(last_prices, forecast), theirs], axis=-1) + 0.0
    rows: list[list[list[float | None]]] = numbers.tolist()
    for k, h, column in np.argwhere(np.isnan(numbers)):
        rows[k][h][column] = None
    return rows


def quantile_prices(last_prices: Sequence[float], forecast: ForecastDistribution) -> NDArray[np.float64]:
    """Return the prices (K, horizons, levels) that K networks' returns reach at each of QUANTILE_LEVELS."""
    levels = tuple(QUANTILE_LEVELS.values())
    returns = student_t_quantiles(forecast.location, forecast.scale, forecast.dof, levels)
    prices: NDArray[np.float64] = np.asarray(last_prices)[:, None, None] * np.exp(returns)
    return prices


def last_price(task: OriginTask, config: Config) -> float:
    """Return the price at a task's origin, of the field that is forecast."""
    return float(getattr(task.input.history.bars, config.field)[-1])


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
        input_sha256=task.model_sha256,
        features=features,
        seconds=trained.seconds,
        checkpoint_sha256=sha256,
    )


def loss_rows(model_id: str, training: Curves, k: int) -> list[LossRow]:
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
