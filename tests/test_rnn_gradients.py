"""Gradients in float64, before clipping: every param's against central differences, and what must not move them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.rnn_builders import Floats, gradient_error, inputs_of, point_loss
from tickercast.rnn.cells import CELLS
from tickercast.rnn.density import DensityLayout, DensityLoss, density_shape
from tickercast.rnn.features import NAMES
from tickercast.rnn.network import Unroll
from tickercast.rnn.params import NetworkShape, initial_params, weights_of
from tickercast.rnn.unrolling import first_reached

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


def truncated_gradient(cell: str, layers: int, first: int) -> Floats:
    """Return the gradient of 2 networks, cut every 4 of 11 sessions, where only the last session has a loss."""
    shape = NetworkShape(3, 4, 2, cell=cell, layers=layers)
    rng = np.random.default_rng(2)
    params = initial_params([1, 2], shape, np.float64) + rng.normal(0, 0.2, (2, shape.size))
    gradient = np.zeros_like(params)
    unroll = Unroll(2, 5, 11, shape, np.float64)
    unroll.load(rng.normal(size=(2, 5, 11, 3)))
    unroll.forward(weights_of(params, shape))
    unroll.d_hidden(0)[...] = 0
    unroll.d_hidden(10)[...] = rng.normal(size=(2, 5, 4))
    unroll.backward(weights_of(gradient, shape), first, truncation=4)
    return gradient


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_sessions_that_no_gradient_reaches_are_left_out_of_it(cell: str, layers: int) -> None:
    assert np.allclose(truncated_gradient(cell, layers, 10), truncated_gradient(cell, layers, 0), rtol=1e-12, atol=1e-15)


REACHED = [(10, 0, 0), (10, 4, 7), (7, 4, 7), (6, 4, 3), (0, 4, 0), (10, 11, 0), (10, 50, 0), (10, 1, 10)]


@pytest.mark.parametrize(("first", "truncation", "expected"), REACHED)
def test_a_gradient_reaches_whole_blocks_from_the_last_session_on(first: int, truncation: int, expected: int) -> None:
    assert first_reached(11, first, truncation) == expected


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
