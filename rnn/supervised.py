"""Supervised windows: any loss of the outputs at the last session of a window, or at every session after a burn-in.

The article's network is this with squared error at the last session. There is no shortcut from input to output: what a
network says has passed through the hidden state. Called by training and forecasting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rnn.checks import refuse_unusable
from rnn.errors import InputError, ShapeError
from rnn.losses import Loss, SquaredError
from rnn.network import Unroll
from rnn.params import NetworkShape, Weights, weights_of

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Windows:
    """What K networks learn from, S windows each.

    inputs: (K, S, T, F). targets: (K, S, D), at the last session, or (K, S, T', D), at the last T' sessions. weights:
    (K, S) or None for ones: 0 leaves a window out, so that short histories can share a stack with long ones.
    held_out: how many of the last windows are validated on and never trained on.
    """

    inputs: Array
    targets: Array
    weights: Array | None = None
    held_out: int = 0

    def __post_init__(self) -> None:
        k, s, t, _ = _axes(self.inputs, "inputs", 4)
        if min(k, s) < 1:
            raise InputError(f"inputs of shape {self.inputs.shape}: {k} networks of {s} windows")
        if self.targets.ndim not in (3, 4) or self.targets.shape[:2] != (k, s):
            raise ShapeError(f"targets of shape {self.targets.shape} do not fit inputs of shape {self.inputs.shape}")
        if not 1 <= self.supervised <= t:
            raise ShapeError(f"targets at {self.supervised} sessions of windows of {t}")
        if self.weights is not None and self.weights.shape != (k, s):
            raise ShapeError(f"weights of shape {self.weights.shape}: {(k, s)} is needed")
        if not 0 <= self.held_out < s:
            raise InputError(f"{self.held_out} of {s} windows held out: at least one is needed to train on")
        refuse_unusable(inputs=self.inputs, targets=self.targets)

    @property
    def supervised(self) -> int:
        """Return at how many of a window's last sessions there are targets."""
        return 1 if self.targets.ndim == 3 else self.targets.shape[2]

    def rows(self, chosen: NDArray[np.intp]) -> Windows:
        """Return the windows of some networks, a copy."""
        weights = None if self.weights is None else self.weights[chosen]
        return replace(self, inputs=self.inputs[chosen], targets=self.targets[chosen], weights=weights)


class SupervisedLoss:
    """Loss and gradient of a stack over minibatches of its windows; each network's order of windows is from its own seed.

    The loss is the mean over a batch's windows, sessions and targets, each window times its weight.
    """

    def __init__(
        self,
        windows: Windows,
        shape: NetworkShape,
        seeds: Sequence[int],
        *,
        batch: int,
        loss: Loss | None = None,
        truncation: int = 0,
    ) -> None:
        self.windows, self.shape, self.batch, self.truncation = windows, shape, batch, truncation
        self.loss = loss or SquaredError()
        if self.loss.outputs(windows.targets.shape[-1]) != shape.outputs:
            raise ShapeError(f"{shape.outputs} outputs: {self.loss} of {windows.targets.shape[-1]} targets needs "
                             f"{self.loss.outputs(windows.targets.shape[-1])}")  # fmt: skip
        self.orders = [np.random.default_rng([seed, 2]) for seed in seeds]
        self.validation: Array = np.full(len(windows.inputs), np.nan, windows.inputs.dtype)
        self.passes: dict[int, _Pass] = {}

    def rows(self, chosen: NDArray[np.intp]) -> SupervisedLoss:
        """Return the loss of some networks, their orders going on where they are."""
        part = SupervisedLoss(
            self.windows.rows(chosen), self.shape, (), batch=self.batch, loss=self.loss, truncation=self.truncation
        )
        part.orders = [self.orders[k] for k in chosen]
        return part

    def gradients(self, params: Array, gradient: Array) -> Iterator[tuple[Array, float]]:
        """Yield, a batch of one epoch at a time, the loss (K,) and the batch's share, its gradient put into gradient (K, P).

        params may change between two batches. `validation` is of the params that the epoch began with.
        """
        windows = self.windows
        train = windows.inputs.shape[1] - windows.held_out
        if windows.held_out:
            self.validation = self.value(params, np.arange(train, train + windows.held_out))
        order = np.stack([rng.permutation(train) for rng in self.orders]) if self.batch < train else self._every(train)
        for first in range(0, train, self.batch):
            chosen = order[:, first : first + self.batch]
            yield self.value_and_gradient(params, gradient, chosen), chosen.shape[1] / train

    def value(self, params: Array, chosen: NDArray[np.intp]) -> Array:
        """Return the loss (K,) of the same windows (n,) of every network."""
        every = np.broadcast_to(chosen, (len(params), len(chosen)))
        return self._pass(every.shape[1]).forward(weights_of(params, self.shape), every)

    def value_and_gradient(self, params: Array, gradient: Array, chosen: NDArray[np.intp]) -> Array:
        """Return the loss (K,) of the chosen windows (K, B), its gradient put into gradient (K, P)."""
        weights, gradients = weights_of(params, self.shape), weights_of(gradient, self.shape)
        batch = self._pass(chosen.shape[1])
        value = batch.forward(weights, chosen)
        batch.backward(weights, gradients, self.truncation)
        return value

    def _every(self, train: int) -> NDArray[np.intp]:
        # One batch needs no order, and keeps the windows that are loaded.
        return np.broadcast_to(np.arange(train), (len(self.orders), train))

    def _pass(self, batch: int) -> _Pass:
        if batch not in self.passes:
            self.passes[batch] = _Pass(self.windows, self.shape, self.loss, batch)
        return self.passes[batch]


class _Pass:
    """The forward and the backward of one batch size, with the buffers of both."""

    def __init__(self, windows: Windows, shape: NetworkShape, loss: Loss, batch: int) -> None:
        k, s, t, f = windows.inputs.shape
        dtype = windows.inputs.dtype
        self.windows, self.loss = windows, loss
        self.unroll = Unroll(k, batch, t, shape, dtype)
        self.first = t - windows.supervised
        n = windows.supervised * batch
        self.hidden, self.by_hidden = self.unroll.hidden(self.first), self.unroll.by_hidden(self.first)
        self.output = np.empty((k, n, shape.outputs), dtype)
        self.ones = np.ones((1, n), dtype)
        self.offset = np.arange(k)[:, None] * s
        self.inputs = np.empty((k * batch, t, f), dtype)
        self.all_targets = windows.targets.reshape(k * s, windows.supervised, -1)
        self.chosen_targets = np.empty((k * batch, *self.all_targets.shape[1:]), dtype)
        self.targets = np.empty((k, windows.supervised, batch, self.all_targets.shape[2]), dtype)
        self.target_rows = self.targets.reshape(k, n, -1)
        self.share = np.asarray(1 / (n * self.targets.shape[3]), dtype)
        self.weight = self.share
        self.chosen: NDArray[np.intp] = np.empty((0, 0), np.intp)

    def forward(self, weights: Weights, chosen: NDArray[np.intp]) -> Array:
        """Return the loss (K,) of the chosen windows (K, B); `output` then holds its gradient."""
        if not np.array_equal(chosen, self.chosen):
            self._load(chosen)
        self.unroll.forward(weights)
        np.matmul(self.hidden, weights.output, out=self.output)
        self.output += weights.output_bias
        return self.loss.settle(self.output, self.target_rows, self.weight)

    def _load(self, chosen: NDArray[np.intp]) -> None:
        places = (chosen + self.offset).ravel()
        k, sessions, b, targets = self.targets.shape
        every = self.windows.inputs.reshape(-1, *self.inputs.shape[1:])
        np.take(every, places, axis=0, out=self.inputs, mode="clip")
        np.take(self.all_targets, places, axis=0, out=self.chosen_targets, mode="clip")
        self.targets[...] = self.chosen_targets.reshape(k, b, sessions, targets).swapaxes(1, 2)
        self.unroll.load(self.inputs.reshape(k, b, *self.inputs.shape[1:]))
        self.weight = self._weight(chosen)
        self.chosen = chosen.copy()

    def backward(self, weights: Weights, gradients: Weights, truncation: int) -> None:
        np.matmul(self.hidden.swapaxes(1, 2), self.output, out=gradients.output)
        np.matmul(self.ones, self.output, out=gradients.output_bias)
        np.matmul(self.output, np.ascontiguousarray(weights.output.swapaxes(1, 2)), out=self.by_hidden)
        self.unroll.backward(gradients, first=self.first, truncation=truncation)

    def _weight(self, chosen: NDArray[np.intp]) -> Array:
        """Return what each output weighs: a scalar, or (K, T' B, 1)."""
        if self.windows.weights is None:
            return self.share
        weights = np.take_along_axis(self.windows.weights, chosen, axis=1)
        every: Array = np.tile(weights, self.windows.supervised)[..., None] * self.share
        return every


def outputs_after(params: Array, windows: Array, shape: NetworkShape) -> Array:
    """Return the outputs (K, S, O) after each window (K, S, T, F)."""
    k, s, t, _ = _axes(windows, "windows", 4)
    refuse_unusable(windows=windows)
    weights = weights_of(params, shape)
    unroll = Unroll(k, s, t, shape, windows.dtype)
    unroll.load(windows)
    unroll.forward(weights)
    output: Array = np.matmul(unroll.hidden(t - 1), weights.output) + weights.output_bias
    return output


def paths_after(params: Array, windows: Array, shape: NetworkShape, steps: int) -> Array:
    """Return (K, S, steps) forecasts of the sessions after each window (K, S, T, 1), each fed back as the next input.

    For networks of one input and one output, which say the input's next value.
    """
    if (shape.features, shape.outputs) != (1, 1) or steps < 1:
        raise ShapeError(f"{steps} steps of {shape.features} inputs and {shape.outputs} outputs: one of each can be fed back")
    path = np.empty((*windows.shape[:2], steps), windows.dtype)
    for step in range(steps):
        path[..., step] = outputs_after(params, windows, shape)[..., 0]
        windows = np.concatenate([windows[:, :, 1:], path[..., step, None, None]], axis=2)
    return path


def _axes(values: Array, name: str, axes: int) -> tuple[int, ...]:
    if values.ndim != axes:
        raise ShapeError(f"{name} of shape {values.shape}: {axes} axes are needed")
    return values.shape
