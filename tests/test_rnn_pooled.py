"""Windows that a prior's fit draws: from which histories, and without which context."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.rnn_builders import inputs_of
from tickercast.rnn.context import REPORT_NAMES
from tickercast.rnn.density import DensityLayout, density_shape
from tickercast.rnn.features import NAMES, DensityInputs
from tickercast.rnn.pooled import PooledDensityLoss, Sampling

LAYOUT = DensityLayout(window=30, burn_in=5, held_out=0)
SHAPE = density_shape(len(NAMES), 4, 2, "gru")


def marked(histories: int) -> DensityInputs:
    """Return inputs whose first feature is the number of the history, and all others one."""
    inputs = inputs_of(histories, 120, 2)
    features = np.ones_like(inputs.features)
    features[..., 0] = np.arange(histories)[:, None]
    return replace(inputs, features=features)


def drawn(inputs: DensityInputs, own: list[bool], *, without: float = 0.0, seed: int = 1) -> DensityInputs:
    loss = PooledDensityLoss(inputs, SHAPE, LAYOUT, Sampling(2000, without), own=np.array(own), seed=seed)
    return loss._drawn()


def test_half_of_the_windows_are_of_a_priors_own_histories() -> None:
    first = drawn(marked(5), [True, False, False, False, False]).features[:, 0, 0]
    assert 0.45 < np.mean(first == 0) < 0.55


def test_no_window_begins_before_its_history() -> None:
    inputs = replace(marked(2), starts=np.array([0, 80]))
    inputs.features[1, :80] = 99.0
    assert drawn(inputs, [True, True]).features.max() == 1


def test_a_window_is_consecutive_sessions_of_one_history() -> None:
    inputs = marked(3)
    inputs.features[..., 1] = np.arange(120)
    windows = drawn(inputs, [True, True, True]).features
    assert (np.diff(windows[..., 1], axis=1) == 1).all()
    assert (np.ptp(windows[..., 0], axis=1) == 0).all()


def test_context_is_left_out_of_its_share_of_windows_and_of_whole_windows() -> None:
    report = NAMES.index(REPORT_NAMES[0])
    features = drawn(marked(3), [True, True, True], without=0.2).features
    assert 0.17 < np.mean(features[:, 0, report] == 0) < 0.23
    assert (np.ptp(features[..., report], axis=1) == 0).all()
    assert features[..., 1].all()


def test_the_same_seed_draws_the_same_windows() -> None:
    first, again, other = (drawn(marked(3), [True] * 3, seed=seed).features for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
