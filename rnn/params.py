"""The params of a stack: their sizes, the names of their parts, and their first values.

The params of K networks are one array (K, P) with one row per network. Optimizer and checkpoint work on rows. `weights_of`
names the parts of a row. At the end are sums over rows and the check of input values, which several files share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tickercast.rnn.cells import CELLS
from tickercast.rnn.errors import InputError, ShapeError

Array = NDArray[np.floating]

MOST_LAYERS = 3

# Each use of a network's seed has a random stream of its own, default_rng([seed, stream]). A change in how many numbers one
# use draws then leaves the others alone. The recurrent weights use default_rng(seed).
OUTPUT_STREAM = 1  # first output weights of a network without a baseline
ORDER_STREAM = 2  # order of the training windows

# Recurrent weights start as a rotation, scaled to just below one so that old states fade slowly.
RECURRENT_SCALE = 0.9


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The sizes of one network. head_params: how many params the head has of its own (the density head's locations)."""

    features: int
    hidden: int
    outputs: int
    head_params: int = 0
    cell: str = "elman"
    layers: int = 1

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ShapeError(f"cell {self.cell!r}: one of {', '.join(CELLS)} is needed")
        if not 1 <= self.layers <= MOST_LAYERS:
            raise ShapeError(f"{self.layers} layers: 1..{MOST_LAYERS} are possible")
        if min(self.features, self.hidden, self.outputs) < 1 or self.head_params < 0:
            raise ShapeError(f"sizes of at least one are needed: {self}")

    @property
    def gates(self) -> int:
        """Return the number of pre-activations a = [h, x, 1] W of one layer and session: 1 Elman, 3 GRU, 4 LSTM."""
        return CELLS[self.cell].gates

    def inputs_of(self, layer: int) -> int:
        """Return the number of inputs x of a layer; above the first they are the hidden states of the layer below."""
        return self.hidden if layer else self.features

    def concat_width(self, layer: int) -> int:
        """Return the length of [h, x, 1] in a layer."""
        return self.hidden + self.inputs_of(layer) + 1

    @property
    def size(self) -> int:
        """Return P, the number of params of one network."""
        recurrent = sum(self.gates * self.concat_width(layer) * self.hidden for layer in range(self.layers))
        return recurrent + (self.hidden + 1) * self.outputs + self.head_params


@dataclass(frozen=True, slots=True)
class Weights:
    """The parts of (K, P) params or gradients, as views.

    layers: W of each layer, (gates, K, H + F + 1, H); its rows are W_h, W_x and the bias, in this order.
    output: V (K, H, O). output_bias: c (K, 1, O). head_params: (K, E).
    """

    layers: tuple[Array, ...]
    output: Array
    output_bias: Array
    head_params: Array


def weights_of(params: Array, shape: NetworkShape) -> Weights:
    """Return the parts of params (K, P) as views. Raises ShapeError when P does not fit the shape."""
    if params.ndim != 2 or params.shape[1] != shape.size:
        raise ShapeError(f"params of shape {params.shape} do not fit {shape}: (K, {shape.size}) is needed")
    k, h, o = len(params), shape.hidden, shape.outputs
    layers, start = [], 0
    for layer in range(shape.layers):
        end = start + shape.gates * shape.concat_width(layer) * h
        by_network = params[:, start:end].reshape(k, shape.gates, shape.concat_width(layer), h)
        layers.append(by_network.swapaxes(0, 1))  # (K, gates, H + F + 1, H) -> (gates, K, H + F + 1, H)
        start = end
    bias = start + h * o
    return Weights(
        layers=tuple(layers),
        output=params[:, start:bias].reshape(k, h, o),
        output_bias=params[:, bias : bias + o].reshape(k, 1, o),
        head_params=params[:, bias + o :],
    )


def initial_params(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> Array:
    """Return the first params (K, P), each network's from its own seed alone.

    W_h is orthogonal times 0.9 (Saxe et al. 2014). W_x is uniform within 1 / sqrt(F + H). The bias of an LSTM's forget gate
    is one, so that the gate starts open (Jozefowicz et al. 2015). All other params are zero.
    """
    params = np.zeros((len(seeds), shape.size), dtype)
    for row, seed in zip(params, seeds, strict=True):
        rng = np.random.default_rng(seed)
        for layer, weights in enumerate(weights_of(row[None], shape).layers):
            inputs = shape.inputs_of(layer)
            bound = 1 / np.sqrt(inputs + shape.hidden)
            for gate in weights[:, 0]:  # (H + F + 1, H)
                rotation = np.linalg.qr(rng.standard_normal((shape.hidden, shape.hidden)))[0]
                gate[: shape.hidden] = RECURRENT_SCALE * rotation
                gate[shape.hidden : -1] = rng.uniform(-bound, bound, (inputs, shape.hidden))
            weights[:, 0, -1] += np.asarray(CELLS[shape.cell].first_bias)[:, None]
    return params


def row_sums(values: Array) -> Array:
    """Return the sums (K,) of values (K, ...).

    Row by row: a sum over an axis may add in another order when K changes, and a network's bytes must not depend on K.
    """
    return np.array([row.ravel().sum() for row in values], values.dtype)


def row_squares(values: Array) -> Array:
    """Return the sums of squares (K,) of values (K, ...), by one product per row; see row_sums for why."""
    rows = values.reshape(len(values), 1, -1)
    squares: Array = np.matmul(rows, rows.swapaxes(1, 2))[:, 0, 0]  # (K, 1, n) x (K, n, 1) -> (K,)
    return squares


def require_finite(**arrays: Array) -> None:
    """Raise InputError for an array (K, ...) that is empty or not finite; its text names the array and the place."""
    for name, values in arrays.items():
        if not values.size:
            raise InputError(f"{name} of shape {values.shape}: empty")
        finite = np.isfinite(values)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise InputError(f"{name} of network {place[0]} is {values[place]} at {place[1:]}: finite numbers are needed")
