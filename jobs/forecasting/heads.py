"""How a kind of network is begun, trained and asked, over a stack of histories: the density head and the article's point head.

Called by advance; the arithmetic lives in rnn, what the bars mean in jobs.forecasting.inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from jobs.forecasting.inputs import Seen, share_scaled_prices, stacked_measures
from jobs.workspace.config import Config
from rnn.density import DensityLayout, DensityLoss, PooledDensityLoss, density_shape
from rnn.features import DensityInputs, density_inputs, pooled
from rnn.forecasting import forecast_density, forecast_point
from rnn.params import NetworkShape
from rnn.supervised import SupervisedLoss, Windows
from rnn.training import State, Training, TrainingSettings, cold_state, concatenate, noisy_state, train
from storage.bars import Bars

# The baseline's volatility needs no longer memory than this, whatever a config lets its network see.
BASELINE_SESSIONS = 504
POINT_BATCH = 96
# A prior has many histories behind it: little need hold it back, and its newest targets are worth more than a validation.
PRIOR_LAYOUT = DensityLayout(window=250, burn_in=40, held_out=0, location_shrinkage=0.1, output_shrinkage=0.001)

# Nats a target by which a chain may fall behind the baseline, on the newest month, before it starts anew.
DRIFT = 0.3
# Members of a prior that are unrolled at once: their states then stay near the processor.
POOL_PART = 32

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Held:
    """The params and optimizer state of a stack, and for each network the figures its head keeps with them."""

    state: State
    figures: tuple[Figures, ...]

    def one(self, k: int) -> Held:
        return Held(self.state.one(k), (self.figures[k],))


@dataclass(frozen=True, slots=True)
class Published:
    """Distributions of log returns from the origin, (K, horizons) each; dof is NaN where it is normal."""

    location: NDArray[np.float64]
    scale: NDArray[np.float64]
    dof: NDArray[np.float64]
    baseline_scale: NDArray[np.float64]
    baseline_dof: NDArray[np.float64]


class Head(Protocol):
    """One training and its forecasts for some histories of equal length. features: the inputs' names, for the record."""

    features: str

    def drifted(self, training: Training) -> NDArray[np.bool_]: ...
    def begin(self, seeds: Sequence[int], prior: State | None) -> Held: ...
    def train(self, held: Held, epochs: int, seeds: Sequence[int], prior: State | None) -> tuple[Training, Held]: ...
    def publish(self, held: Held) -> Published: ...


def join(helds: Sequence[Held]) -> Held:
    """Return the stack of some networks, in order."""
    return Held(concatenate([held.state for held in helds]), tuple(f for held in helds for f in held.figures))


def head_for(config: Config, seen: Sequence[Seen]) -> Head:
    """Return the head that a config's preset asks for, on what some forecasts may see."""
    if config.preset == "article":
        return ArticleHead(config, [item.history for item in seen])
    return DensityHead(config, seen)


def _training_settings(config: Config, epochs: int) -> TrainingSettings:
    return TrainingSettings(
        epochs, config.learning_rate, optimizer=config.optimizer, schedule=config.schedule, patience=config.patience
    )


def _baseline_inputs(config: Config, histories: Sequence[Bars]) -> DensityInputs:
    recent = [Seen(history.select(slice(max(0, len(history) - BASELINE_SESSIONS), len(history)))) for history in histories]
    return density_inputs(stacked_measures(recent, config.field), config.horizons)


def _density_shape(config: Config, inputs: DensityInputs) -> NetworkShape:
    return density_shape(inputs.features.shape[2], config.hidden, config.horizons, config.cell, config.layers)


class DensityHead:
    """Student-t distributions at direct horizons, as a multiple of the volatility that the baseline uses."""

    def __init__(self, config: Config, seen: Sequence[Seen]) -> None:
        self.config = config
        self.inputs = density_inputs(stacked_measures(seen, config.field), config.horizons)
        self.features = ",".join(self.inputs.names)
        self.shape = _density_shape(config, self.inputs)

    @staticmethod
    def fit_pooled(config: Config, seen: Sequence[Seen], seed: int) -> tuple[Training, str]:
        """Return the training of one network on many histories of any length, and its inputs' names."""
        each = [density_inputs(stacked_measures([item], config.field), config.horizons) for item in seen]
        inputs = pooled(each, min(config.prior_sessions, max(len(item.history) for item in seen)))
        shape = _density_shape(config, inputs)
        layout = replace(PRIOR_LAYOUT, truncation=config.truncation)
        objective = PooledDensityLoss(inputs, shape, layout, POOL_PART)
        settings = TrainingSettings(
            config.prior_epochs, config.prior_learning_rate, optimizer=config.optimizer, schedule="half_cosine"
        )
        return train(cold_state([seed], shape), objective, settings), ",".join(inputs.names)

    def begin(self, seeds: Sequence[int], prior: State | None) -> Held:
        state = cold_state(seeds, self.shape)
        if prior is not None:
            state.params[...] = prior.params
        return Held(state, tuple({} for _ in seeds))

    def train(self, held: Held, epochs: int, seeds: Sequence[int], prior: State | None) -> tuple[Training, Held]:
        layout = DensityLayout(window=self.config.window, truncation=self.config.truncation)
        anchor = None if prior is None else np.repeat(prior.params, len(seeds), axis=0)
        objective = DensityLoss(self.inputs, self.shape, layout, anchor=anchor)
        self.baseline_validation = objective.baseline_validation()
        training = train(held.state, objective, _training_settings(self.config, epochs))
        return training, Held(training.state, held.figures)

    def drifted(self, training: Training) -> NDArray[np.bool_]:
        """Return which networks came to a training with params that say less than the baseline of the newest targets."""
        came_with = training.validation_loss[0]
        return np.asarray(came_with > self.baseline_validation + DRIFT)

    def publish(self, held: Held) -> Published:
        forecast = forecast_density(held.state, self.inputs, self.config.window)
        return Published(
            np.asarray(forecast.location, np.float64),
            np.asarray(forecast.scale, np.float64),
            np.asarray(forecast.dof, np.float64),
            self.inputs.baseline_scale,
            self.inputs.baseline_dof,
        )


