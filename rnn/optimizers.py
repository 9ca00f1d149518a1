"""Optimizers of a stack, their learning-rate schedules, and clipping by norm: every figure is per network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn.errors import TrainingError

Array = NDArray[np.floating]

DECAY_MEAN, DECAY_SQUARE, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """An optimizer's memory. mean: (K, P), of the gradient (SGD: its velocity). square: (K, P), of its square.

    steps: (K,) updates so far, as each chain has its own.
    """

    mean: Array
    square: Array
    steps: NDArray[np.int64]

    def rows(self, chosen: NDArray[np.intp]) -> Moments:
        """Return the memory of some networks, a copy."""
        return Moments(self.mean[chosen], self.square[chosen], self.steps[chosen])


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


@dataclass(frozen=True, slots=True)
class Sgd:
    """Gradient descent with a velocity: v = momentum v + g, params -= rate v. Source: Polyak 1964."""

    momentum: float = 0.9

    def step(self, params: Array, gradients: Array, moments: Moments, rate: float) -> None:
        """Move params (K, P) down their gradients, in place with the moments; gradients are spent."""
        velocity = moments.mean
        np.add(moments.steps, 1, out=moments.steps)
        velocity *= params.dtype.type(self.momentum)
        velocity += gradients
        np.multiply(velocity, params.dtype.type(rate), out=gradients)
        params -= gradients


@dataclass(frozen=True, slots=True)
class Adam:
    """Kingma and Ba 2015; with weight_decay, the decoupled decay of AdamW (Loshchilov and Hutter 2019)."""

    weight_decay: float = 0.0

    def step(self, params: Array, gradients: Array, moments: Moments, rate: float) -> None:
        """Move params (K, P) down their gradients, in place with the moments; gradients are spent."""
        kind = params.dtype.type
        np.add(moments.steps, 1, out=moments.steps)
        steps = moments.steps[:, None].astype(np.float64)
        corrected = (rate * np.sqrt(1 - DECAY_SQUARE**steps) / (1 - DECAY_MEAN**steps)).astype(kind)
        if self.weight_decay:
            params *= kind(1 - rate * self.weight_decay)
        # (1 - decay) (g - mean) added to the mean: two passes where decay mean + (1 - decay) g takes three.
        np.subtract(gradients, moments.mean, out=(change := np.empty_like(gradients)))
        change *= kind(1 - DECAY_MEAN)
        np.add(moments.mean, change, out=moments.mean)
        gradients *= gradients
        gradients -= moments.square
        gradients *= kind(1 - DECAY_SQUARE)
        np.add(moments.square, gradients, out=moments.square)
        np.sqrt(moments.square, out=gradients)
        gradients += kind(EPSILON)
        np.divide(moments.mean, gradients, out=gradients)
        gradients *= corrected
        params -= gradients


Optimizer = Sgd | Adam
OPTIMIZERS: dict[str, Optimizer] = {"adam": Adam(), "adamw": Adam(weight_decay=0.01), "sgd": Sgd()}


def optimizer_of(name: str) -> Optimizer:
    """Return the optimizer of a name. Raises TrainingError, which lists them."""
    if name not in OPTIMIZERS:
        raise TrainingError(f"optimizer {name!r}: one of {', '.join(OPTIMIZERS)} is needed")
    return OPTIMIZERS[name]


def constant(epoch: int, epochs: int) -> float:
    """Return 1: the learning rate stays."""
    return 1.0


def half_cosine(epoch: int, epochs: int) -> float:
    """Return 1 falling to 0 along a half cosine, so that the last epochs settle. Source: Loshchilov and Hutter 2017."""
    return 0.5 * (1 + float(np.cos(np.pi * epoch / epochs)))


def linear_warm_up(epoch: int, epochs: int) -> float:
    """Return a tenth of the epochs' rise to 1, then 1. Source: Goyal et al. 2017."""
    return min(1.0, (epoch + 1) / max(1.0, 0.1 * epochs))


Schedule = Callable[[int, int], float]
SCHEDULES: dict[str, Schedule] = {"constant": constant, "half_cosine": half_cosine, "linear_warm_up": linear_warm_up}


def schedule_of(name: str) -> Schedule:
    """Return the schedule of a name: (epoch, epochs) to a factor of the learning rate. Raises TrainingError."""
    if name not in SCHEDULES:
        raise TrainingError(f"schedule {name!r}: one of {', '.join(SCHEDULES)} is needed")
    return SCHEDULES[name]
