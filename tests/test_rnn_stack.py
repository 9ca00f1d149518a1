"""A stack: each network has the bytes it has alone, the untrained network is the baseline, and training lowers the error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rnn_builders import measures_of
from tickercast.rnn.cells import CELLS
from tickercast.rnn.density import DensityLayout, DensityLoss, ForecastDistribution, density_shape, forecast_density
from tickercast.rnn.errors import InputError, ShapeError, TrainingError
from tickercast.rnn.features import NAMES, DensityInputs, density_inputs
from tickercast.rnn.network import Unroll
from tickercast.rnn.params import NetworkShape, initial_params, weights_of
from tickercast.rnn.state import State, cold_state, concatenate, noisy_state
from tickercast.rnn.supervised import SupervisedLoss, Windows, forecast_point
from tickercast.rnn.training import Training, TrainingSettings, train

LAYOUT = DensityLayout(window=60)
SMALL_SHAPE = density_shape(len(NAMES), 4, 2)
FIVE = TrainingSettings(epochs=5, learning_rate=0.003)


def density(
    inputs: DensityInputs, seeds: range, settings: TrainingSettings = FIVE, **shape: object
) -> tuple[Training, ForecastDistribution]:
    """Return a cold training on some inputs and its forecasts."""
    sizes = density_shape(inputs.features.shape[2], 16, inputs.targets.shape[2], **shape)  # type: ignore[arg-type]
    training = train(cold_state(seeds, sizes), DensityLoss(inputs, sizes, LAYOUT), settings)
    return training, forecast_density(training.state, inputs, LAYOUT.window)


def bytes_of(training: Training, k: int) -> tuple[bytes, ...]:
    state = training.state
    arrays = (state.params, state.moments.mean, state.moments.square, training.train_loss.T, training.validation_loss.T)
    return (*(array[k].tobytes() for array in arrays), bytes(training.faults[k], "utf8"))


@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("k", [0, 19])
def test_a_network_trains_to_the_same_bytes_alone_and_in_a_stack_of_twenty(cell: str, k: int) -> None:
    stack = density_inputs(measures_of(20, 200), 5)
    together, ours = density(stack, range(20), cell=cell, layers=2)
    single, theirs = density(stack.rows(np.array([k])), range(k, k + 1), cell=cell, layers=2)
    assert together.state.params[k].tobytes() == single.state.params[0].tobytes()
    assert together.train_loss[:, k].tobytes() == single.train_loss[:, 0].tobytes()
    assert [a[k].tobytes() for a in (ours.location, ours.scale, ours.dof)] == [
        a[0].tobytes() for a in (theirs.location, theirs.scale, theirs.dof)
    ]


@pytest.fixture(scope="module")
def five_hundred() -> tuple[DensityInputs, Training]:
    """A stack of 500 in which network 77 diverges and most others stop early, each at an epoch of its own."""
    inputs = density_inputs(measures_of(500, 200), 2)
    targets = inputs.targets.copy()
    targets[77] *= 1e20
    inputs = replace(inputs, targets=targets)
    settings = TrainingSettings(epochs=14, learning_rate=0.05, patience=2)
    return inputs, density(inputs, range(500), settings)[0]


def test_in_a_stack_of_500_some_stop_early_and_one_diverges(five_hundred: tuple[DensityInputs, Training]) -> None:
    _, training = five_hundred
    assert np.flatnonzero(training.diverged).tolist() == [77]
    assert "in epoch 1" in training.faults[77]
    assert len(set(training.epochs.tolist())) > 4
    assert training.epochs.max() > 10


@pytest.mark.parametrize("k", [0, 76, 77, 78, 250, 499])
def test_a_network_of_500_has_the_bytes_it_has_alone(k: int, five_hundred: tuple[DensityInputs, Training]) -> None:
    inputs, together = five_hundred
    settings = TrainingSettings(epochs=14, learning_rate=0.05, patience=2)
    alone, _ = density(inputs.rows(np.array([k])), range(k, k + 1), settings)
    n = len(alone.train_loss)
    cut = replace(together, train_loss=together.train_loss[:n], validation_loss=together.validation_loss[:n])
    assert bytes_of(cut, k) == bytes_of(alone, 0)


def test_a_diverging_network_keeps_its_params_and_leaves_its_neighbours_alone() -> None:
    inputs = density_inputs(measures_of(3, 200), 2)
    targets = inputs.targets.copy()
    targets[1] = 1e30
    shape = density_shape(len(NAMES), 8, 2)
    state = cold_state([1, 2, 3], shape)
    sound = train(state, DensityLoss(inputs, shape, LAYOUT), FIVE)
    broken = train(state, DensityLoss(replace(inputs, targets=targets), shape, LAYOUT), FIVE)
    assert broken.diverged.tolist() == [False, True, False]
    assert broken.epochs.tolist() == [5, 1, 5]
    assert broken.state.params[1].tobytes() == state.params[1].tobytes()
    assert broken.state.params[[0, 2]].tobytes() == sound.state.params[[0, 2]].tobytes()


def test_a_loss_beyond_the_limit_has_diverged() -> None:
    inputs = density_inputs(measures_of(2, 200), 2)
    training, _ = density(inputs, range(2), replace(FIVE, loss_limit=0.01))
    assert all(fault.startswith("loss ") for fault in training.faults)


@pytest.mark.parametrize(("epochs", "patience"), [(60, 3), (12, 12)], ids=["stopped", "out of epochs"])
def test_a_network_with_patience_keeps_its_best_params(epochs: int, patience: int) -> None:
    inputs = density_inputs(measures_of(1, 200), 2)
    shape = density_shape(len(NAMES), 16, 2)
    loss = DensityLoss(inputs, shape, LAYOUT)
    training = train(cold_state([4], shape), loss, TrainingSettings(epochs=epochs, learning_rate=0.05, patience=patience))
    loss.loss_and_gradient(training.state.params, np.zeros_like(training.state.params))
    assert np.nanargmin(training.validation_loss) < training.epochs[0] - 1
    assert loss.validation[0] == np.nanmin(training.validation_loss)


def test_an_untrained_network_forecasts_the_baseline() -> None:
    inputs = density_inputs(measures_of(4, 200), 5)
    forecast = forecast_density(cold_state([1, 2, 3, 4], density_shape(len(NAMES), 16, 5)), inputs, 60)
    assert np.allclose(forecast.scale, inputs.baseline_scale, rtol=1e-6)
    assert np.allclose(forecast.dof, inputs.baseline_dof, rtol=1e-6)
    assert not forecast.location.any()


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_warm_steps_in_two_parts_are_the_steps_in_one(optimizer: str) -> None:
    inputs = density_inputs(measures_of(2, 200), 2)
    shape = density_shape(len(NAMES), 8, 2)
    loss, state = DensityLoss(inputs, shape, LAYOUT), cold_state([1, 2], shape)
    six, two, four = (TrainingSettings(epochs=n, learning_rate=0.003, optimizer=optimizer) for n in (6, 2, 4))
    once, part = train(state, loss, six).state, train(state, loss, two).state
    rejoined = concatenate([part.one(0), part.one(1)])
    assert train(rejoined, loss, four).state.params.tobytes() == once.params.tobytes()


def test_targets_before_a_networks_start_move_nothing() -> None:
    inputs = replace(density_inputs(measures_of(2, 200), 2), starts=np.array([0, 150]))
    targets = inputs.targets.copy()
    targets[1, :150] = 9.0
    plain, _ = density(inputs, range(2))
    changed, _ = density(replace(inputs, targets=targets), range(2))
    assert changed.state.params.tobytes() == plain.state.params.tobytes()


def test_a_flat_series_without_volume_gives_finite_inputs_and_forecasts() -> None:
    zero = np.zeros((1, 200))
    inputs = density_inputs(replace(measures_of(1, 200), log_return=zero, range_variance=zero, gap=zero, log_volume=zero), 5)
    _, forecast = density(inputs, range(1))
    assert np.isfinite(inputs.features).all()
    assert np.isfinite(forecast.scale).all()


def sine_windows() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    views = np.lib.stride_tricks.sliding_window_view(np.sin(np.arange(400) / 5), 21)
    return views[None, :, :20, None].astype(np.float32), views[None, :, 20:].astype(np.float32)


@pytest.fixture(scope="module")
def sine() -> State:
    inputs, targets = sine_windows()
    shape = NetworkShape(1, 12, 1)
    loss = SupervisedLoss(Windows(inputs, targets), shape, [3], batch=32)
    settings = TrainingSettings(epochs=40, learning_rate=0.01, schedule="half_cosine")
    return train(noisy_state([3], shape), loss, settings).state


def test_a_point_network_learns_a_sine(sine: State) -> None:
    inputs, targets = sine_windows()
    error = forecast_point(sine, inputs)[0, :, 0] - targets[0, :, 0]
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_steps_ahead_are_one_step_fed_back(sine: State) -> None:
    inputs, _ = sine_windows()
    path = forecast_point(sine, inputs[:, :3], steps=4)
    fed = np.concatenate([inputs[:, :3, 1:], path[:, :, :1, None]], axis=2)
    assert path.shape == (1, 3, 4)
    assert np.array_equal(path[..., 1], forecast_point(sine, fed)[..., 0])


def test_five_steps_ahead_follow_the_sine(sine: State) -> None:
    inputs, targets = sine_windows()
    path = forecast_point(sine, inputs[:, :-4], steps=5)
    assert np.sqrt(np.mean((path[0, :, 4] - targets[0, 4:, 0]) ** 2)) < 0.15


def test_params_of_another_size_are_refused() -> None:
    shape = NetworkShape(6, 16, 10, head_params=5)
    with pytest.raises(ShapeError, match="543"):
        weights_of(np.zeros((2, 99)), shape)
    assert initial_params([1], shape).shape == (1, 543)


WINDOW = np.zeros((2, 5, 7, 1))
TWO_OUTPUTS = NetworkShape(1, 4, 2)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Windows(WINDOW[..., 0], WINDOW[:, :, 0]), ShapeError, "4 axes"),
        (lambda: Windows(WINDOW, np.zeros((2, 4, 1))), ShapeError, "do not fit inputs"),
        (lambda: Windows(WINDOW, np.zeros((2, 5, 7, 1))), ShapeError, "do not fit inputs"),
        (lambda: Windows(WINDOW[:, :0], np.zeros((2, 0, 1))), InputError, "0 windows"),
        (lambda: Windows(WINDOW[:, :, :0], np.zeros((2, 5, 1))), InputError, "inputs of shape .* empty"),
        (lambda: Windows(WINDOW, np.full((2, 5, 1), np.nan)), InputError, r"targets of network 0 is nan at \(0, 0\)"),
        (lambda: NetworkShape(1, 4, 1, cell="rnn"), ShapeError, "elman, elman_relu, gru, lstm"),
        (lambda: NetworkShape(1, 4, 1, layers=4), ShapeError, "1..3"),
        (lambda: NetworkShape(0, 4, 1), ShapeError, "at least one"),
        (lambda: Unroll(1, 0, 5, NetworkShape(1, 4, 1), np.float32), InputError, "0 windows"),
        (lambda: TrainingSettings(5, 0.1, optimizer="lion"), TrainingError, "adam, adamw, sgd"),
        (lambda: TrainingSettings(5, 0.1, schedule="steps"), TrainingError, "half_cosine"),
        (lambda: TrainingSettings(5, 0.0), TrainingError, "learning_rate"),
        (lambda: SupervisedLoss(Windows(WINDOW, WINDOW[:, :, 0]), TWO_OUTPUTS, [1, 2], batch=2), ShapeError, "not fit 1 target"),
        (lambda: DensityLoss(density_inputs(measures_of(1, 40), 2), SMALL_SHAPE, LAYOUT), InputError, "40 sessions"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_on_is_refused_by_name(make: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()  # type: ignore[operator]


def test_inputs_that_are_not_finite_are_refused_by_place() -> None:
    inputs = density_inputs(measures_of(2, 200), 2)
    features = inputs.features.copy()
    features[1, 150, 3] = np.inf
    with pytest.raises(InputError, match=r"features of network 1 is inf at \(150, 3\)"):
        DensityLoss(replace(inputs, features=features), density_shape(len(NAMES), 4, 2), LAYOUT)
