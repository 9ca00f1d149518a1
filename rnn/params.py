"""The params of a stack: their sizes, the names of their parts, and what they are before any training.

Params of K networks lie in one array (K, P), a row a network, so that the optimizer and the checkpoint handle rows and no
network's bytes depend on its neighbours. `weights_of` names the parts as views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rnn.cells import CELLS
from rnn.errors import ShapeError

Array = NDArray[np.floating]

MOST_LAYERS = 3


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Sizes of one network. extras: params that belong to the head alone (the density head's locations)."""

    features: int
    hidden: int
    outputs: int
    extras: int = 0
    cell: str = "elman"
    layers: int = 1

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ShapeError(f"cell {self.cell!r}: one of {', '.join(CELLS)} is needed")
        if not 1 <= self.layers <= MOST_LAYERS:
            raise ShapeError(f"{self.layers} layers: 1..{MOST_LAYERS} are possible")
        if min(self.features, self.hidden, self.outputs) < 1 or self.extras < 0:
            raise ShapeError(f"sizes of at least one are needed: {self}")

    @property
    def gates(self) -> int:
        """Return how many products of [h, x, 1] one session of a layer takes: 1 Elman, 3 GRU, 4 LSTM."""
        return CELLS[self.cell].gates

    def joined(self, layer: int) -> int:
        """Return the width of hidden state, inputs and a one side by side; a layer's inputs are the states below."""
        return self.hidden + (self.hidden if layer else self.features) + 1

    @property
    def size(self) -> int:
        """Return the number of params of one network."""
        recurrent = sum(self.gates * self.joined(layer) * self.hidden for layer in range(self.layers))
        return recurrent + (self.hidden + 1) * self.outputs + self.extras


@dataclass(frozen=True, slots=True)
class Weights:
    """Views into (K, P) params or gradients.

    layers: (gates, K, H + F + 1, H) each, the rows those of [h, x, 1]. output: (K, H, O). output_bias: (K, 1, O).
    extras: (K, E).
    """

    layers: tuple[Array, ...]
    output: Array
    output_bias: Array
    extras: Array


def weights_of(params: Array, shape: NetworkShape) -> Weights:
    """Return the parts of params as views. Raises ShapeError when their number is not the shape's."""
    if params.ndim != 2 or params.shape[1] != shape.size:
        raise ShapeError(f"params of shape {params.shape} do not fit {shape}: (K, {shape.size}) is needed")
    k, h, o = len(params), shape.hidden, shape.outputs
    layers, start = [], 0
    for layer in range(shape.layers):
        end = start + shape.gates * shape.joined(layer) * h
        layers.append(params[:, start:end].reshape(k, shape.gates, shape.joined(layer), h).swapaxes(0, 1))
        start = end
    bias = start + h * o
    return Weights(
        tuple(layers), params[:, start:bias].reshape(k, h, o), params[:, bias : bias + o].reshape(k, 1, o), params[:, bias + o :]
    )


def initial_params(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> Array:
    """Return (K, P) params: each network's from its own seed alone.

    Recurrent weights are orthogonal times 0.9 (Saxe et al. 2014), input weights uniform within 1/sqrt(F + H), an LSTM's
    forget gate starts open by a bias of one (Jozefowicz et al. 2015), and the rest is zero.
    """
    params = np.zeros((len(seeds), shape.size), dtype)
    for row, seed in zip(params, seeds, strict=True):
        rng = np.random.default_rng(seed)
        for layer, weights in enumerate(weights_of(row[None], shape).layers):
            features = shape.joined(layer) - shape.hidden - 1
            bound = 1 / np.sqrt(features + shape.hidden)
            for gate in weights[:, 0]:
                gate[: shape.hidden] = 0.9 * np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))[0]
                gate[shape.hidden : -1] = rng.uniform(-bound, bound, (features, shape.hidden))
            weights[:, 0, -1] += np.asarray(CELLS[shape.cell].first_bias)[:, None]
    return params
