"""Optimizers, schedules and clipping against arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tickercast.rnn.optimizers import OPTIMIZERS, SCHEDULES, clip_by_norm, gradient_norms, no_moments


def after_steps(optimizer: str, gradients: list[float], param: float = 1.0) -> float:
    """Return a param after a step of rate 0.1 along each gradient."""
    params = np.array([[param]])
    moments = no_moments(params)
    for gradient in gradients:
        OPTIMIZERS[optimizer].step(params, np.array([[gradient]]), moments, 0.1)
    return float(params[0, 0])


def test_adams_first_step_is_the_learning_rate_whatever_the_gradients_size() -> None:
    """m = 0.1 g and v = 0.001 g^2, so m / sqrt(v) times sqrt(0.001) / 0.1 is the sign of g."""
    assert np.isclose(after_steps("adam", [5.0]), 0.9, atol=1e-6)
    assert np.isclose(after_steps("adam", [-0.01]), 1.1, atol=1e-5)


def test_adamw_first_shrinks_the_param() -> None:
    """By the factor 1 - 0.1 x 0.01 = 0.999, then the step of 0.1 as Adam's."""
    assert np.isclose(after_steps("adamw", [5.0], param=2.0), 2.0 * 0.999 - 0.1, atol=1e-6)


def test_momentum_adds_nine_tenths_of_the_last_step() -> None:
    """v = 1, then 0.9 + 1 = 1.9: 1 - 0.1 - 0.19 = 0.71."""
    assert np.isclose(after_steps("sgd", [1.0, 1.0]), 0.71)


def test_clipping_scales_only_the_network_beyond_the_limit() -> None:
    gradients = np.array([[3.0, 4.0], [0.3, 0.4]])
    norms = gradient_norms(gradients)
    clip_by_norm(gradients, norms, 1.0)
    assert np.allclose(norms, [5.0, 0.5])
    assert np.allclose(gradients, [[0.6, 0.8], [0.3, 0.4]])


@pytest.mark.parametrize(
    ("schedule", "epoch", "epochs", "factor"),
    [
        ("constant", 7, 10, 1.0),
        ("half_cosine", 0, 3, 1.0),
        ("half_cosine", 1, 3, 0.75),  # (1 + cos 60 degrees) / 2
        ("half_cosine", 2, 3, 0.25),  # (1 + cos 120 degrees) / 2
        ("linear_warm_up", 0, 100, 0.1),  # the first ten of 100 epochs rise to 1
        ("linear_warm_up", 5, 100, 0.6),
        ("linear_warm_up", 50, 100, 1.0),
    ],
)
def test_a_schedule_gives_the_factor_by_hand(schedule: str, epoch: int, epochs: int, factor: float) -> None:
    assert np.isclose(SCHEDULES[schedule](epoch, epochs), factor)
