"""The density models: Student-t distributions at direct horizons, as multiples of the baseline's volatility.

ScaledModel learns one factor a horizon on top of a prior's network. NetworkModel trains the whole network: from a prior, or from
scratch where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.forecasting.inputs import ModelInput, stacked_context, stacked_measures
from tickercast.jobs.forecasting.model import ModelState, Prediction, Rows, Trained, network_of, training_settings
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.density import DensityLayout, DensityLoss, ForecastDistribution, density_shape, forecast_density
from tickercast.rnn.features import DensityInputs, density_inputs, pooled
from tickercast.rnn.params import NetworkShape, row_squares, row_sums
from tickercast.rnn.pooled import PooledDensityLoss, Sampling
from tickercast.rnn.scales import (
    BURN_IN,
    Outputs,
    Scales,
    all_outputs,
    forecast_with,
    learned,
    newest_outputs,
    no_scales,
    settled,
)
from tickercast.rnn.state import State, cold_state
from tickercast.rnn.training import Curves, Training, TrainingSettings, train

# A prior has many histories behind it, so it needs no shrinkage, and its newest targets are worth more in training than in
# validation.
PRIOR_LAYOUT = DensityLayout(window=90, burn_in=15, held_out=0, location_shrinkage=0.0, output_shrinkage=0.0)
PRIOR_SAMPLING = Sampling(windows=64, without=0.2)
# A fit on few histories makes fewer steps, because it would overfit: so many passes over all sessions, but never fewer steps.
MOST_PASSES, FEWEST_STEPS = 20, 60
# Nats a target by which a chain may fall behind the baseline on the newest month before it is retrained.
DRIFT_NATS = 0.3
# Nats a target by which a ticker's factors may make the newest months' losses worse than the prior alone before they go.
SCALE_DRIFT_NATS = 0.02
NEWEST_TARGETS = 63


class NetworkModel:
    """One network for each of K histories of equal length. Its outputs scale the baseline's volatility, horizon by horizon."""

    def __init__(self, config: Config, inputs: DensityInputs) -> None:
        self.config, self.inputs = config, inputs
        self.features = ",".join(inputs.names)
        self.shape = network_shape(config, inputs)

    def select(self, rows: Rows) -> NetworkModel:
        return NetworkModel(self.config, self.inputs.rows(rows))

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
        training = train(network_of(state), objective, training_settings(self.config, epochs))
        # The first validation loss is that of the params the training began with, so drift costs no pass of its own.
        drifted = np.asarray(training.validation_loss[0] > behind_from) if epochs else np.zeros(len(seeds), np.bool_)
        return Trained(training, ModelState(training.state, state.figures), drifted)

    def predict(self, state: ModelState) -> Prediction:
        forecast = forecast_density(network_of(state), self.inputs, self.config.window)
        return Prediction(forecast, baseline_of(self.inputs))


