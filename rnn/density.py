"""The density head: Student-t distributions at direct horizons, as a multiple of what the baseline says.

From the hidden state come, per horizon, a log multiplier of the scale and one of dof - 2; the location is one shrunk
constant per horizon. All start at zero, so an untrained network is the baseline. Called by training and forecasting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn.checks import refuse_unusable
from rnn.errors import InputError, ShapeError
from rnn.features import DensityInputs, unit_scale
from rnn.losses import student_t_nll
from rnn.network import Unroll
from rnn.params import NetworkShape, weights_of

Array = NDArray[np.floating]

# A multiplier stays within e^-2..e^2, by 2 tanh(x / 2).
BOUND = 2.0


@dataclass(frozen=True, slots=True)
class DensityLayout:
    """How a history is laid out and what holds its outputs back. Sessions are counted in bars.

    window: sessions of one unroll; the windows end at the last session. burn_in: sessions of a window that only warm the
    state. held_out: targets that end in the last so many sessions are validated on and never trained on.
    location_shrinkage, output_shrinkage: weights of the squared locations and output weights in the loss, half each: a few
    hundred targets cannot carry free ones. truncation: sessions that a gradient flows back, 0 = to the window's start.
    """

    window: int = 100
    burn_in: int = 20
    held_out: int = 21
    location_shrinkage: float = 10.0
    output_shrinkage: float = 0.3
    truncation: int = 0


def density_shape(features: int, hidden: int, horizons: int, cell: str = "elman", layers: int = 1) -> NetworkShape:
    """Return the sizes of a density network: two outputs a horizon, and one location a horizon."""
    return NetworkShape(features, hidden, 2 * horizons, extras=horizons, cell=cell, layers=layers)


class DensityLoss:
    """Loss and gradient of a stack over fixed inputs: windows laid back from the last session, one full batch.

    members: histories that one network learns from, consecutive rows of the inputs; more than one make a pooled prior.
    anchor: (K, P) params that locations and output weights are drawn towards; None = zero, which is the baseline.
    """

    def __init__(
        self,
        inputs: DensityInputs,
        shape: NetworkShape,
        layout: DensityLayout,
        members: int = 1,
        anchor: Array | None = None,
    ) -> None:
        rows, n, features = inputs.features.shape
        k, odd = divmod(rows, members)
        if odd or not k:
            raise ShapeError(f"{rows} histories are no whole groups of {members}")
        self.inputs, self.shape, self.layout, self.members = inputs, shape, layout, members
        self.anchor = np.zeros((k, shape.size), inputs.features.dtype) if anchor is None else anchor
        self.horizons = inputs.targets.shape[2]
        _refuse_misfit(inputs, shape, layout)
        self.windows = (n - layout.burn_in) // layout.window
        first = n - self.windows * layout.window
        dtype = inputs.features.dtype
        self.unroll = Unroll(k, members * self.windows, layout.window, shape, dtype)
        self.unroll.load(inputs.features[:, first:].reshape(k, members * self.windows, layout.window, features))
        self.targets = self._by_session(inputs.targets[:, first:])
        self.unit_ratio = self._by_session(inputs.unit_ratio[:, first:, None])
        self.excess = self._by_history((inputs.baseline_dof - 2).astype(dtype))
        self.log_unit = self._by_history(np.log(unit_scale(inputs.baseline_dof)).astype(dtype))
        self.train, self.held_out = self._weights(first)
        self.targets_trained = int(np.count_nonzero(self.train))
        self.validation: Array = np.full(k, np.nan, dtype)

    def rows(self, chosen: NDArray[np.intp]) -> DensityLoss:
        """Return the loss of some networks."""
        rows = (chosen[:, None] * self.members + np.arange(self.members)).ravel()
        return DensityLoss(self.inputs.rows(rows), self.shape, self.layout, self.members, self.anchor[chosen])

    def gradients(self, params: Array, gradient: Array) -> Iterator[tuple[Array, float]]:
        """Yield the one batch of an epoch: see SupervisedLoss.gradients."""
        yield self.value_and_gradient(params, gradient), 1.0

    def value_and_gradient(self, params: Array, gradient: Array) -> Array:
        """Return the train loss (K,), its gradient put into gradient (K, P); `validation` is of the same params.

        Each is a mean over its targets; a network's validation loss is NaN where none is held out.
        """
        weights, gradients = weights_of(params, self.shape), weights_of(gradient, self.shape)
        first, kind = self.layout.burn_in, params.dtype.type
        self.unroll.forward(weights)
        rows = self.unroll.hidden(first)
        squashed = np.matmul(rows, weights.output)
        squashed += weights.output_bias
        squashed *= kind(1 / BOUND)
        np.tanh(squashed, out=squashed)
        nll, by_location, by_rows = self._nll(squashed, weights.extras)
        np.multiply(squashed, squashed, out=squashed)
        np.subtract(1, squashed, out=squashed)
        by_rows *= squashed
        location_decay, output_decay = kind(self.layout.location_shrinkage), kind(self.layout.output_shrinkage)
        anchor = weights_of(self.anchor, self.shape)
        off_output, off_location = weights.output - anchor.output, weights.extras - anchor.extras
        np.matmul(rows.swapaxes(1, 2), by_rows, out=gradients.output)
        np.add(gradients.output, output_decay * off_output, out=gradients.output)
        ones = np.ones((1, rows.shape[1]), params.dtype)
        np.matmul(ones, by_rows, out=gradients.output_bias)
        gradients.extras[...] = np.matmul(ones, by_location)[:, 0] + location_decay * off_location
        np.matmul(by_rows, np.ascontiguousarray(weights.output.swapaxes(1, 2)), out=self.unroll.by_hidden(first))
        self.unroll.backward(gradients, first=first, truncation=self.layout.truncation)
        self.validation = _weighted(nll, self.held_out)
        penalty = location_decay * _squares(off_location) + output_decay * _squares(off_output)
        return _weighted(nll, self.train) + kind(0.5) * penalty

    def baseline_validation(self) -> Array:
        """Return the baseline's loss (K,) on the targets that are held out, NaN where none is."""
        nll, _, _, _ = student_t_nll(self.targets, np.broadcast_to(self.log_unit, self.targets.shape), self.excess + 2)
        return _weighted(nll, self.held_out)

    def _nll(self, squashed: Array, location: Array) -> tuple[Array, Array, Array]:
        """Return the loss of each target, and the train loss's gradients by location and by squashed outputs x BOUND."""
        h = self.horizons
        outputs = squashed * squashed.dtype.type(BOUND)
        excess = np.exp(outputs[..., h:])
        excess *= self.excess
        error = self.targets - location[:, None] * self.unit_ratio
        nll, by_error, by_log_scale, by_dof = student_t_nll(error, self.log_unit + outputs[..., :h], excess + 2)
        by_dof *= excess
        np.multiply(by_log_scale, self.train, out=outputs[..., :h])
        np.multiply(by_dof, self.train, out=outputs[..., h:])
        by_error *= self.train
        by_error *= -self.unit_ratio
        return nll, by_error, outputs

    def _by_session(self, values: Array) -> Array:
        """Return (K, T B, X) from (K members, B T / members, X), without the burn-in, in the order of the hidden states."""
        rows, _, x = values.shape
        k, windows = rows // self.members, self.members * self.windows
        parts = values.reshape(k, windows, self.layout.window, x).swapaxes(1, 2)[:, self.layout.burn_in :]
        return np.ascontiguousarray(parts).reshape(k, -1, x)

    def _by_history(self, values: Array) -> Array:
        """Return what is one figure a history (K members, X) as (K, T B, X), or (K, 1, X) where a network has one history."""
        if self.members == 1:
            return values[:, None]
        sessions = self.windows * self.layout.window
        return self._by_session(np.broadcast_to(values[:, None], (len(values), sessions, values.shape[1])))

    def _weights(self, first: int) -> tuple[Array, Array]:
        """Return (K, T B, H) weights of the targets to train on and of those held out; each network's sum to one or none."""
        rows, n, _ = self.inputs.features.shape
        start = np.zeros(rows, np.int64) if self.inputs.starts is None else self.inputs.starts
        session = self._by_session(np.tile(np.arange(first, n, dtype=np.float64)[None, :, None], (rows, 1, 1)))
        end = session + np.arange(1, self.horizons + 1)
        begun = session >= self._by_history(start[:, None].astype(np.float64))
        train = begun & (end < n - self.layout.held_out)
        held_out = begun & (end < n) & ~train
        dtype = self.inputs.features.dtype
        return _shares(train, dtype), _shares(held_out, dtype)


