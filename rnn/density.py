"""The density head: Student-t distributions at direct horizons, as a multiple of what the baseline says.

From the hidden state come, per horizon, a log multiplier of the scale and one of dof - 2; the location is one shrunk
constant per horizon. All start at zero, so an untrained network is the baseline. Called by training and forecasting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn.features import DensityInputs, unit_scale
from rnn.losses import student_t_nll
from rnn.network import NetworkShape, Unroll, Weights, weights_of

Array = NDArray[np.floating]

# A multiplier stays within e^-2..e^2, by 2 tanh(x / 2).
BOUND = 2.0


@dataclass(frozen=True, slots=True)
class DensityTraining:
    """How a density network is trained. Sessions are counted in bars.

    burn_in: sessions of a window that only warm the state. held_out: targets that end in the last so many sessions are
    validated on and never trained on. location_shrinkage, output_shrinkage: weights of the squared locations and output
    weights in the loss, half each: a few hundred targets cannot carry free ones.
    """

    window: int = 100
    burn_in: int = 20
    held_out: int = 21
    learning_rate: float = 0.003
    clip_norm: float = 1.0
    location_shrinkage: float = 10.0
    output_shrinkage: float = 0.3


def density_shape(features: int, hidden: int, horizons: int) -> NetworkShape:
    """Return the sizes of a density network: two outputs a horizon, and one location a horizon."""
    return NetworkShape(features, hidden, 2 * horizons, extras=horizons)


class DensityLoss:
    """Loss and gradient of a stack over fixed inputs: windows laid back from the last session, one full batch."""

    def __init__(self, inputs: DensityInputs, hidden: int, settings: DensityTraining) -> None:
        k, n, features = inputs.features.shape
        self.horizons = inputs.targets.shape[2]
        self.shape = density_shape(features, hidden, self.horizons)
        self.settings = settings
        window = settings.window
        self.windows = (n - 20) // window
        first = n - self.windows * window
        dtype = inputs.features.dtype
        self.unroll = Unroll(k, self.windows, window, self.shape, dtype)
        self.unroll.load(inputs.features[:, first:].reshape(k, self.windows, window, features))
        self.targets = self._by_session(inputs.targets[:, first:])
        self.unit_ratio = self._by_session(inputs.unit_ratio[:, first:, None])
        self.dof = inputs.baseline_dof.astype(dtype)[:, None, None]
        self.log_unit = np.log(unit_scale(inputs.baseline_dof)).astype(dtype)[:, None, None]
        self.train, self.held_out = self._weights(n, first, dtype)

    def value_and_gradient(self, params: Array, gradient: Array) -> tuple[Array, Array]:
        """Return train and validation loss (K,) and put the gradient of the first into gradient (K, P).

        Each is a mean over its targets; the validation loss is NaN where none is held out.
        """
        weights, gradients = weights_of(params, self.shape), weights_of(gradient, self.shape)
        hidden = self.unroll.forward(weights)[:, self.settings.burn_in :]
        k, t, b, h = hidden.shape
        rows = np.ascontiguousarray(hidden).reshape(k, t * b, h)
        squashed = np.tanh((np.matmul(rows, weights.output) + weights.output_bias) * (1 / BOUND))
        nll, by_location, by_output = self._nll(squashed.reshape(k, t, b, -1), weights.extras)
        by_rows = by_output.reshape(k, t * b, -1) * (1 - squashed * squashed)
        np.matmul(rows.swapaxes(1, 2), by_rows, out=gradients.output)
        decay = by_rows.dtype.type(self.settings.output_shrinkage)
        np.add(gradients.output, decay * weights.output, out=gradients.output)
        np.matmul(_ones(by_rows), by_rows, out=gradients.output_bias)
        shrinkage = by_rows.dtype.type(self.settings.location_shrinkage)
        flat = by_location.reshape(k, t * b, -1)
        gradients.extras[...] = np.matmul(_ones(flat), flat)[:, 0] + shrinkage * weights.extras
        back = np.matmul(by_rows, np.ascontiguousarray(weights.output.swapaxes(1, 2)))
        self.unroll.hidden_gradient[:, self.settings.burn_in :] = back.reshape(k, t, b, h)
        self.unroll.backward(weights, gradients, first=self.settings.burn_in)
        penalty = 0.5 * shrinkage * _row_sums(weights.extras**2) + 0.5 * decay * _row_sums(weights.output**2)
        return _row_sums(nll * self.train) + penalty, self._validation(nll)

    def _nll(self, squashed: Array, location: Array) -> tuple[Array, Array, Array]:
        """Return the loss of each target, and the train loss's gradients by location and by squashed outputs x BOUND."""
        h = self.horizons
        delta, epsilon = squashed[..., :h] * BOUND, squashed[..., h:] * BOUND
        excess = (self.dof - 2) * np.exp(epsilon)
        error = self.targets - location[:, None, None] * self.unit_ratio
        nll, by_error, by_log_scale, by_dof = student_t_nll(error, self.log_unit + delta, excess + 2)
        by_output = np.concatenate([by_log_scale * self.train, by_dof * excess * self.train], axis=-1)
        return nll, -by_error * self.unit_ratio * self.train, by_output

    def _validation(self, nll: Array) -> Array:
        if not self.held_out.any():
            return np.full(len(nll), np.nan, nll.dtype)
        return _row_sums(nll * self.held_out)

    def _by_session(self, values: Array) -> Array:
        """Return (K, T, B, X) from (K, B T, X), without the burn-in, in the order of the hidden states."""
        k, _, x = values.shape
        parts = values.reshape(k, self.windows, self.settings.window, x).swapaxes(1, 2)
        return np.ascontiguousarray(parts[:, self.settings.burn_in :])

    def _weights(self, n: int, first: int, dtype: np.dtype[np.floating]) -> tuple[Array, Array]:
        """Return (1, T, B, H) weights of the targets to train on and of those held out; each sums to one."""
        session = np.arange(first, n, dtype=np.float64)[None, :, None]
        end = self._by_session(session) + np.arange(1, self.horizons + 1)
        known, train = end < n, end < n - self.settings.held_out
        held_out = known & ~train
        return (train / max(train.sum(), 1)).astype(dtype), (held_out / max(held_out.sum(), 1)).astype(dtype)


