"""The article's model: scaled prices in, the next price out, squared error at the last step, trained once.

Its scaler is fitted on the bars of its one training. A forecast is normal around the point, as wide as the training's own
one-step errors in log price. Later splits are undone: prices stay on the training's share scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.forecasting.density_model import baseline_of
from tickercast.jobs.forecasting.inputs import History, ModelInput, share_scaled_prices, stacked_measures
from tickercast.jobs.forecasting.model import Figures, ModelState, Prediction, Rows, Trained, network_of, training_settings
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.density import ForecastDistribution
from tickercast.rnn.features import density_inputs
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.state import State, noisy_state
from tickercast.rnn.supervised import SupervisedLoss, Windows, forecast_point
from tickercast.rnn.training import train
from tickercast.storage.bars import Bars

Floats = NDArray[np.float64]
BASELINE_SESSIONS = 504  # the baseline's volatility needs no longer memory, whatever its network sees
BATCH_WINDOWS = 32


class ArticleModel:
    """One network for each of K histories of equal length. Its features are the scaled prices alone."""

    features = "scaled price"

    def __init__(self, config: Config, histories: Sequence[History]) -> None:
        self.config, self.histories = config, tuple(histories)
        self.bars: tuple[Bars, ...] = tuple(history.bars for history in histories)

    def select(self, rows: Rows) -> ArticleModel:
        return ArticleModel(self.config, [self.histories[k] for k in rows])

    def initial_state(self, seeds: Sequence[int], prior: State | None) -> ModelState:
        """Return untrained networks, each with a scaler fitted on all bars of its history, which are its training part."""
        figures = tuple(
            _scaler(share_scaled_prices(bars, self.config.field, bars.session[-1]))
            | {"trained_through": float(bars.session[-1].astype(np.int64))}
            for bars in self.bars
        )
        return ModelState(noisy_state(seeds, self._shape()), figures)

    def train(self, state: ModelState, epochs: int, seeds: Sequence[int], prior: State | None) -> Trained:
        """Return the state after some epochs, with the rms log error of each horizon. It trains once and never drifts."""
        scaled = self._scaled(state)
        windows = np.lib.stride_tricks.sliding_window_view(scaled, self.config.window, axis=1)
        inputs = np.ascontiguousarray(windows[:, :-1, :, None])
        targets = np.ascontiguousarray(scaled[:, self.config.window :, None])
        objective = SupervisedLoss(
            Windows(inputs, targets), self._shape(), seeds, batch=BATCH_WINDOWS, truncation=self.config.truncation
        )
        training = train(network_of(state), objective, training_settings(self.config, epochs))
        paths = forecast_point(training.state, inputs, self.config.horizons)
        figures = tuple(
            {**f, **_log_errors(_price(paths[k], f), _price(targets[k, :, 0], f))} for k, f in enumerate(state.figures)
        )
        return Trained(training, ModelState(training.state, figures), np.zeros(len(figures), dtype=np.bool_))

    def predict(self, state: ModelState) -> Prediction:
        scaled = self._scaled(state)
        horizons = self.config.horizons
        windows = np.ascontiguousarray(scaled[:, None, -self.config.window :, None])
        paths = forecast_point(network_of(state), windows, horizons)[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):  # a price below zero has no log; such a row is not published
            location = [np.log(_price(paths[k], f) / _price(scaled[k, -1:], f)) for k, f in enumerate(state.figures)]
        forecast = ForecastDistribution(
            np.asarray(location, np.float64),
            np.array([[f[f"log_error_{h}"] for h in range(1, horizons + 1)] for f in state.figures]),
            np.full((len(state.figures), horizons), np.nan),
        )
        return Prediction(forecast, self._baseline())

    def _baseline(self) -> ForecastDistribution:
        recent = [ModelInput(h.between(max(0, len(h) - BASELINE_SESSIONS), len(h))) for h in self.histories]
        return baseline_of(density_inputs(stacked_measures(recent), self.config.horizons))

    def _shape(self) -> NetworkShape:
        return NetworkShape(1, self.config.hidden, 1, cell=self.config.cell, layers=self.config.layers)

    def _scaled(self, state: ModelState) -> NDArray[np.float32]:
        """Return (K, n) prices as the networks read them: on the training's share scale, scaled by the training's figures."""
        rows = []
        for bars, f in zip(self.bars, state.figures, strict=True):
            day = np.datetime64(int(f["trained_through"]), "D")
            rows.append(share_scaled_prices(bars, self.config.field, day) * f["scale"] + f["offset"])
        return np.asarray(rows, np.float32)


def _scaler(prices: Floats) -> Figures:
    """Return the scale and the offset that turn the lowest price into 0 and the highest into 1; equal prices into 0."""
    low, high = float(prices.min()), float(prices.max())
    scale = 1 / (high - low) if high > low else 1.0
    return {"scale": scale, "offset": -low * scale}


def _price(scaled: NDArray[np.floating], figures: Figures) -> Floats:
    return (np.asarray(scaled, np.float64) - figures["offset"]) / figures["scale"]


def _log_errors(paths: Floats, outcomes: Floats) -> Figures:
    """Return, by horizon, the rms log error of paths (S, horizons), whose first steps forecast outcomes (S,)."""
    s = len(outcomes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            f"log_error_{h + 1}": float(np.sqrt(np.mean(np.log(paths[: s - h, h] / outcomes[h:]) ** 2)))
            for h in range(paths.shape[1])
        }