class PooledDensityLoss:
    """Loss and gradient of one network over many histories, a part of them at a time: one full batch, in less memory."""

    def __init__(self, inputs: DensityInputs, shape: NetworkShape, layout: DensityLayout, part: int) -> None:
        count = len(inputs.features)
        rows = [np.arange(first, min(first + part, count)) for first in range(0, count, part)]
        self.parts = [DensityLoss(inputs.rows(chosen), shape, layout, members=len(chosen)) for chosen in rows]
        targets = np.array([each.targets_trained for each in self.parts], np.float64)
        self.shares = (targets / max(targets.sum(), 1)).astype(inputs.features.dtype)
        self.validation: Array = np.full(1, np.nan, inputs.features.dtype)

    def rows(self, chosen: NDArray[np.intp]) -> PooledDensityLoss:
        """Return itself: it has one network, which is asked for as long as it trains."""
        return self

    def gradients(self, params: Array, gradient: Array) -> Iterator[tuple[Array, float]]:
        """Yield the one batch of an epoch: see SupervisedLoss.gradients."""
        part_of_it, value = np.empty_like(gradient), np.zeros(1, params.dtype)
        gradient[...] = 0
        for share, each in zip(self.shares, self.parts, strict=True):
            value += share * each.value_and_gradient(params, part_of_it)
            part_of_it *= share
            gradient += part_of_it
        yield value, 1.0


