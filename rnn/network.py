"""A stack of recurrent networks over windows of sessions: the layers' unroll and backpropagation through them.

Called by the objectives (density, supervised), which load the inputs, read the hidden states and set their gradient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rnn.cells import CELLS, rows_of
from rnn.errors import InputError, ShapeError
from rnn.params import NetworkShape, Weights

Array = NDArray[np.floating]


class Unroll:
    """K networks over B windows of T sessions; owns the buffers of one shape, so that a step allocates none.

    Use: load the inputs, forward, read `hidden` from some session on, set `by_hidden`, backward from that session.
    """

    def __init__(self, networks: int, windows: int, sessions: int, shape: NetworkShape, dtype: DTypeLike) -> None:
        if min(networks, windows, sessions) < 1:
            raise InputError(f"{networks} networks, {windows} windows of {sessions} sessions: at least one of each is needed")
        self.sizes = networks, windows, sessions, shape.features
        self.cells = [
            CELLS[shape.cell](networks, windows, sessions, shape.joined(layer) - shape.hidden - 1, shape.hidden, dtype)
            for layer in range(shape.layers)
        ]
        self.units = shape.hidden

    def load(self, inputs: Array) -> None:
        """Take inputs (K, B, T, F). Raises ShapeError when they do not fit the buffers."""
        if inputs.shape != self.sizes:
            raise ShapeError(f"inputs of shape {inputs.shape}: {self.sizes} is needed")
        self.cells[0].inputs[...] = inputs.swapaxes(1, 2)

    def start(self, states: list[list[Array]] | None = None) -> None:
        """Begin the next forward from `states`, as last_states returns them, or from zero."""
        for layer, cell in enumerate(self.cells):
            for slot, carried in enumerate(cell.carried):
                carried[...] = 0 if states is None else states[layer][slot]

    def last_states(self) -> list[list[Array]]:
        """Return copies of the states (K, B, H) after the last session: for each layer h, and c of an LSTM."""
        return [[state.copy() for state in cell.last] for cell in self.cells]

    def hidden(self, first: int) -> Array:
        """Return the topmost layer's states (K, (T - first) B, H) after each session from `first` on: a view, by session."""
        return rows_of(self.cells[-1].joined[:, first + 1 :, :, : self.units])

    def by_hidden(self, first: int) -> Array:
        """Return where the loss's gradient by hidden(first) is to be put: a view of its shape."""
        return rows_of(self.cells[-1].by_hidden[:, first:])

    def forward(self, weights: Weights) -> None:
        """Run every layer over all sessions."""
        below = None
        for cell, layer in zip(self.cells, weights.layers, strict=True):
            if below is not None:
                cell.inputs[...] = below.joined[:, 1:, :, : self.units]
            cell.forward(layer)
            below = cell

    def backward(self, gradients: Weights, first: int = 0, truncation: int = 0) -> None:
        """Put dL/dW of every layer into gradients.layers, from by_hidden(first); no output speaks before `first`.

        truncation: see Cell.backward. Exact where it is 0.
        """
        for layer in range(len(self.cells) - 1, -1, -1):
            self.cells[layer].backward(gradients.layers[layer], first, truncation)
            if layer:
                # A layer's inputs are the states below.
                self.cells[layer].input_gradient(self.cells[layer - 1].by_hidden)
                first = 0
