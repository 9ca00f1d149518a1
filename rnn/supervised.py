"""The point head: squared error of the outputs at the last session of a window, as in the article.

No shortcut leads from input to output: all that an output depends on has passed through the hidden state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.errors import InputError, ShapeError
from tickercast.rnn.losses import squared_error
from tickercast.rnn.network import Unroll
from tickercast.rnn.params import ORDER_STREAM, NetworkShape, Weights, require_finite, weights_of
from tickercast.rnn.readout import readout, readout_backward
from tickercast.rnn.state import State
from tickercast.rnn.training import Batch

Array = NDArray[np.floating]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Windows:
    """What K networks learn from, S windows each. inputs: (K, S, T, F). targets: (K, S, O), of the last session."""

    inputs: Array
    targets: Array

    def __post_init__(self) -> None:
        k, s, _, _ = _four_axes(self.inputs, "inputs")
        if min(k, s) < 1:
            raise InputError(f"inputs of shape {self.inputs.shape}: {k} networks of {s} windows")
        if self.targets.ndim != 3 or self.targets.shape[:2] != (k, s):
            raise ShapeError(f"targets of shape {self.targets.shape} do not fit inputs of shape {self.inputs.shape}")
        require_finite(inputs=self.inputs, targets=self.targets)

    def rows(self, chosen: Indices) -> Windows:
        """Return the windows of some networks, a copy."""
        return Windows(self.inputs[chosen], self.targets[chosen])


def forecast_point(state: State, windows: Array, steps: int = 1) -> Array:
    """Return forecasts (K, S, steps) of the sessions after each window (K, S, T, 1), in the windows' unit.

    Each forecast is the last input of the next step. Raises ShapeError for networks of several inputs or outputs.
    """
    shape = state.shape
    if (shape.features, shape.outputs) != (1, 1) or steps < 1:
        raise ShapeError(f"{steps} steps of {shape.features} inputs and {shape.outputs} outputs: one of each can be fed back")
    path = np.empty((*windows.shape[:2], steps), windows.dtype)
    for step in range(steps):
        path[..., step] = outputs_after(state, windows)[..., 0]
        windows = np.concatenate([windows[:, :, 1:], path[..., step, None, None]], axis=2)
    return path


def outputs_after(state: State, windows: Array) -> Array:
    """Return the outputs (K, S, O) after each window (K, S, T, F)."""
    k, s, t, _ = _four_axes(windows, "windows")
    require_finite(windows=windows)
    weights = weights_of(state.params, state.shape)
    unroll = Unroll(k, s, t, state.shape, windows.dtype)
    unroll.load(windows)
    unroll.forward(weights)
    return readout(unroll.hidden(t - 1), weights)


class SupervisedLoss:
    """The mean squared error of a stack over minibatches of its windows, and its gradient.

    batch: windows per optimizer step. Each network's order of windows is drawn from its own seed. truncation: see
    Cell.backward. validation: (K,), all NaN, because no windows are held out.
    """

    def __init__(self, windows: Windows, shape: NetworkShape, seeds: Sequence[int], *, batch: int, truncation: int = 0) -> None:
        if windows.targets.shape[2] != shape.outputs:
            raise ShapeError(f"{shape.outputs} outputs do not fit {windows.targets.shape[2]} targets")
        self.windows, self.shape, self.batch, self.truncation = windows, shape, batch, truncation
        self.rngs = [np.random.default_rng([seed, ORDER_STREAM]) for seed in seeds]
        self.validation: Array = np.full(len(windows.inputs), np.nan, windows.inputs.dtype)
        self.buffers: dict[int, _Buffers] = {}

    def rows(self, chosen: Indices) -> SupervisedLoss:
        """Return the loss of some networks; their random orders continue."""
        some = SupervisedLoss(self.windows.rows(chosen), self.shape, (), batch=self.batch, truncation=self.truncation)
        some.rngs = [self.rngs[k] for k in chosen]
        return some

    def batches(self) -> list[Batch]:
        """Return the batches of one epoch, which visits every window once."""
        k, s = self.windows.inputs.shape[:2]
        if self.batch >= s:  # one batch needs no order, and its windows stay loaded
            return [self._batch(np.broadcast_to(np.arange(s), (k, s)), s)]
        order = np.stack([rng.permutation(s) for rng in self.rngs])
        return [self._batch(order[:, first : first + self.batch], s) for first in range(0, s, self.batch)]

    def loss_and_gradient(self, params: Array, gradient: Array, chosen: Indices) -> Array:
        """Return the loss (K,) of the chosen windows (K, B); put its gradient into gradient (K, P)."""
        weights, gradients = weights_of(params, self.shape), weights_of(gradient, self.shape)
        size = chosen.shape[1]
        if size not in self.buffers:
            self.buffers[size] = _Buffers(self.windows, self.shape, size)
        return self.buffers[size].loss_and_gradient(weights, gradients, chosen, self.truncation)

    def _batch(self, chosen: Indices, windows: int) -> Batch:
        return Batch(partial(self.loss_and_gradient, chosen=chosen), share=chosen.shape[1] / windows)


class _Buffers:
    """The memory of one batch size: the chosen windows, the unrolled network and its outputs."""

    def __init__(self, windows: Windows, shape: NetworkShape, batch: int) -> None:
        k, _, t, f = windows.inputs.shape
        dtype = windows.inputs.dtype
        self.windows = windows
        self.inputs = np.empty((k, batch, t, f), dtype)
        self.targets = np.empty((k, batch, shape.outputs), dtype)
        self.outputs = np.empty((k, batch, shape.outputs), dtype)
        self.chosen: Indices = np.empty((0, 0), np.intp)
        self.unroll = Unroll(k, batch, t, shape, dtype)
        self.last = t - 1
        self.hidden, self.d_hidden = self.unroll.hidden(self.last), self.unroll.d_hidden(self.last)

    def loss_and_gradient(self, weights: Weights, gradients: Weights, chosen: Indices, truncation: int) -> Array:
        """Return the loss (K,) of the chosen windows (K, B) and put its gradient into gradients."""
        if not np.array_equal(chosen, self.chosen):
            self._load(chosen)
        self.unroll.forward(weights)
        readout(self.hidden, weights, out=self.outputs)
        loss = squared_error(self.outputs, self.targets)  # outputs now hold dL/d(outputs)
        readout_backward(self.hidden, self.outputs, weights, gradients, self.d_hidden)
        self.unroll.backward(gradients, first=self.last, truncation=truncation)
        return loss

    def _load(self, chosen: Indices) -> None:
        k, s, t, f = self.windows.inputs.shape
        rows = (chosen + np.arange(k)[:, None] * s).ravel()  # of all networks' windows below each other, (K S, ...)
        np.take(self.windows.inputs.reshape(k * s, t, f), rows, axis=0, out=self.inputs.reshape(-1, t, f), mode="clip")
        np.take(self.windows.targets.reshape(k * s, -1), rows, axis=0, out=self.targets.reshape(len(rows), -1), mode="clip")
        self.unroll.load(self.inputs)
        self.chosen = chosen.copy()


def _four_axes(values: Array, name: str) -> tuple[int, ...]:
    if values.ndim != 4:
        raise ShapeError(f"{name} of shape {values.shape}: 4 axes are needed")
    return values.shape
