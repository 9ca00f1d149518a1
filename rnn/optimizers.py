"""Optimizers of a stack, their learning-rate schedules, and clipping by norm. All of them treat each network by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.errors import TrainingError
from tickercast.rnn.params import row_squares

Array = NDArray[np.floating]

DECAY_MEAN, DECAY_SQUARE, EPSILON = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """What an optimizer remembers of past gradients.

    mean: (K, P), running mean of the gradient (SGD: the velocity). square: (K, P), running mean of its square.
    steps: (K,), updates so far, which differ between networks that were started on different days.
    """

    mean: Array
    square: Array
    steps: NDArray[np.int64]

    def rows(self, chosen: NDArray[np.intp]) -> Moments:
        """Return the moments of some networks, a copy."""
        return Moments(self.mean[chosen], self.square[chosen], self.steps[chosen])


def no_moments(params: Array) -> Moments:
    """Return the moments before the first update: zeros."""
    return Moments(np.zeros_like(params), np.zeros_like(params), np.zeros(len(params), np.int64))


def gradient_norms(gradients: Array) -> Array:
    """Return (K,) Euclidean norms of (K, P) gradients."""
    norms: Array = np.sqrt(row_squares(gradients))
    return norms


def clip_by_norm(gradients: Array, norms: Array, limit: float) -> None:
    """Scale each network's gradient down to the limit, in place. Source: Pascanu, Mikolov and Bengio 2013."""
    scale = np.minimum(1, limit / np.maximum(norms, 1e-12)).astype(gradients.dtype)
    gradients *= scale[:, None]


@dataclass(frozen=True, slots=True)
class Sgd:
    """Gradient descent with momentum: v = momentum v + g, params -= rate v. Source: Polyak 1964."""

    momentum: float = 0.9

    def step(self, params: Array, gradients: Array, moments: Moments, rate: float) -> None:
        """Update params (K, P) and moments in place; gradients is overwritten."""
        velocity = moments.mean
        np.add(moments.steps, 1, out=moments.steps)
        velocity *= params.dtype.type(self.momentum)
        velocity += gradients
        np.multiply(velocity, params.dtype.type(rate), out=gradients)
        params -= gradients


@dataclass(frozen=True, slots=True)
class Adam:
    """m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2, params -= rate' m / (sqrt(v) + 1e-8); rate' corrects for zero m and v at first.

    weight_decay: params first shrink by the factor 1 - rate weight_decay.
    Source: Kingma and Ba 2015; with weight_decay AdamW, Loshchilov and Hutter 2019.
    """

    weight_decay: float = 0.0

    def step(self, params: Array, gradients: Array, moments: Moments, rate: float) -> None:
        """Update params (K, P) and moments in place; gradients is overwritten."""
        kind, m, v = params.dtype.type, moments.mean, moments.square
        np.add(moments.steps, 1, out=moments.steps)
        steps = moments.steps[:, None].astype(np.float64)
        corrected_rate = (rate * np.sqrt(1 - DECAY_SQUARE**steps) / (1 - DECAY_MEAN**steps)).astype(kind)  # (K, 1)
        if self.weight_decay:
            params *= kind(1 - rate * self.weight_decay)
        # m += 0.1 (g - m) takes one pass over memory less than m = 0.9 m + 0.1 g.
        change = gradients - m
        change *= kind(1 - DECAY_MEAN)
        m += change
        gradients *= gradients  # g^2
        gradients -= v
        gradients *= kind(1 - DECAY_SQUARE)  # 0.001 (g^2 - v)
        v += gradients
        np.sqrt(v, out=gradients)
        gradients += kind(EPSILON)  # sqrt(v) + 1e-8
        np.divide(m, gradients, out=gradients)
        gradients *= corrected_rate
        params -= gradients


Optimizer = Sgd | Adam
OPTIMIZERS: dict[str, Optimizer] = {"adam": Adam(), "adamw": Adam(weight_decay=0.01), "sgd": Sgd()}


def optimizer_of(name: str) -> Optimizer:
    """Return the optimizer of a name. Raises TrainingError for an unknown one."""
    if name not in OPTIMIZERS:
        raise TrainingError(f"optimizer {name!r}: one of {', '.join(OPTIMIZERS)} is needed")
    return OPTIMIZERS[name]


def constant(epoch: int, epochs: int) -> float:
    """Return 1: the learning rate does not change."""
    return 1.0


def half_cosine(epoch: int, epochs: int) -> float:
    """Return a factor that falls from 1 to 0 along a half cosine. Source: Loshchilov and Hutter 2017."""
    return 0.5 * (1 + float(np.cos(np.pi * epoch / epochs)))


def linear_warm_up(epoch: int, epochs: int) -> float:
    """Return a factor that rises to 1 over the first tenth of the epochs and stays there. Source: Goyal et al. 2017."""
    return min(1.0, (epoch + 1) / max(1.0, 0.1 * epochs))


def warm_up_cosine(epoch: int, epochs: int) -> float:
    """Return a factor that rises over the first twelfth of the epochs, times one that falls from 1 to 0.05 by half a cosine."""
    return min(1.0, (epoch + 1) / max(1.0, epochs / 12)) * (0.05 + 0.95 * half_cosine(epoch, epochs))


Schedule = Callable[[int, int], float]
SCHEDULES: dict[str, Schedule] = {
    "constant": constant, "half_cosine": half_cosine, "linear_warm_up": linear_warm_up, "warm_up_cosine": warm_up_cosine,
}  # fmt: skip


def schedule_of(name: str) -> Schedule:
    """Return the schedule of a name, from (epoch, epochs) to a factor on the learning rate. Raises TrainingError."""
    if name not in SCHEDULES:
        raise TrainingError(f"schedule {name!r}: one of {', '.join(SCHEDULES)} is needed")
    return SCHEDULES[name]
