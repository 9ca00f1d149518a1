"""The density model: Student-t distributions at direct horizons, as multiples of the baseline's volatility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jobs.forecasting.inputs import ModelInput, stacked_measures
from jobs.forecasting.model import ModelState, Prediction, Rows, Trained, training_settings
from jobs.workspace.config import Config
from rnn.density import (
    DensityLayout,
    DensityLoss,
    ForecastDistribution,
    PooledDensityLoss,
    density_shape,
    forecast_density,
)
from rnn.features import DensityInputs, density_inputs, pooled
from rnn.params import NetworkShape
from rnn.state import State, cold_state
from rnn.training import Training, TrainingSettings, train

# A prior has many histories behind it: little regularisation is needed, and its newest targets are worth more in training
# than in validation.
PRIOR_LAYOUT = DensityLayout(window=250, burn_in=40, held_out=0, location_shrinkage=0.1, output_shrinkage=0.001)
# Nats a target by which a chain may fall behind the baseline on the newest month before it is retrained from the prior.
DRIFT_NATS = 0.3
# Members of a prior that are unrolled at once, so that their states stay in the processor's cache.
MEMBERS_AT_ONCE = 32


class DensityModel:
    """One network for each of K histories of equal length. Its outputs scale the baseline's volatility, horizon by horizon."""

    def __init__(self, config: Config, inputs: DensityInputs) -> None:
        self.config, self.inputs = config, inputs
        self.features = ",".join(inputs.names)
        self.shape = network_shape(config, inputs)

    def select(self, rows: Rows) -> DensityModel:
        return DensityModel(self.config, self.inputs.rows(rows))

    def initial_state(self, seeds: Sequence[int], prior: State | None) -> ModelState:
        network = cold_state(seeds, self.shape)
        if prior is not None:
            network.params[...] = prior.params
        return ModelState(network, tuple({} for _ in seeds))

    def train(self, state: ModelState, epochs: int, seeds: Sequence[int], prior: State | None) -> Trained:
        """Return the state after some epochs. The newest month is held out; a prior draws locations and outputs to itself."""
        layout = DensityLayout(window=self.config.window, truncation=self.config.truncation)
        anchor = None if prior is None else np.repeat(prior.params, len(seeds), axis=0)
        objective = DensityLoss(self.inputs, self.shape, layout, anchor=anchor)
        behind_from = objective.baseline_validation() + DRIFT_NATS
        training = train(state.network, objective, training_settings(self.config, epochs))
        # The first validation loss is that of the params the training began with, so drift costs no pass of its own.
        drifted = np.asarray(training.validation_loss[0] > behind_from)
        return Trained(training, ModelState(training.state, state.figures), drifted)

    def predict(self, state: ModelState) -> Prediction:
        forecast = forecast_density(state.network, self.inputs, self.config.window)
        return Prediction(forecast, baseline_of(self.inputs))


def density_model(config: Config, inputs: Sequence[ModelInput]) -> DensityModel:
    """Return the density model of some inputs of equal length."""
    return DensityModel(config, density_inputs(stacked_measures(inputs), config.horizons))


def train_pooled(config: Config, inputs: Sequence[ModelInput], seed: int) -> tuple[Training, str]:
    """Return the training of one network on many inputs of any length, and the names of its features."""
    each = [density_inputs(stacked_measures([item]), config.horizons) for item in inputs]
    joint = pooled(each, min(config.prior_sessions, max(len(item.history) for item in inputs)))
    shape = network_shape(config, joint)
    layout = replace(PRIOR_LAYOUT, truncation=config.truncation)
    objective = PooledDensityLoss(joint, shape, layout, MEMBERS_AT_ONCE)
    settings = TrainingSettings(
        config.prior_epochs, config.prior_learning_rate, optimizer=config.optimizer, schedule="half_cosine"
    )
    return train(cold_state([seed], shape), objective, settings), ",".join(joint.names)


def network_shape(config: Config, inputs: DensityInputs) -> NetworkShape:
    """Return the sizes of a config's network for some inputs."""
    return density_shape(inputs.features.shape[2], config.hidden, config.horizons, config.cell, config.layers)


def baseline_of(inputs: DensityInputs) -> ForecastDistribution:
    """Return the baseline's distributions, (K, horizons): a random walk with exponentially weighted volatility."""
    return ForecastDistribution(np.zeros_like(inputs.baseline_scale), inputs.baseline_scale, inputs.baseline_dof)
