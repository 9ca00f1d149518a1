"""The point head: one number after the last session of a window, squared error. The article's network, made right.

There is no shortcut from input to output: what it forecasts has passed through the hidden state.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnn.losses import squared_error
from rnn.network import NetworkShape, Unroll, weights_of

Array = NDArray[np.floating]


class PointLoss:
    """Loss and gradient of a stack over minibatches of its windows. windows: (K, S, T, F). targets: (K, S, 1)."""

    def __init__(self, windows: Array, targets: Array, shape: NetworkShape) -> None:
        self.windows, self.targets, self.shape = windows, targets, shape
        self.unrolls: dict[int, Unroll] = {}

    def value_and_gradient(self, params: Array, gradient: Array, chosen: NDArray[np.intp]) -> Array:
        """Return the mean squared error (K,) of the chosen windows (K, B), its gradient put into gradient (K, P)."""
        weights, gradients = weights_of(params, self.shape), weights_of(gradient, self.shape)
        unroll = self._unroll(chosen.shape[1])
        rows = np.arange(len(params))[:, None]
        unroll.load(self.windows[rows, chosen])
        state = np.ascontiguousarray(unroll.forward(weights)[:, -1])
        guess = np.matmul(state, weights.output) + weights.output_bias
        loss, by_guess = squared_error(guess, self.targets[rows, chosen])
        by_guess /= by_guess.dtype.type(chosen.shape[1])
        np.matmul(state.swapaxes(1, 2), by_guess, out=gradients.output)
        np.matmul(np.ones_like(by_guess).swapaxes(1, 2), by_guess, out=gradients.output_bias)
        unroll.hidden_gradient[:, -1] = np.matmul(by_guess, np.ascontiguousarray(weights.output.swapaxes(1, 2)))
        unroll.backward(weights, gradients, first=unroll.sessions - 1)
        return np.array([row.ravel().mean() for row in loss], loss.dtype)

    def _unroll(self, batch: int) -> Unroll:
        if batch not in self.unrolls:
            k, _, t, _ = self.windows.shape
            self.unrolls[batch] = Unroll(k, batch, t, self.shape, self.windows.dtype)
        return self.unrolls[batch]


def point_forecasts(params: Array, windows: Array, shape: NetworkShape) -> Array:
    """Return (K, S) forecasts of the session after each window (K, S, T, F)."""
    k, s, t, _ = windows.shape
    weights = weights_of(params, shape)
    unroll = Unroll(k, s, t, shape, windows.dtype)
    unroll.load(windows)
    state = np.ascontiguousarray(unroll.forward(weights)[:, -1])
    guess: Array = (np.matmul(state, weights.output) + weights.output_bias)[..., 0]
    return guess
