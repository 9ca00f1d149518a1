"""Gradients in float64, before clipping: every param's against central differences, and what must not move them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from rnn.cells import CELLS
from rnn.density import DensityLayout, DensityLoss, density_shape
from rnn.features import NAMES
from rnn.params import initial_params
from tests.rnn_builders import Floats, gradient_error, inputs_of, point_loss

pytestmark = pytest.mark.slow

LAYOUT = DensityLayout(window=12, burn_in=3, held_out=5)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_gradients_of_the_squared_error_are_exact(cell: str, layers: int) -> None:
    loss, params, chosen = point_loss(cell, layers)
    assert gradient_error(partial(loss.loss_and_gradient, chosen=chosen), params) < 1e-6


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("horizons", [1, 3])
def test_gradients_of_the_density_loss_are_exact(cell: str, layers: int, horizons: int) -> None:
    shape = density_shape(len(NAMES), 2, horizons, cell, layers)
    loss = DensityLoss(inputs_of(2, 50, horizons), shape, LAYOUT)
    params = initial_params([1, 2], shape, np.float64)
    params += np.random.default_rng(5).normal(0, 0.2, params.shape)
    assert gradient_error(loss.loss_and_gradient, params) < 1e-6


def pooled_loss(cell: str, target_before_start: float = 0.0) -> tuple[DensityLoss, Floats]:
    """Return the loss of two networks over three histories each, shrunk towards an anchor, and params.

    The second history starts at session 60; its targets before it are target_before_start.
    """
    inputs, rng = inputs_of(6, 110, 2), np.random.default_rng(5)
    targets = inputs.targets.copy()
    targets[1, :60] = target_before_start
    inputs = replace(inputs, targets=targets, starts=np.array([0, 60, 0, 0, 75, 0]))
    shape = density_shape(len(NAMES), 4, 2, cell)
    anchor = rng.normal(0, 0.2, (2, shape.size))
    loss = DensityLoss(inputs, shape, replace(LAYOUT, held_out=0), members=3, anchor=anchor)
    return loss, initial_params([1, 2], shape, np.float64) + rng.normal(0, 0.2, (2, shape.size))


@pytest.mark.parametrize("cell", ["elman", "gru"])
def test_gradients_of_pooled_histories_shrunk_to_an_anchor_are_exact(cell: str) -> None:
    loss, params = pooled_loss(cell)
    assert gradient_error(loss.loss_and_gradient, params) < 1e-6


def density_gradient(loss: DensityLoss, params: Floats) -> Floats:
    gradient = np.zeros_like(params)
    loss.loss_and_gradient(params, gradient)
    return gradient


def test_targets_before_a_historys_start_move_no_gradient() -> None:
    loss, params = pooled_loss("gru")
    changed, _ = pooled_loss("gru", target_before_start=9.0)
    assert np.array_equal(density_gradient(loss, params), density_gradient(changed, params))


def test_held_out_targets_move_no_gradient() -> None:
    inputs, shape = inputs_of(1, 110, 1), density_shape(len(NAMES), 4, 1)
    targets = inputs.targets.copy()
    targets[:, -10:] = 99.0
    layout = replace(LAYOUT, held_out=10)
    loss, changed = (DensityLoss(each, shape, layout) for each in (inputs, replace(inputs, targets=targets)))
    params = initial_params([1], shape, np.float64) + 0.01
    assert np.array_equal(density_gradient(loss, params), density_gradient(changed, params))
    assert loss.validation != changed.validation
