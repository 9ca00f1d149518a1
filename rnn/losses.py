"""Losses with their exact gradients: squared error, Huber, pinball, Student-t negative log likelihood.

Elementwise, so they know no axes but the last, of outputs; means, weights and masks are the objectives' matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnn.errors import TrainingError

Array = NDArray[np.floating]

# How often the argument of the gamma ratio is raised by two before the series takes over: its error is then below 1e-7.
RAISES = 3


class Loss(Protocol):
    """A loss of outputs (K, n, O) against targets (K, n, D). outputs: how many O a network gives for D targets."""

    def outputs(self, targets: int) -> int: ...

    def settle(self, output: Array, target: Array, weight: Array) -> Array:
        """Return the weighted sums (K,) of the losses and turn output into their gradient by it, in place.

        weight: broadcasts to (K, n, 1).
        """
        ...


@dataclass(frozen=True, slots=True)
class SquaredError:
    """(output - target)^2."""

    def outputs(self, targets: int) -> int:
        return targets

    def settle(self, output: Array, target: Array, weight: Array) -> Array:
        """See Loss.settle."""
        output -= target
        total = _weighted_squares(output, weight)
        output *= 2 * weight
        return total


@dataclass(frozen=True, slots=True)
class Huber:
    """error^2 / 2 within `limit`, limit (|error| - limit / 2) beyond. Source: Huber 1964."""

    limit: float = 1.0

    def outputs(self, targets: int) -> int:
        return targets

    def settle(self, output: Array, target: Array, weight: Array) -> Array:
        """See Loss.settle."""
        output -= target
        slope = np.clip(output, -self.limit, self.limit)
        output -= 0.5 * slope
        output *= slope
        total = _sums(output * weight)
        np.multiply(slope, weight, out=output)
        return total


@dataclass(frozen=True, slots=True)
class Pinball:
    """The quantile loss: an output a target and level. With e = target - output: level e, or (level - 1) e where e < 0.

    The mean over the levels. Outputs are ordered by target, then level. Source: Koenker and Bassett 1978.
    """

    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise TrainingError(f"pinball levels {self.levels}: one or more within (0, 1) are needed")

    def outputs(self, targets: int) -> int:
        return targets * len(self.levels)

    def settle(self, output: Array, target: Array, weight: Array) -> Array:
        """See Loss.settle."""
        levels = np.asarray(self.levels, output.dtype)
        error = target[..., None] - output.reshape(*target.shape, len(levels))
        slope = (levels - (error < 0)).astype(output.dtype) * (weight / len(levels))[..., None]
        total = _sums(slope * error)
        np.negative(slope.reshape(output.shape), out=output)
        return total


@dataclass(frozen=True, slots=True)
class StudentT:
    """Negative log likelihood of a Student-t. Outputs of a target: location, log scale, log(dof - 2); so dof > 2."""

    def outputs(self, targets: int) -> int:
        return 3 * targets

    def settle(self, output: Array, target: Array, weight: Array) -> Array:
        """See Loss.settle."""
        parts = output.reshape(*target.shape, 3)
        excess = np.exp(parts[..., 2])
        nll, by_error, by_log_scale, by_dof = student_t_nll(target - parts[..., 0], parts[..., 1], excess + 2)
        for place, gradient in enumerate((-by_error, by_log_scale, by_dof * excess)):
            np.multiply(gradient, weight, out=parts[..., place])
        return _sums(nll * weight)


def loss_of(name: str, levels: Sequence[float] = ()) -> Loss:
    """Return the loss of a name: squared, huber, student_t, or pinball over some levels."""
    if name == "pinball":
        return Pinball(tuple(levels))
    simple: dict[str, Loss] = {"squared": SquaredError(), "huber": Huber(), "student_t": StudentT()}
    if name not in simple:
        raise TrainingError(f"loss {name!r}: one of {', '.join([*simple, 'pinball'])} is needed")
    return simple[name]


def student_t_nll(error: Array, log_scale: Array, dof: Array) -> tuple[Array, Array, Array, Array]:
    """Return the negative log likelihood of a Student-t and its gradients by error, log scale and dof.

    error: target - location. All arrays of one shape; dof > 0. Source: Lange, Little and Taylor 1989.
    """
    inverse_scale = np.exp(-log_scale)
    u = error * inverse_scale
    square = u * u
    ratio, ratio_slope = log_gamma_ratio(dof)
    share = square / dof
    tail = np.log1p(share)
    pull = (dof + 1) / (dof + square)
    nll = log_scale - ratio + 0.5 * np.log(dof * np.pi) + 0.5 * (dof + 1) * tail
    by_dof = 0.5 * (tail + 1 / dof - pull * share) - ratio_slope
    return nll, pull * u * inverse_scale, 1 - pull * square, by_dof


def log_gamma_ratio(x: Array) -> tuple[Array, Array]:
    """Return log Gamma((x + 1) / 2) - log Gamma(x / 2) and its derivative, within 1e-7 for x > 1.

    Three exact steps of the recurrence, then the ratio's asymptotic series: five times as fast as two calls of a gamma
    function. Source: Tricomi and Erdelyi 1951, The asymptotic expansion of a ratio of gamma functions.
    """
    product, slope = np.ones_like(x), np.zeros_like(x)
    y = x
    for _ in range(RAISES):
        product = product * (y / (y + 1))
        slope = slope + 1 / (y * (y + 1))
        y = y + 2
    inverse = 1 / y
    square = inverse * inverse
    series = inverse * (-1 / 4 + square * (1 / 24 + square * (-1 / 20 + square * (17 / 112))))
    series_slope = square * (1 / 4 + square * (-1 / 8 + square * (1 / 4 - square * (17 / 16))))
    return np.log(product) + 0.5 * np.log(y * 0.5) + series, slope + 0.5 * inverse + series_slope


def _sums(values: Array) -> Array:
    # Row by row, in one order whatever K is.
    return np.array([row.ravel().sum() for row in values], values.dtype)


def _weighted_squares(values: Array, weight: Array) -> Array:
    """Return the sums (K,) of weight x values^2: one product a network where all weigh the same."""
    if weight.ndim:
        return _sums(values * values * weight)
    rows = values.reshape(len(values), 1, -1)
    sums: Array = weight * np.matmul(rows, rows.swapaxes(1, 2))[:, 0, 0]
    return sums