class ArticleHead:
    """The article's network: scaled prices in, the next price out, squared error at the last step, trained once.

    Its scaler is fitted on the bars of its one training. A forecast is normal around the point, as wide as the
    training's own one-step errors in log price. Later splits are undone: prices stay on the training's share scale.
    """

    features = "scaled price"

    def __init__(self, config: Config, histories: Sequence[Bars]) -> None:
        self.config = config
        self.histories = histories
        self.baseline = _baseline_inputs(config, histories)

    def begin(self, seeds: Sequence[int], prior: State | None) -> Held:
        from sklearn.preprocessing import MinMaxScaler  # costs a second, so only where it scales

        figures: list[Figures] = []
        for history in self.histories:
            prices = share_scaled_prices(history, self.config.field, history.session[-1])
            scaler = MinMaxScaler().fit(prices[:, None])
            figures.append(
                {
                    "scale": float(scaler.scale_[0]),
                    "offset": float(scaler.min_[0]),
                    "trained_through": float(history.session[-1].astype(np.int64)),
                }
            )
        return Held(noisy_state(seeds, self._shape()), tuple(figures))

    def train(self, held: Held, epochs: int, seeds: Sequence[int], prior: State | None) -> tuple[Training, Held]:
        scaled = self._scaled(held)
        windows = np.lib.stride_tricks.sliding_window_view(scaled, self.config.window, axis=1)
        inputs = np.ascontiguousarray(windows[:, :-1, :, None])
        targets = np.ascontiguousarray(scaled[:, self.config.window :, None])
        objective = SupervisedLoss(
            Windows(inputs, targets), self._shape(), seeds, batch=POINT_BATCH, truncation=self.config.truncation
        )
        training = train(held.state, objective, _training_settings(self.config, epochs))
        paths = forecast_point(training.state, inputs, self.config.horizons)
        figures = [{**f, **_log_errors(_price(paths[k], f), _price(targets[k, :, 0], f))} for k, f in enumerate(held.figures)]
        return training, Held(training.state, tuple(figures))

    def drifted(self, training: Training) -> NDArray[np.bool_]:
        """Return all false: the article's network trains once."""
        return np.zeros(len(training.faults), dtype=np.bool_)

    def publish(self, held: Held) -> Published:
        scaled = self._scaled(held)
        horizons = self.config.horizons
        windows = np.ascontiguousarray(scaled[:, None, -self.config.window :, None])
        paths = forecast_point(held.state, windows, horizons)[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):  # a price below zero has no log; such a row is refused
            location = [np.log(_price(paths[k], f) / _price(scaled[k, -1:], f)) for k, f in enumerate(held.figures)]
        return Published(
            np.asarray(location, np.float64),
            np.array([[f[f"log_error_{h}"] for h in range(1, horizons + 1)] for f in held.figures]),
            np.full((len(held.figures), horizons), np.nan),
            self.baseline.baseline_scale,
            self.baseline.baseline_dof,
        )

    def _shape(self) -> NetworkShape:
        return NetworkShape(1, self.config.hidden, 1, cell=self.config.cell, layers=self.config.layers)

    def _scaled(self, held: Held) -> NDArray[np.float32]:
        rows = []
        for history, f in zip(self.histories, held.figures, strict=True):
            day = np.datetime64(int(f["trained_through"]), "D")
            rows.append(share_scaled_prices(history, self.config.field, day) * f["scale"] + f["offset"])
        return np.asarray(rows, np.float32)


def _price(scaled: NDArray[np.floating], figures: Figures) -> NDArray[np.float64]:
    return (np.asarray(scaled, np.float64) - figures["offset"]) / figures["scale"]


def _log_errors(paths: NDArray[np.float64], truth: NDArray[np.float64]) -> Figures:
    """Return, by horizon, the rms log error of paths (S, horizons) whose first steps speak of truth (S,)."""
    s = len(truth)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            f"log_error_{h + 1}": float(np.sqrt(np.mean(np.log(paths[: s - h, h] / truth[h:]) ** 2)))
            for h in range(paths.shape[1])
        }