def density_at_origin(
    params: Array, inputs: DensityInputs, hidden: int, window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return location, scale and dof (K, H) at the last session, the state warmed over the last `window` sessions."""
    k, _, features = inputs.features.shape
    horizons = inputs.targets.shape[2]
    shape = density_shape(features, hidden, horizons)
    weights: Weights = weights_of(params, shape)
    unroll = Unroll(k, 1, window, shape, inputs.features.dtype)
    unroll.load(inputs.features[:, None, -window:])
    state = np.ascontiguousarray(unroll.forward(weights)[:, -1])
    output = (np.matmul(state, weights.output) + weights.output_bias)[:, 0]
    squashed = (BOUND * np.tanh(output * (1 / BOUND))).astype(np.float64)
    dof = 2 + (inputs.baseline_dof - 2) * np.exp(squashed[:, horizons:])
    # The multiplier is of the scale itself: a heavier tail then widens the outer quantiles alone.
    scale = inputs.baseline_scale * np.exp(squashed[:, :horizons])
    rms = inputs.unit_ratio[:, -1:].astype(np.float64) * inputs.sigma[:, -1:]
    location = weights.extras.astype(np.float64) * rms * np.sqrt(np.arange(1, horizons + 1))
    return location, scale, dof


def _ones(rows: Array) -> Array:
    return np.ones((len(rows), 1, rows.shape[1]), rows.dtype)


def _row_sums(values: Array) -> Array:
    # Row by row, in one order whatever K is.
    return np.array([row.ravel().sum() for row in values], values.dtype)