class ScaledModel:
    """A prior's network with factors of its own for each of K histories of equal length.

    longer: the inputs of the longer histories that a cold start learns from; None where only warm starts are asked for.
    """

    def __init__(self, config: Config, inputs: DensityInputs, prior: State, longer: DensityInputs | None) -> None:
        self.config, self.inputs, self.prior, self.longer = config, inputs, prior, longer
        self.features = ",".join(inputs.names)

    def select(self, rows: Rows) -> ScaledModel:
        longer = None if self.longer is None else self.longer.rows(rows)
        return ScaledModel(self.config, self.inputs.rows(rows), self.prior, longer)

    @cached_property
    def newest(self) -> Outputs:
        """The prior's outputs of the newest sessions."""
        return newest_outputs(self.prior, self.inputs, window_of(self.config))

    def initial_state(self, seeds: Sequence[int], prior: State | None) -> ModelState:
        return ModelState(no_scales(len(seeds), self.config.horizons), tuple({} for _ in seeds))

    def train(self, state: ModelState, epochs: int, seeds: Sequence[int], prior: State | None) -> Trained:
        """Return the state after the target of each horizon that settled last; of a cold start, after all of its longer history.

        epochs: 0 = nothing is learned. drifted: factors that did worse than the prior alone on the newest targets.
        """
        before = state.learned
        assert isinstance(before, Scales)
        if not epochs:
            return Trained(_curves(0, len(seeds)), state, np.zeros(len(seeds), np.bool_))
        if self.longer is None:
            outputs, last = self.newest.newest(self.config.horizons + 1), self.inputs.sigma.shape[1] - 1
            counted = settled(outputs, last) & ~settled(outputs, last - 1)
        else:
            outputs, last = all_outputs(self.prior, self.longer, window_of(self.config)), self.longer.sigma.shape[1] - 1
            counted = settled(outputs, last)
        after = learned(before, outputs, counted)
        curves = _curves(1, len(seeds))
        loss = outputs.negative_log_likelihood(before.log_factors)
        curves.train_loss[0] = row_sums(np.where(counted, loss, 0.0)) / counted.sum()
        curves.gradient_norm[0] = np.sqrt(row_squares(after.log_factors))
        loss_of_prior, curves.validation_loss[0] = self._newest_losses(before)
        return Trained(curves, ModelState(after, state.figures), curves.validation_loss[0] - loss_of_prior > SCALE_DRIFT_NATS)

    def predict(self, state: ModelState) -> Prediction:
        assert isinstance(state.learned, Scales)
        return Prediction(forecast_with(state.learned, self.newest, self.inputs), baseline_of(self.inputs))

    def _newest_losses(self, scales: Scales) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (K,) each: the mean loss one session ahead on the newest targets, of the prior alone and with some scales."""
        newest = self.newest.newest(NEWEST_TARGETS + 1).next_session()
        factors = scales.log_factors[:, :1]
        alone, ours = (newest.negative_log_likelihood(each)[:, :-1] for each in (0 * factors, factors))
        count = alone.shape[1]
        return row_sums(np.ascontiguousarray(alone)) / count, row_sums(np.ascontiguousarray(ours)) / count


def window_of(config: Config) -> int:
    """Return the sessions that a prior reads: at least the newest targets, and those that a warm start learns from."""
    return max(config.window, BURN_IN + max(config.horizons, NEWEST_TARGETS) + 1)


def density_model(
    config: Config, inputs: Sequence[ModelInput], prior: State | None, longer: Sequence[ModelInput] | None
) -> NetworkModel | ScaledModel:
    """Return the density model of some inputs of equal length. longer: what a cold start of the same tickers learns from."""
    if prior is None or config.learns == "network":
        return NetworkModel(config, inputs_of(config, inputs))
    own = inputs_of(config, inputs, newest=window_of(config))
    return ScaledModel(config, own, prior, None if longer is None else inputs_of(config, longer))


def train_pooled(config: Config, inputs: Sequence[ModelInput], own: Sequence[bool], seed: int) -> tuple[Training, str]:
    """Return the training of one network on many inputs of any length, and the names of its features.

    own: which inputs the network is for; the others only help.
    """
    each = [inputs_of(config, [item]) for item in inputs]
    joint = pooled(each, min(config.prior_sessions, max(len(item.history) for item in inputs)))
    shape = network_shape(config, joint)
    objective = PooledDensityLoss(joint, shape, PRIOR_LAYOUT, PRIOR_SAMPLING, own=np.array(own), seed=seed)
    steps = min(config.prior_steps, _most_steps(sum(len(item.history) for item in inputs)))
    settings = TrainingSettings(steps, config.prior_learning_rate, optimizer="adamw", schedule="warm_up_cosine")
    return train(cold_state([seed], shape), objective, settings), ",".join(joint.names)


def _most_steps(sessions: int) -> int:
    """Return the most steps of a fit on histories of so many sessions together."""
    per_step = PRIOR_SAMPLING.windows * (PRIOR_LAYOUT.window - PRIOR_LAYOUT.burn_in)
    return max(FEWEST_STEPS, MOST_PASSES * sessions // per_step)


def inputs_of(config: Config, inputs: Sequence[ModelInput], *, newest: int | None = None) -> DensityInputs:
    """Return what networks read of some inputs of equal length: of the newest sessions, or of all (None)."""
    return density_inputs(stacked_measures(inputs), config.horizons, context=stacked_context(inputs), newest=newest)


def network_shape(config: Config, inputs: DensityInputs) -> NetworkShape:
    """Return the sizes of a config's network for some inputs."""
    return density_shape(inputs.features.shape[2], config.hidden, config.horizons, config.cell, config.layers)


def baseline_of(inputs: DensityInputs) -> ForecastDistribution:
    """Return the baseline's distributions, (K, horizons): a random walk with exponentially weighted volatility."""
    return ForecastDistribution(np.zeros_like(inputs.baseline_scale), inputs.baseline_scale, inputs.baseline_dof)


def _curves(epochs: int, tickers: int) -> Curves:
    """Return the curves of a training of some epochs, not yet filled in, in which nothing diverges."""
    counts = np.full(tickers, epochs, np.int64)
    losses = {name: np.zeros((epochs, tickers)) for name in ("train_loss", "validation_loss", "gradient_norm")}
    return Curves(**losses, epochs=counts, updates=counts, faults=("",) * tickers, learning_rates=(1.0,) * epochs)
