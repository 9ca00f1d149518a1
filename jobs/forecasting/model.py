"""What the density model and the article's model have in common: their state, its checkpoint bytes, and their methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.workspace.config import Config
from tickercast.rnn.checkpoints import holds_scales, scales_from_bytes, scales_to_bytes, state_from_bytes, state_to_bytes
from tickercast.rnn.density import ForecastDistribution
from tickercast.rnn.errors import CheckpointError
from tickercast.rnn.scales import Scales, joined
from tickercast.rnn.state import State, concatenate
from tickercast.rnn.training import Curves, TrainingSettings
from tickercast.storage.errors import Corrupt

Rows = NDArray[np.intp]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class ModelState:
    """What K tickers have learned, whole networks or factors on a prior's scales, and the figures stored with each model."""

    learned: State | Scales
    figures: tuple[Figures, ...]

    def one(self, k: int) -> ModelState:
        """Return ticker k as a stack of one."""
        return ModelState(self.learned.one(k), (self.figures[k],))


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training went and its new state. seconds: wall time for each ticker.

    drifted: (K,), whether what a ticker began with had fallen behind the baseline, or behind the prior alone.
    """

    training: Curves
    state: ModelState
    drifted: NDArray[np.bool_]
    seconds: float = 0.0

    def select(self, rows: Rows) -> Trained:
        """Return the training of some tickers."""
        state = ModelState(self.state.learned.rows(rows), tuple(self.state.figures[k] for k in rows))
        return replace(self, training=self.training.of(rows), state=state, drifted=self.drifted[rows])


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a stack forecasts from its last session, and the baseline's distributions of the same returns."""

    forecast: ForecastDistribution
    baseline: ForecastDistribution


class ForecastModel(Protocol):
    """A kind of model over K inputs of equal length. features: the names of its inputs, as the record keeps them."""

    features: str

    def select(self, rows: Rows) -> Self:
        """Return the model of some of the inputs."""

    def initial_state(self, seeds: Sequence[int], prior: State | None) -> ModelState:
        """Return the state that a cold start begins from."""

    def train(self, state: ModelState, epochs: int, seeds: Sequence[int], prior: State | None) -> Trained:
        """Return the state after some epochs."""

    def predict(self, state: ModelState) -> Prediction:
        """Return the distributions at the inputs' last session."""


def join_states(states: Sequence[ModelState]) -> ModelState:
    """Return one stack of several, in order. All are networks, or all are scales."""
    figures = tuple(figures for state in states for figures in state.figures)
    networks = [state.learned for state in states if isinstance(state.learned, State)]
    if networks:
        return ModelState(concatenate(networks), figures)
    return ModelState(joined([state.learned for state in states if isinstance(state.learned, Scales)]), figures)


def network_of(state: ModelState) -> State:
    """Return the networks of a state that holds some."""
    assert isinstance(state.learned, State)
    return state.learned


def state_bytes(state: ModelState, key: str, origin: date, config: Config) -> bytes:
    """Return one ticker's checkpoint: what it learned, its figures, and which ticker, origin and config they are of."""
    meta = {"ticker": key, "origin": origin.isoformat(), "config": config.id, **state.figures[0]}
    if isinstance(state.learned, Scales):
        return scales_to_bytes(state.learned, meta)
    return state_to_bytes(state.learned, meta)


def state_of_bytes(content: bytes) -> ModelState:
    """Return the state that a stored checkpoint holds. Raises Corrupt for other bytes."""
    try:
        learned, meta = scales_from_bytes(content) if holds_scales(content) else state_from_bytes(content)
    except CheckpointError as error:
        raise Corrupt(f"a stored checkpoint is damaged ({error}); restore the database from a backup") from error
    return ModelState(learned, ({name: value for name, value in meta.items() if isinstance(value, float)},))


def training_settings(config: Config, epochs: int) -> TrainingSettings:
    """Return how a config trains one ticker's network."""
    return TrainingSettings(
        epochs, config.learning_rate, optimizer=config.optimizer, schedule=config.schedule, patience=config.patience
    )
