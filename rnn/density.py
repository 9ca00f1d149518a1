"""The density head: a Student-t distribution of the return at each horizon, as a multiple of the baseline's.

For each horizon the readout gives two outputs, which set the factors on the baseline's scale and on its dof - 2. The
location is one constant per horizon, a param of the head. All start at zero, so an untrained network is the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.errors import InputError, ShapeError
from tickercast.rnn.features import DensityInputs, unit_scale
from tickercast.rnn.losses import student_t_nll
from tickercast.rnn.network import Unroll
from tickercast.rnn.params import NetworkShape, Weights, require_finite, row_squares, row_sums, weights_of
from tickercast.rnn.readout import readout, readout_backward
from tickercast.rnn.state import State
from tickercast.rnn.training import Batch

Array = NDArray[np.floating]
Floats = NDArray[np.float64]

# An output o acts as 2 tanh(o / 2), so that the factor it sets, e^(2 tanh(o / 2)), stays within e^-2..e^2.
BOUND = 2.0


@dataclass(frozen=True, slots=True)
class DensityLayout:
    """How a history is cut into windows, and what holds the params back. Sessions are counted in bars.

    window: sessions of one unroll; the last window ends at the last session. burn_in: sessions at the start of a window
    whose outputs do not count, while the hidden state warms up. held_out: targets that end in the last so many sessions are
    for validation and not trained on. location_shrinkage, output_shrinkage: weights of the squared locations and output
    weights in the loss, half each, because a few hundred targets cannot carry free ones. truncation: see Cell.backward.
    """

    window: int = 100
    burn_in: int = 20
    held_out: int = 21
    location_shrinkage: float = 10.0
    output_shrinkage: float = 0.3
    truncation: int = 0


@dataclass(frozen=True, slots=True)
class ForecastDistribution:
    """Student-t distributions of the natural-log return from the origin to each horizon, (K, horizons) each."""

    location: Floats
    scale: Floats
    dof: Floats


def density_shape(features: int, hidden: int, horizons: int, cell: str = "elman", layers: int = 1) -> NetworkShape:
    """Return the sizes of a density network: two outputs and one location per horizon."""
    return NetworkShape(features, hidden, 2 * horizons, head_params=horizons, cell=cell, layers=layers)


def forecast_density(state: State, inputs: DensityInputs, window: int) -> ForecastDistribution:
    """Return the distributions at the inputs' last session. window: sessions that the hidden state is warmed up over."""
    horizons = inputs.targets.shape[2]
    weights = weights_of(state.params, state.shape)
    unroll = Unroll(len(inputs.features), 1, window, state.shape, inputs.features.dtype)
    unroll.load(inputs.features[:, None, -window:])  # (K, n, F) -> (K, 1, window, F)
    unroll.forward(weights)
    outputs = readout(unroll.hidden(window - 1), weights)[:, 0]  # (K, 1, O) -> (K, O)
    bounded = (BOUND * np.tanh(outputs * (1 / BOUND))).astype(np.float64)
    dof = 2 + (inputs.baseline_dof - 2) * np.exp(bounded[:, horizons:])
    # The factor is one of the scale and not of the standard deviation: a heavier tail widens the outer quantiles alone.
    scale = inputs.baseline_scale * np.exp(bounded[:, :horizons])
    slow_volatility = inputs.unit_ratio[:, -1:].astype(np.float64) * inputs.sigma[:, -1:]
    location = weights.head_params.astype(np.float64) * slow_volatility * np.sqrt(np.arange(1, horizons + 1))
    return ForecastDistribution(location, scale, dof)


