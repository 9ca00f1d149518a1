"""What the density model and the article's model have in common: their state, its checkpoint bytes, and their methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from jobs.workspace.config import Config
from rnn.checkpoints import state_from_bytes, state_to_bytes
from rnn.density import ForecastDistribution
from rnn.optimizers import Moments
from rnn.state import State, concatenate
from rnn.training import Training, TrainingSettings

Rows = NDArray[np.intp]
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class ModelState:
    """The params and optimizer state of a stack of K networks, and the figures that a model stores with each of them."""

    network: State
    figures: tuple[Figures, ...]

    def one(self, k: int) -> ModelState:
        """Return network k as a stack of one. Its arrays are parts of this stack's, so neither may be changed in place."""
        network, row = self.network, slice(k, k + 1)
        moments = Moments(network.moments.mean[row], network.moments.square[row], network.moments.steps[row])
        return ModelState(State(network.shape, network.params[row], moments), (self.figures[k],))


@dataclass(frozen=True, slots=True)
class Trained:
    """A training's losses and its new state. seconds: wall time for each network.

    drifted: (K,), whether the params that a network began with had fallen behind the baseline.
    """

    training: Training
    state: ModelState
    drifted: NDArray[np.bool_]
    seconds: float = 0.0

    def select(self, rows: Rows) -> Trained:
        """Return the training of some networks."""
        training = self.training
        chosen = replace(
            training,
            state=training.state.rows(rows),
            train_loss=training.train_loss[:, rows],
            validation_loss=training.validation_loss[:, rows],
            gradient_norm=training.gradient_norm[:, rows],
            epochs=training.epochs[rows],
            updates=training.updates[rows],
            faults=tuple(training.faults[k] for k in rows),
        )
        state = ModelState(chosen.state, tuple(self.state.figures[k] for k in rows))
        return replace(self, training=chosen, state=state, drifted=self.drifted[rows])


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
    """Return one stack of several, in order."""
    network = concatenate([state.network for state in states])
    return ModelState(network, tuple(figures for state in states for figures in state.figures))


def state_bytes(state: ModelState, key: str, origin: date, config: Config) -> bytes:
    """Return a network's checkpoint: params, optimizer state, figures, and which ticker, origin and config they are of."""
    identity = {"ticker": key, "origin": origin.isoformat(), "config": config.id}
    return state_to_bytes(state.network, {**identity, **state.figures[0]})


def state_of_bytes(content: bytes) -> ModelState:
    """Return the state that a checkpoint holds. Raises CheckpointError."""
    network, meta = state_from_bytes(content)
    return ModelState(network, ({name: value for name, value in meta.items() if isinstance(value, float)},))


def training_settings(config: Config, epochs: int) -> TrainingSettings:
    """Return how a config trains one ticker's network."""
    return TrainingSettings(
        epochs, config.learning_rate, optimizer=config.optimizer, schedule=config.schedule, patience=config.patience
    )
