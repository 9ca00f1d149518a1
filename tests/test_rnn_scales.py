"""Factors that a ticker learns on the scales of a prior: against closed forms, and independent of other tickers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.rnn_builders import measures_of
from tickercast.rnn.checkpoints import scales_from_bytes, scales_to_bytes
from tickercast.rnn.density import density_shape, forecast_density
from tickercast.rnn.errors import CheckpointError
from tickercast.rnn.features import NAMES, DensityInputs, density_inputs
from tickercast.rnn.scales import (
    PSEUDO_TARGETS,
    Outputs,
    Scales,
    all_outputs,
    forecast_with,
    learned,
    newest_outputs,
    no_scales,
    settled,
)
from tickercast.rnn.state import State, cold_state

HORIZONS = 3
RNG = np.random.default_rng(8)


def prior() -> State:
    state = cold_state([3], density_shape(len(NAMES), 32, HORIZONS, "gru"))
    state.params[...] += RNG.normal(0, 0.1, state.params.shape).astype(np.float32)
    return state


PRIOR = prior()


def inputs(networks: int = 3, sessions: int = 300) -> DensityInputs:
    return density_inputs(measures_of(networks, sessions), HORIZONS)


def outputs_of(target: np.ndarray, dof: float = 6.0) -> Outputs:
    """Return the outputs of one history that say the same in every session."""
    same = np.ones((1, len(target), HORIZONS))
    return Outputs(np.arange(len(target)), 0 * same, dof * same, 0 * same, np.repeat(target[None, :, None], HORIZONS, axis=2))


def test_a_prior_without_learned_scales_forecasts_what_its_network_does() -> None:
    data = inputs()
    stack = State(PRIOR.shape, np.repeat(PRIOR.params, 3, axis=0), cold_state([1, 2, 3], PRIOR.shape).moments)
    plain = forecast_density(stack, data, 100)
    ours = forecast_with(no_scales(3, HORIZONS), newest_outputs(PRIOR, data, 100), data)
    for name in ("location", "scale", "dof"):
        assert np.allclose(getattr(plain, name), getattr(ours, name), rtol=2e-6)


@pytest.mark.parametrize("networks", [2, 70])
def test_a_tickers_bytes_do_not_depend_on_the_others_of_its_stack(networks: int) -> None:
    data = inputs(networks)
    chosen = np.array([networks - 1])
    for outputs in (newest_outputs, all_outputs):
        together, alone = outputs(PRIOR, data, 100), outputs(PRIOR, data.rows(chosen), 100)
        assert together.log_scale[chosen].tobytes() == alone.log_scale.tobytes()
        assert together.dof[chosen].tobytes() == alone.dof.tobytes()


def test_the_score_is_the_slope_of_the_likelihood_and_the_information_its_expected_curvature() -> None:
    target = RNG.normal(0, 2, 200)
    counted = np.ones((200, HORIZONS), np.bool_)
    sums = learned(no_scales(1, HORIZONS), outputs_of(target), counted)
    step = 1e-5
    up, down = (stats.t.logpdf(target, 6.0, scale=np.exp(s)).sum() for s in (step, -step))
    assert sums.score[0, 0] == pytest.approx((up - down) / (2 * step), rel=1e-6)
    assert sums.information[0, 0] == pytest.approx(200 * 2 * 6 / 9)


def test_factors_shrink_as_if_so_many_targets_had_agreed_with_the_prior() -> None:
    sums = Scales(np.array([[300.0, 300.0]]), np.array([[1500.0, 1500.0]]), np.array([[1000.0, 1000.0]]))
    expected = [0.2 * 1000 / (1000 + PSEUDO_TARGETS), 0.2 * 1000 / (1000 + 2 * PSEUDO_TARGETS)]
    assert np.allclose(sums.log_factors, [expected])


def test_many_targets_of_twice_the_width_double_the_scale_nearly() -> None:
    target = stats.t.ppf((np.arange(200_000) + 0.5) / 200_000, 6.0) * 1.1
    sums = learned(no_scales(1, HORIZONS), outputs_of(target), np.ones((200_000, HORIZONS), np.bool_))
    assert np.exp(sums.log_factors[0, 0]) == pytest.approx(1.1, abs=0.01)


def test_only_targets_that_are_known_count() -> None:
    outputs = newest_outputs(PRIOR, inputs(1), 100)
    known = settled(outputs, 299)
    assert [int(outputs.session[column].max()) for column in known.T] == [298, 297, 296]


def test_a_session_more_adds_one_target_of_each_horizon() -> None:
    outputs = newest_outputs(PRIOR, inputs(1), 100)
    new = settled(outputs, 299) & ~settled(outputs, 298)
    assert new.sum(axis=0).tolist() == [1, 1, 1]


def test_targets_that_are_not_counted_change_nothing() -> None:
    data = inputs(1)
    outputs = newest_outputs(PRIOR, data, 100)
    wild = replace(outputs, target=np.where(settled(outputs, 290), outputs.target, 50.0))
    counted = settled(outputs, 290)
    plain, changed = (learned(no_scales(1, HORIZONS), each, counted) for each in (outputs, wild))
    assert np.array_equal(plain.score, changed.score)


def test_windows_of_a_whole_history_cover_each_session_once() -> None:
    outputs = all_outputs(PRIOR, inputs(2, 451), 100)
    assert np.array_equal(np.diff(outputs.session), np.ones(len(outputs.session) - 1))
    assert outputs.session[-1] == 450
    assert outputs.log_scale.shape == (2, len(outputs.session), HORIZONS)


def test_a_checkpoint_of_scales_gives_every_float_back() -> None:
    scales = Scales(*(RNG.normal(0, 1, (1, 5)) for _ in range(3)))
    read, meta = scales_from_bytes(scales_to_bytes(scales, {"ticker": "MSFT"}))
    assert read.score.tobytes() == scales.score.tobytes()
    assert read.targets.tobytes() == scales.targets.tobytes()
    assert meta == {"ticker": "MSFT"}


@pytest.mark.parametrize("content", [b"{", b'{"score":[1],"information":[1,2],"targets":[1],"meta":{}}', b'{"score":[1]}', b"{}"])
def test_a_damaged_checkpoint_of_scales_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointError):
        scales_from_bytes(content)
