"""Random histories, stacks with their losses, and numerical derivatives, for the tests of rnn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.features import DensityInputs, Measures, density_inputs
from tickercast.rnn.params import NetworkShape, initial_params
from tickercast.rnn.supervised import SupervisedLoss, Windows

Floats = NDArray[np.float64]
STEP = 1e-5


def measures_of(networks: int, sessions: int, seed: int = 0) -> Measures:
    """Return random measures of some histories, with the spread of daily prices."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, (networks, sessions)) * 0.01
    returns[:, 0] = np.nan
    return Measures(
        log_return=returns,
        range_variance=np.abs(rng.normal(0, 1e-4, (networks, sessions))),
        gap=rng.normal(0, 0.003, (networks, sessions)),
        log_volume=rng.normal(14, 0.3, (networks, sessions)),
    )


def inputs_of(networks: int, sessions: int, horizons: int) -> DensityInputs:
    """Return the density inputs of random histories, in float64."""
    return density_inputs(measures_of(networks, sessions), horizons, np.float64)


def point_loss(
    cell: str, layers: int, *, networks: int = 2, hidden: int = 3, features: int = 2, sessions: int = 5, outputs: int = 2,
    truncation: int = 0,
) -> tuple[SupervisedLoss, Floats, NDArray[np.intp]]:  # fmt: skip
    """Return a loss over four random windows per network, params away from any symmetry, and a batch of three windows."""
    rng = np.random.default_rng([networks, hidden, features, sessions])
    inputs = rng.normal(size=(networks, 4, sessions, features))
    targets = rng.normal(0, 2, size=(networks, 4, outputs))
    shape = NetworkShape(features, hidden, outputs, cell=cell, layers=layers)
    params = initial_params(range(networks), shape, np.float64) + rng.normal(0, 0.3, (networks, shape.size))
    chosen = np.stack([rng.permutation(4)[:3] for _ in range(networks)])
    loss = SupervisedLoss(Windows(inputs, targets), shape, range(networks), batch=3, truncation=truncation)
    return loss, params, chosen


def differences(loss: Callable[[Floats], Floats], params: Floats) -> Floats:
    """Return the central differences (K, P) of losses (K,) at params (K, P)."""
    columns = []
    for j in range(params.shape[1]):
        up, down = params.copy(), params.copy()
        up[:, j] += STEP
        down[:, j] -= STEP
        columns.append((loss(up) - loss(down)) / (2 * STEP))
    return np.stack(columns, axis=1)


def gradient_error(loss_and_gradient: Callable[[Floats, Floats], Floats], params: Floats) -> float:
    """Return the largest difference of the gradient from the central differences, relative to the gradient's own size."""
    gradient, unused = np.zeros_like(params), np.zeros_like(params)
    loss_and_gradient(params, gradient)
    numeric = differences(lambda p: loss_and_gradient(p, unused).copy(), params)
    size = np.maximum(np.abs(numeric), np.abs(numeric).max() * 1e-3)
    return float((np.abs(gradient - numeric) / size).max())
