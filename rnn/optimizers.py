"""Adam, and clipping by norm, for a stack: every figure is per network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

DECAY_MEAN, DECAY_SQUARE, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """Adam's memory. mean, square: (K, P). steps: (K,) updates so far, as each chain has its own."""

    mean: Array
    square: Array
    steps: NDArray[np.int64]


def no_moments(params: Array) -> Moments:
    """Return the memory of an optimizer that has done nothing yet."""
    return Moments(np.zeros_like(params), np.zeros_like(params), np.zeros(len(params), np.int64))


def gradient_norms(gradients: Array) -> Array:
    """Return (K,) Euclidean norms of (K, P) gradients."""
    # One product a network: a sum over an axis may add in another order when K changes.
    norms: Array = np.sqrt(np.matmul(gradients[:, None, :], gradients[:, :, None])[:, 0, 0])
    return norms


def clip_by_norm(gradients: Array, norms: Array, limit: float) -> None:
    """Scale each network's gradient down to the limit, in place. Source: Pascanu, Mikolov and Bengio 2013."""
    scale = np.minimum(1, limit / np.maximum(norms, 1e-12)).astype(gradients.dtype)
    gradients *= scale[:, None]


def adam_step(params: Array, gradients: Array, moments: Moments, learning_rate: float) -> None:
    """Move params (K, P) one step down their gradients, in place with the moments. Source: Kingma and Ba 2015."""
    kind = params.dtype.type
    np.add(moments.steps, 1, out=moments.steps)
    mean, square = moments.mean, moments.square
    steps = moments.steps[:, None].astype(np.float64)
    rate = (learning_rate * np.sqrt(1 - DECAY_SQUARE**steps) / (1 - DECAY_MEAN**steps)).astype(kind)
    mean *= kind(DECAY_MEAN)
    mean += kind(1 - DECAY_MEAN) * gradients
    square *= kind(DECAY_SQUARE)
    square += kind(1 - DECAY_SQUARE) * gradients * gradients
    params -= rate * mean / (np.sqrt(square) + kind(EPSILON))
