"""A stack: no neighbours, diverging ones included, the untrained network is the baseline, learning does learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnn.density import DensityTraining
from rnn.errors import ShapeError
from rnn.features import Measures, density_inputs
from rnn.forecasting import forecast_density, forecast_point
from rnn.network import NetworkShape, initial_params, weights_of
from rnn.training import cold_density, cold_point, concatenate, train_density, train_point
from tests.test_rnn_gradients import measures_of

SETTINGS = DensityTraining(window=60)


def one_of(measures: Measures, k: int) -> Measures:
    columns = (measures.log_return, measures.range_variance, measures.gap, measures.log_volume)
    return Measures(*(np.ascontiguousarray(column[k : k + 1]) for column in columns))


@pytest.mark.parametrize("k", [0, 7, 19])
def test_a_network_trains_to_the_same_bytes_alone_and_in_a_stack_of_twenty(k: int) -> None:
    measures = measures_of(20, 200)
    stack, alone = density_inputs(measures, 5), density_inputs(one_of(measures, k), 5)
    together = train_density(cold_density(range(20), stack, 16), stack, 5, SETTINGS)
    single = train_density(cold_density([k], alone, 16), alone, 5, SETTINGS)
    ours, theirs = forecast_density(together.state, stack, 60), forecast_density(single.state, alone, 60)
    assert together.state.params[k].tobytes() == single.state.params[0].tobytes()
    assert together.train_loss[:, k].tobytes() == single.train_loss[:, 0].tobytes()
    assert [a[k].tobytes() for a in (ours.location, ours.scale, ours.dof)] == [
        a[0].tobytes() for a in (theirs.location, theirs.scale, theirs.dof)
    ]


def test_a_diverging_network_keeps_its_params_and_leaves_its_neighbours_alone() -> None:
    inputs = density_inputs(measures_of(3, 200), 2)
    features = inputs.features.copy()
    features[1, 150, 0] = np.nan
    state = cold_density([1, 2, 3], inputs, 8)
    sound = train_density(state, inputs, 5, SETTINGS)
    broken = train_density(state, replace(inputs, features=features), 5, SETTINGS)
    assert broken.diverged.tolist() == [False, True, False]
    assert broken.state.params[1].tobytes() == state.params[1].tobytes()
    assert broken.state.params[[0, 2]].tobytes() == sound.state.params[[0, 2]].tobytes()


def test_an_untrained_network_forecasts_the_baseline() -> None:
    inputs = density_inputs(measures_of(4, 200), 5)
    forecast = forecast_density(cold_density([1, 2, 3, 4], inputs, 16), inputs, 60)
    assert np.allclose(forecast.scale, inputs.baseline_scale, rtol=1e-6)
    assert np.allclose(forecast.dof, inputs.baseline_dof, rtol=1e-6)
    assert not forecast.location.any()


def test_warm_steps_in_two_parts_are_the_steps_in_one() -> None:
    inputs = density_inputs(measures_of(2, 200), 2)
    state = cold_density([1, 2], inputs, 8)
    once = train_density(state, inputs, 6, SETTINGS).state
    part = train_density(state, inputs, 2, SETTINGS).state
    assert train_density(concatenate([part.one(0), part.one(1)]), inputs, 4, SETTINGS).state.params.tobytes() == (
        once.params.tobytes()
    )


def test_a_flat_series_without_volume_gives_finite_inputs_and_forecasts() -> None:
    zero = np.zeros((1, 200))
    inputs = density_inputs(Measures(zero, zero, zero, zero), 5)
    training = train_density(cold_density([1], inputs, 8), inputs, 5, SETTINGS)
    forecast = forecast_density(training.state, inputs, 60)
    assert np.isfinite(inputs.features).all()
    assert np.isfinite(forecast.scale).all()


def test_a_point_network_learns_a_sine() -> None:
    wave = np.sin(np.arange(400) / 5)
    views = np.lib.stride_tricks.sliding_window_view(wave, 21)
    windows = views[None, :, :20, None].astype(np.float32)
    targets = views[None, :, 20:].astype(np.float32)
    training = train_point(cold_point([3], hidden=12), windows, targets, 30, batch=32, learning_rate=0.01, seeds=[3])
    error = forecast_point(training.state, windows)[0] - targets[0, :, 0]
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_params_of_another_size_are_refused() -> None:
    shape = NetworkShape(6, 16, 10, extras=5)
    with pytest.raises(ShapeError, match="543"):
        weights_of(np.zeros((2, 99)), shape)
    assert initial_params([1], shape).shape == (1, 543)