class DensityLoss:
    """The loss of a stack over fixed inputs, and its gradient. One batch of all windows per epoch.

    members: how many histories one network learns from, consecutive rows of the inputs; more than one make a pooled prior.
    anchor: (K, P) params towards which locations and output weights shrink; None = zero, which is the baseline.
    validation: (K,), the loss on the held-out targets at the params of the newest loss_and_gradient; NaN where there are none.
    """

    def __init__(
        self,
        inputs: DensityInputs,
        shape: NetworkShape,
        layout: DensityLayout,
        members: int = 1,
        anchor: Array | None = None,
    ) -> None:
        histories, n, features = inputs.features.shape
        k, rest = divmod(histories, members)
        if rest or not k:
            raise ShapeError(f"{histories} histories are no whole groups of {members}")
        _refuse_misfit(inputs, shape, layout)
        dtype = inputs.features.dtype
        self.inputs, self.shape, self.layout, self.members = inputs, shape, layout, members
        self.anchor = np.zeros((k, shape.size), dtype) if anchor is None else anchor
        self.horizons = inputs.targets.shape[2]
        windows = max(1, (n - layout.burn_in) // layout.window)
        first = n - windows * layout.window
        self.order = _RowOrder(k, members, windows, layout.window, layout.burn_in)
        self.unroll = Unroll(k, members * windows, layout.window, shape, dtype)
        self.unroll.load(inputs.features[:, first:].reshape(k, members * windows, layout.window, features))
        self.targets = self.order.of_sessions(inputs.targets[:, first:])
        self.unit_ratio = self.order.of_sessions(inputs.unit_ratio[:, first:, None])
        self.baseline_excess_dof = self.order.of_histories((inputs.baseline_dof - 2).astype(dtype))
        self.baseline_log_scale = self.order.of_histories(np.log(unit_scale(inputs.baseline_dof)).astype(dtype))
        self.train_weights, self.validation_weights = _target_weights(inputs, layout, self.order, first)
        self.trained_targets = int(np.count_nonzero(self.train_weights))
        self.validation: Array = np.full(k, np.nan, dtype)

    def rows(self, chosen: NDArray[np.intp]) -> DensityLoss:
        """Return the loss of some networks."""
        histories = (chosen[:, None] * self.members + np.arange(self.members)).ravel()
        return DensityLoss(self.inputs.rows(histories), self.shape, self.layout, self.members, self.anchor[chosen])

    def batches(self) -> list[Batch]:
        """Return the one batch of an epoch."""
        return [Batch(self.loss_and_gradient, share=1.0)]

    def loss_and_gradient(self, params: Array, gradient: Array) -> Array:
        """Return the train loss (K,), a mean over targets plus the shrinkage; put its gradient into gradient (K, P)."""
        weights, gradients = weights_of(params, self.shape), weights_of(gradient, self.shape)
        burn_in = self.layout.burn_in
        self.unroll.forward(weights)
        hidden = self.unroll.hidden(burn_in)  # (K, n, H), n = (T - burn_in) B
        tanh = readout(hidden, weights)  # the outputs o, (K, n, 2 horizons)
        tanh *= params.dtype.type(1 / BOUND)
        np.tanh(tanh, out=tanh)  # tanh(o / 2)
        nll, d_location, d_outputs = self._likelihood(tanh, weights.head_params)
        np.multiply(tanh, tanh, out=tanh)
        np.subtract(1, tanh, out=tanh)  # 1 - tanh(o / 2)^2, the derivative of 2 tanh(o / 2) by o
        d_outputs *= tanh
        readout_backward(hidden, d_outputs, weights, gradients, self.unroll.d_hidden(burn_in))
        gradients.head_params[...] = _sum_over_rows(d_location)
        shrinkage = self._shrink(weights, gradients)
        self.unroll.backward(gradients, first=burn_in, truncation=self.layout.truncation)
        self.validation = _weighted_sums(nll, self.validation_weights)
        return _weighted_sums(nll, self.train_weights) + shrinkage

    def baseline_validation(self) -> Array:
        """Return the baseline's loss (K,) on the held-out targets, NaN where there are none."""
        log_scale = np.broadcast_to(self.baseline_log_scale, self.targets.shape)
        nll, _, _, _ = student_t_nll(self.targets, log_scale, self.baseline_excess_dof + 2)
        return _weighted_sums(nll, self.validation_weights)

    def _likelihood(self, tanh: Array, location: Array) -> tuple[Array, Array, Array]:
        """Return each target's loss, and the train loss's derivatives by location and by the bounded outputs 2 tanh(o / 2)."""
        h = self.horizons
        d_bounded = tanh * tanh.dtype.type(BOUND)  # holds the bounded outputs until their derivatives replace them
        log_factor, log_dof_factor = d_bounded[..., :h], d_bounded[..., h:]
        excess_dof = np.exp(log_dof_factor)
        excess_dof *= self.baseline_excess_dof
        error = self.targets - location[:, None] * self.unit_ratio
        nll, d_error, d_log_scale, d_dof = student_t_nll(error, self.baseline_log_scale + log_factor, excess_dof + 2)
        d_dof *= excess_dof  # by log(dof - 2)
        np.multiply(d_log_scale, self.train_weights, out=log_factor)
        np.multiply(d_dof, self.train_weights, out=log_dof_factor)
        d_error *= self.train_weights
        d_error *= -self.unit_ratio  # by location
        return nll, d_error, d_bounded

    def _shrink(self, weights: Weights, gradients: Weights) -> Array:
        """Return the penalty (K,) on the distance from the anchor, and add its gradient."""
        kind = weights.output.dtype.type
        on_location, on_output = kind(self.layout.location_shrinkage), kind(self.layout.output_shrinkage)
        anchor = weights_of(self.anchor, self.shape)
        output_distance, location_distance = weights.output - anchor.output, weights.head_params - anchor.head_params
        np.add(gradients.output, on_output * output_distance, out=gradients.output)
        np.add(gradients.head_params, on_location * location_distance, out=gradients.head_params)
        penalty: Array = kind(0.5) * (on_location * row_squares(location_distance) + on_output * row_squares(output_distance))
        return penalty


@dataclass(frozen=True, slots=True)
class _RowOrder:
    """Brings values of histories into the order of Unroll.hidden(burn_in), (K, (T - burn_in) B, X).

    There, all B = members x windows windows of a session come before those of the next.
    """

    networks: int
    members: int
    windows: int
    window: int
    burn_in: int

    def of_sessions(self, values: Array) -> Array:
        """Return values of each session, (K members, windows T, X), in row order."""
        by_window = values.reshape(self.networks, self.members * self.windows, self.window, -1)  # (K, B, T, X)
        by_session = by_window.swapaxes(1, 2)[:, self.burn_in :]  # (K, T - burn_in, B, X)
        return np.ascontiguousarray(by_session).reshape(self.networks, -1, values.shape[2])

    def of_histories(self, values: Array) -> Array:
        """Return values of each history, (K members, X), in row order; (K, 1, X) if a network has one history."""
        if self.members == 1:
            return values[:, None]
        sessions = self.windows * self.window
        return self.of_sessions(np.broadcast_to(values[:, None], (len(values), sessions, values.shape[1])))


def _refuse_misfit(inputs: DensityInputs, shape: NetworkShape, layout: DensityLayout) -> None:
    _, n, features = inputs.features.shape
    horizons = inputs.targets.shape[2]
    if (shape.features, shape.outputs, shape.head_params) != (features, 2 * horizons, horizons):
        raise ShapeError(f"{shape} does not fit {features} features and {horizons} horizons")
    if n < layout.window or not 0 <= layout.burn_in < layout.window:
        raise InputError(f"{n} sessions: at least a window of {layout.window} is needed, longer than {layout.burn_in} of burn-in")
    require_finite(features=inputs.features, targets=inputs.targets, unit_ratio=inputs.unit_ratio)


def _target_weights(inputs: DensityInputs, layout: DensityLayout, order: _RowOrder, first: int) -> tuple[Array, Array]:
    """Return the weights (K, n, horizons), in row order, of the targets to train on and of those held out.

    Each network's sum to one, or are all zero. Both leave out targets that end after the last session. first: the session
    at which the windows begin.
    """
    histories, n, _ = inputs.features.shape
    horizons = inputs.targets.shape[2]
    starts = np.zeros(histories, np.int64) if inputs.starts is None else inputs.starts
    session = order.of_sessions(np.tile(np.arange(first, n, dtype=np.float64)[None, :, None], (histories, 1, 1)))
    end = session + np.arange(1, horizons + 1)
    begun = session >= order.of_histories(starts[:, None].astype(np.float64))
    train = begun & (end < n - layout.held_out)
    held_out = begun & (end < n) & ~train
    return _equal_weights(train, inputs.features.dtype), _equal_weights(held_out, inputs.features.dtype)


def _sum_over_rows(values: Array) -> Array:
    """Return (K, X) sums over the n rows of values (K, n, X), by one product per network."""
    sums: Array = np.matmul(np.ones((1, values.shape[1]), values.dtype), values)[:, 0]
    return sums


def _equal_weights(chosen: NDArray[np.bool_], dtype: np.dtype[np.floating]) -> Array:
    count = np.maximum(chosen.sum(axis=(1, 2), keepdims=True), 1)
    weights: Array = (chosen / count).astype(dtype)
    return weights


def _weighted_sums(values: Array, weights: Array) -> Array:
    """Return weighted sums (K,), NaN for a network whose weights are all zero."""
    sums = row_sums(values * weights)
    sums[[not row.any() for row in weights]] = np.nan
    return sums
