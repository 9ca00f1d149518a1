"""A stack of recurrent networks over windows of sessions: all layers forward, and backpropagation through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tickercast.rnn.cells import CELLS
from tickercast.rnn.errors import InputError, ShapeError
from tickercast.rnn.params import NetworkShape, Weights
from tickercast.rnn.unrolling import flat

Array = NDArray[np.floating]


class Unroll:
    """K networks over B windows of T sessions. It owns the buffers of these sizes, so a training step allocates none.

    Use: load the inputs, forward, read `hidden(first)`, write `d_hidden(first)`, backward with the same `first`.
    """

    def __init__(self, networks: int, windows: int, sessions: int, shape: NetworkShape, dtype: DTypeLike) -> None:
        if min(networks, windows, sessions) < 1:
            raise InputError(f"{networks} networks, {windows} windows of {sessions} sessions: at least one of each is needed")
        self.sizes = networks, windows, sessions, shape.features
        self.cells = [
            CELLS[shape.cell](networks, windows, sessions, shape.inputs_of(layer), shape.hidden, dtype)
            for layer in range(shape.layers)
        ]

    def load(self, inputs: Array) -> None:
        """Copy inputs (K, B, T, F) into the first layer. Raises ShapeError when they do not fit the buffers."""
        if inputs.shape != self.sizes:
            raise ShapeError(f"inputs of shape {inputs.shape}: {self.sizes} is needed")
        self.cells[0].inputs[...] = inputs.swapaxes(1, 2)  # (K, B, T, F) -> (K, T, B, F)

    def hidden(self, first: int) -> Array:
        """Return a view of the top layer's hidden states after each session from `first` on, (K, (T - first) B, H).

        A row is one window in one session; all windows of a session come before those of the next.
        """
        top = self.cells[-1]
        return flat(top.concat[:, first + 1 :, :, : top.hidden])

    def d_hidden(self, first: int) -> Array:
        """Return the view, of the shape of hidden(first), into which the loss puts its gradient dL/d(hidden)."""
        return flat(self.cells[-1].dh_above[:, first:])

    def forward(self, weights: Weights) -> None:
        """Run every layer over all sessions; the hidden states of a layer are the inputs of the layer above it."""
        below = None
        for cell, layer in zip(self.cells, weights.layers, strict=True):
            if below is not None:
                cell.inputs[...] = below.concat[:, 1:, :, : below.hidden]  # (K, T, B, H)
            cell.forward(layer)
            below = cell

    def backward(self, gradients: Weights, first: int = 0, truncation: int = 0) -> None:
        """Put dL/dW of every layer into gradients.layers, from d_hidden(first). No output is read before session `first`.

        truncation: see Cell.backward. The gradient is exact where it is 0.
        """
        for layer in reversed(range(len(self.cells))):
            self.cells[layer].backward(gradients.layers[layer], first, truncation)
            if layer:
                self.cells[layer].input_gradient(self.cells[layer - 1].dh_above)
                first = 0  # a layer below feeds the one above in every session