def density_at_origin(
    params: Array, inputs: DensityInputs, shape: NetworkShape, window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return location, scale and dof (K, H) at the last session, the state warmed over the last `window` sessions."""
    k, _, _ = inputs.features.shape
    horizons = inputs.targets.shape[2]
    weights = weights_of(params, shape)
    unroll = Unroll(k, 1, window, shape, inputs.features.dtype)
    unroll.load(inputs.features[:, None, -window:])
    unroll.forward(weights)
    state = unroll.hidden(window - 1)
    output = (np.matmul(state, weights.output) + weights.output_bias)[:, 0]
    squashed = (BOUND * np.tanh(output * (1 / BOUND))).astype(np.float64)
    dof = 2 + (inputs.baseline_dof - 2) * np.exp(squashed[:, horizons:])
    # The multiplier is of the scale itself: a heavier tail then widens the outer quantiles alone.
    scale = inputs.baseline_scale * np.exp(squashed[:, :horizons])
    rms = inputs.unit_ratio[:, -1:].astype(np.float64) * inputs.sigma[:, -1:]
    location = weights.extras.astype(np.float64) * rms * np.sqrt(np.arange(1, horizons + 1))
    return location, scale, dof


def _refuse_misfit(inputs: DensityInputs, shape: NetworkShape, layout: DensityLayout) -> None:
    _, n, features = inputs.features.shape
    horizons = inputs.targets.shape[2]
    if (shape.features, shape.outputs, shape.extras) != (features, 2 * horizons, horizons):
        raise ShapeError(f"{shape} does not fit {features} features and {horizons} horizons")
    if n < layout.window + layout.burn_in or not 0 <= layout.burn_in < layout.window:
        raise InputError(f"{n} sessions: a window of {layout.window} after {layout.burn_in} more are needed")
    refuse_unusable(features=inputs.features, targets=inputs.targets, unit_ratio=inputs.unit_ratio)


def _shares(chosen: NDArray[np.bool_], dtype: np.dtype[np.floating]) -> Array:
    count = np.maximum(chosen.sum(axis=(1, 2), keepdims=True), 1)
    shares: Array = (chosen / count).astype(dtype)
    return shares


def _weighted(values: Array, weights: Array) -> Array:
    """Return (K,) weighted sums, NaN where no weight is. Row by row, in one order whatever K is."""
    product = values * weights
    sums = np.array([row.ravel().sum() for row in product], values.dtype)
    sums[[not row.any() for row in weights]] = np.nan
    return sums


def _squares(values: Array) -> Array:
    rows = values.reshape(len(values), 1, -1)
    squares: Array = np.matmul(rows, rows.swapaxes(1, 2))[:, 0, 0]
    return squares
