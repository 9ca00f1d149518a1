"""Every parameter's gradient against central differences in float64, before clipping."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from rnn.density import DensityLoss, DensityTraining
from rnn.features import DensityInputs, Measures, density_inputs
from rnn.losses import log_gamma_ratio, student_t_nll
from rnn.network import NetworkShape, initial_params
from rnn.point import PointLoss

Floats = NDArray[np.float64]
STEP = 1e-5


def measures_of(networks: int, sessions: int, seed: int = 0) -> Measures:
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, (networks, sessions)) * 0.01
    returns[:, 0] = np.nan
    return Measures(
        returns,
        np.abs(rng.normal(0, 1e-4, (networks, sessions))),
        rng.normal(0, 0.003, (networks, sessions)),
        rng.normal(14, 0.3, (networks, sessions)),
    )


def inputs_of(networks: int, sessions: int, horizons: int) -> DensityInputs:
    return density_inputs(measures_of(networks, sessions), horizons, np.float64)


def differences(value: Callable[[Floats], Floats], params: Floats) -> Floats:
    """Return central differences (K, P) of losses (K,)."""
    columns = []
    for j in range(params.shape[1]):
        up, down = params.copy(), params.copy()
        up[:, j] += STEP
        down[:, j] -= STEP
        columns.append((value(up) - value(down)) / (2 * STEP))
    return np.stack(columns, axis=1)


def relative_error(ours: Floats, theirs: Floats) -> float:
    """Return the largest difference, relative to the gradient's own size."""
    return float((np.abs(ours - theirs) / np.maximum(np.abs(theirs), np.abs(theirs).max() * 1e-3)).max())


@pytest.mark.parametrize("horizons", [1, 3])
@pytest.mark.parametrize("held_out", [0, 5])
def test_density_gradients_are_exact(horizons: int, held_out: int) -> None:
    settings = DensityTraining(window=40, burn_in=8, held_out=held_out)
    loss = DensityLoss(inputs_of(3, 110, horizons), 4, settings)
    params = initial_params([1, 2, 3], loss.shape, np.float64)
    params += np.random.default_rng(5).normal(0, 0.2, params.shape)
    gradient = np.zeros_like(params)
    loss.value_and_gradient(params, gradient)
    spare = np.zeros_like(params)
    numeric = differences(lambda p: loss.value_and_gradient(p, spare)[0].copy(), params)
    assert relative_error(gradient, numeric) < 1e-6


def test_point_gradients_are_exact() -> None:
    rng = np.random.default_rng(1)
    shape = NetworkShape(1, 5, 1)
    windows, targets = rng.normal(size=(2, 7, 9, 1)), rng.normal(size=(2, 7, 1))
    params = initial_params([1, 2], shape, np.float64) + rng.normal(0, 0.3, (2, shape.size))
    loss, gradient, spare = PointLoss(windows, targets, shape), np.zeros_like(params), np.zeros_like(params)
    chosen = np.stack([rng.permutation(7)[:4] for _ in range(2)])
    loss.value_and_gradient(params, gradient, chosen)
    numeric = differences(lambda p: loss.value_and_gradient(p, spare, chosen).copy(), params)
    assert relative_error(gradient, numeric) < 1e-6


def test_held_out_targets_move_no_gradient() -> None:
    settings = DensityTraining(window=40, burn_in=8, held_out=10)
    inputs = inputs_of(1, 110, 1)
    changed = DensityInputs(
        inputs.names, inputs.features, inputs.targets.copy(), *(getattr(inputs, n) for n in
        ("unit_ratio", "sigma", "baseline_scale", "baseline_dof")),
    )  # fmt: skip
    changed.targets[:, -10:] = 99.0
    gradients = []
    for each in (inputs, changed):
        loss = DensityLoss(each, 4, settings)
        gradient = np.zeros((1, loss.shape.size))
        loss.value_and_gradient(initial_params([1], loss.shape, np.float64) + 0.01, gradient)
        gradients.append(gradient)
    assert np.array_equal(*gradients)


def test_student_t_likelihood_is_scipys() -> None:
    dof = np.array([2.2, 4.0, 9.0, 58.0])
    u, log_scale = np.array([0.3, -2.0, 5.0, 0.0]), np.log(np.array([0.5, 1.0, 2.0, 3.0]))
    density = (
        special.gammaln((dof + 1) / 2) - special.gammaln(dof / 2) - 0.5 * np.log(dof * np.pi)
        - log_scale - (dof + 1) / 2 * np.log1p((u / np.exp(log_scale)) ** 2 / dof)
    )  # fmt: skip
    assert np.allclose(student_t_nll(u, log_scale, dof)[0], -density, atol=1e-7)


def test_the_gamma_ratio_and_its_slope_are_scipys() -> None:
    x = np.linspace(2.0, 80.0, 200)
    value, slope = log_gamma_ratio(x)
    assert np.allclose(value, special.gammaln((x + 1) / 2) - special.gammaln(x / 2), atol=1e-7)
    assert np.allclose(slope, 0.5 * (special.digamma((x + 1) / 2) - special.digamma(x / 2)), atol=1e-7)
