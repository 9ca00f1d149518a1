"""A stack of recurrent networks: its params, the unroll over a window, and backpropagation through time.

Params of K networks lie in one array (K, P), a row a network, so that the optimizer and the checkpoint handle rows and no
network's bytes depend on its neighbours. `weights_of` names the parts as views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rnn.cells import elman_backward, elman_forward
from rnn.errors import ShapeError

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Sizes of one network. extras: params that belong to the head alone (the density head's locations)."""

    features: int
    hidden: int
    outputs: int
    extras: int = 0

    @property
    def joined(self) -> int:
        """Return the width of hidden state, inputs and a one side by side."""
        return self.hidden + self.features + 1

    @property
    def size(self) -> int:
        """Return the number of params of one network."""
        return self.joined * self.hidden + (self.hidden + 1) * self.outputs + self.extras


@dataclass(frozen=True, slots=True)
class Weights:
    """Views into (K, P) params or gradients.

    recurrent: (K, H + F + 1, H). output: (K, H, O). output_bias: (K, 1, O). extras: (K, E).
    """

    recurrent: Array
    output: Array
    output_bias: Array
    extras: Array


def weights_of(params: Array, shape: NetworkShape) -> Weights:
    """Return the parts of params as views. Raises ShapeError when their number is not the shape's."""
    if params.ndim != 2 or params.shape[1] != shape.size:
        raise ShapeError(f"params of shape {params.shape} do not fit {shape}: (K, {shape.size}) is needed")
    k, j, h, o = len(params), shape.joined, shape.hidden, shape.outputs
    ends = np.cumsum([j * h, h * o, o, shape.extras])
    parts = np.split(params, ends[:-1], axis=1)
    return Weights(parts[0].reshape(k, j, h), parts[1].reshape(k, h, o), parts[2].reshape(k, 1, o), parts[3])


def initial_params(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> Array:
    """Return (K, P) params: each network's from its own seed alone.

    Recurrent weights are orthogonal times 0.9 (Saxe et al. 2014), input weights uniform within 1/sqrt(F + H), the rest zero.
    """
    params = np.zeros((len(seeds), shape.size), dtype)
    for row, seed in zip(params, seeds, strict=True):
        rng = np.random.default_rng(seed)
        weights = weights_of(row[None], shape).recurrent[0]
        square = np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))[0]
        weights[: shape.hidden] = 0.9 * square
        bound = 1 / np.sqrt(shape.features + shape.hidden)
        weights[shape.hidden : -1] = rng.uniform(-bound, bound, (shape.features, shape.hidden))
    return params


class Unroll:
    """K networks over windows of T sessions, B windows each; owns the buffers of one shape, so that a step allocates none.

    hidden states start at zero. Use: load the inputs, forward, set the gradient of the hidden states, backward.
    """

    def __init__(self, networks: int, windows: int, sessions: int, shape: NetworkShape, dtype: DTypeLike) -> None:
        k, b, t, h = networks, windows, sessions, shape.hidden
        self.shape, self.sessions = shape, t
        self.joined = np.zeros((k, t + 1, b, shape.joined), dtype)
        self.joined[..., -1] = 1
        self.hidden = np.empty((k, t, b, h), dtype)
        self.hidden_gradient = np.empty((k, t, b, h), dtype)
        self.pre_gradient = np.empty((k, t, b, h), dtype)
        self.slope = np.empty((k, t, b, h), dtype)
        self.flow = np.empty((k, b, h), dtype)

    def load(self, inputs: Array) -> None:
        """Take inputs (K, B, T, F). Raises ShapeError when they do not fit the buffers."""
        k, t, b, _ = self.hidden.shape
        if inputs.shape != (k, b, t, self.shape.features):
            raise ShapeError(f"inputs of shape {inputs.shape}: {(k, b, t, self.shape.features)} is needed")
        self.joined[:, :t, :, self.shape.hidden : -1] = inputs.swapaxes(1, 2)

    def forward(self, weights: Weights) -> Array:
        """Return the hidden states (K, T, B, H) after each session."""
        for t in range(self.sessions):
            elman_forward(self.joined[:, t], weights.recurrent, self.hidden[:, t])
            self.joined[:, t + 1, :, : self.shape.hidden] = self.hidden[:, t]
        return self.hidden

    def backward(self, weights: Weights, gradients: Weights, first: int = 0) -> None:
        """Put dL/dW into gradients.recurrent, from hidden_gradient: dL/dh of each session by way of its outputs alone.

        hidden_gradient before session `first` counts as zero and need not be filled. Exact backpropagation through time.
        """
        h = self.shape.hidden
        np.multiply(self.hidden, self.hidden, out=self.slope)
        np.subtract(1, self.slope, out=self.slope)
        # A contiguous transpose once beats a transposed operand in every step's small product.
        transposed = np.ascontiguousarray(weights.recurrent[:, :h].swapaxes(1, 2))
        self.flow[...] = 0
        for t in range(self.sessions - 1, -1, -1):
            if t >= first:
                self.flow += self.hidden_gradient[:, t]
            elman_backward(self.slope[:, t], self.flow, transposed, self.pre_gradient[:, t], self.flow)
        k, t, b, j = self.joined.shape
        joined = self.joined[:, :-1].reshape(k, (t - 1) * b, j)
        np.matmul(joined.swapaxes(1, 2), self.pre_gradient.reshape(k, (t - 1) * b, h), out=gradients.recurrent)
