"""Every parameter's gradient against central differences in float64, before clipping, and against reverse-mode autograd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy import special as aspecial
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from rnn.cells import CELLS
from rnn.density import DensityLayout, DensityLoss, PooledDensityLoss, density_shape
from rnn.features import NAMES, DensityInputs, Measures, density_inputs
from rnn.losses import Loss, Pinball, log_gamma_ratio, loss_of, student_t_nll
from rnn.params import NetworkShape, initial_params
from rnn.supervised import SupervisedLoss, Windows

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


LOSSES: dict[str, Loss] = {name: loss_of(name, (0.1, 0.5, 0.9)) for name in ("squared", "huber", "student_t", "pinball")}


def supervised(
    cell: str, layers: int, loss: Loss, *, networks: int = 2, hidden: int = 3, features: int = 2, sessions: int = 5,
    supervised_at: int = 3,
) -> tuple[SupervisedLoss, Floats, NDArray[np.intp]]:  # fmt: skip
    """Return a loss over weighted windows, params away from any symmetry, and a batch."""
    rng = np.random.default_rng([networks, hidden, features, sessions, supervised_at])
    inputs = rng.normal(size=(networks, 4, sessions, features))
    targets = rng.normal(0, 2, size=(networks, 4, supervised_at, 1))
    shape = NetworkShape(features, hidden, loss.outputs(1), cell=cell, layers=layers)
    weights = rng.uniform(0, 2, (networks, 4))
    params = initial_params(range(networks), shape, np.float64) + rng.normal(0, 0.3, (networks, shape.size))
    chosen = np.stack([rng.permutation(4)[:3] for _ in range(networks)])
    return SupervisedLoss(Windows(inputs, targets, weights), shape, range(networks), batch=3, loss=loss), params, chosen


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_gradients_are_exact(cell: str, layers: int, loss: str) -> None:
    objective, params, chosen = supervised(cell, layers, LOSSES[loss])
    gradient, spare = np.zeros_like(params), np.zeros_like(params)
    objective.value_and_gradient(params, gradient, chosen)
    numeric = differences(lambda p: objective.value_and_gradient(p, spare, chosen).copy(), params)
    assert relative_error(gradient, numeric) < 1e-6


@pytest.mark.parametrize("cell", sorted(CELLS))
def test_gradients_of_the_last_session_alone_are_exact(cell: str) -> None:
    objective, params, chosen = supervised(cell, 2, LOSSES["squared"], supervised_at=1)
    gradient, spare = np.zeros_like(params), np.zeros_like(params)
    objective.value_and_gradient(params, gradient, chosen)
    numeric = differences(lambda p: objective.value_and_gradient(p, spare, chosen).copy(), params)
    assert relative_error(gradient, numeric) < 1e-6


def plain_forward(params: Floats, inputs: Floats, shape: NetworkShape) -> Floats:
    """Return one network's outputs (B, T, O), written for autograd from the equations, a window of scalars at a time."""
    weights = weights_of_plain(params, shape)
    sequence = [inputs[:, t] for t in range(inputs.shape[1])]
    for layer in weights[0]:
        h = c = anp.zeros((len(inputs), shape.hidden))
        states = []
        for x in sequence:
            h, c = CELL_RULES[shape.cell](h, c, x, layer)
            states.append(h)
        sequence = states
    return anp.stack([h @ weights[1] + weights[2] for h in sequence], axis=1)


def weights_of_plain(params: Floats, shape: NetworkShape) -> tuple[list[Floats], Floats, Floats]:
    layers, start = [], 0
    for layer in range(shape.layers):
        size = shape.gates * shape.joined(layer) * shape.hidden
        layers.append(params[start : start + size].reshape(shape.gates, shape.joined(layer), shape.hidden))
        start += size
    end = start + shape.hidden * shape.outputs
    return layers, params[start:end].reshape(shape.hidden, shape.outputs), params[end : end + shape.outputs]


def gate(h: Floats, x: Floats, w: Floats) -> Floats:
    units = h.shape[1]
    return h @ w[:units] + x @ w[units:-1] + w[-1]


def sigmoid(a: Floats) -> Floats:
    return 1 / (1 + anp.exp(-a))


def gru_rule(h: Floats, c: Floats, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    z, r = sigmoid(gate(h, x, w[0])), sigmoid(gate(h, x, w[1]))
    return z * h + (1 - z) * anp.tanh(gate(r * h, x, w[2])), c


def lstm_rule(h: Floats, c: Floats, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    i, f, o = (sigmoid(gate(h, x, each)) for each in w[:3])
    c = f * c + i * anp.tanh(gate(h, x, w[3]))
    return o * anp.tanh(c), c


CELL_RULES = {
    "elman": lambda h, c, x, w: (anp.tanh(gate(h, x, w[0])), c),
    "elman_relu": lambda h, c, x, w: (anp.maximum(gate(h, x, w[0]), 0), c),
    "gru": gru_rule,
    "lstm": lstm_rule,
}


def plain_student_t(output: Floats, target: Floats) -> Floats:
    dof = 2 + anp.exp(output[..., 2:])
    u = (target - output[..., :1]) / anp.exp(output[..., 1:2])
    constant = aspecial.gammaln((dof + 1) / 2) - aspecial.gammaln(dof / 2) - 0.5 * anp.log(dof * np.pi)
    return output[..., 1:2] - constant + (dof + 1) / 2 * anp.log(1 + u * u / dof)


def plain_huber(output: Floats, target: Floats) -> Floats:
    e = anp.abs(output - target)
    return anp.where(e < 1, e * e / 2, e - 0.5)


def plain_pinball(output: Floats, target: Floats) -> Floats:
    levels, e = np.array([0.1, 0.5, 0.9]), target - output
    return anp.mean(anp.maximum(levels * e, (levels - 1) * e), axis=-1, keepdims=True)


PLAIN_LOSSES = {
    "squared": lambda output, target: (output - target) ** 2,
    "huber": plain_huber,
    "student_t": plain_student_t,
    "pinball": plain_pinball,
}


@given(
    cell=st.sampled_from(sorted(CELLS)), layers=st.integers(1, 3), loss=st.sampled_from(sorted(LOSSES)),
    networks=st.integers(1, 3), hidden=st.integers(1, 5), features=st.integers(1, 4), sessions=st.integers(1, 7), data=st.data(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_values_and_gradients_are_autograds(
    cell: str, layers: int, loss: str, networks: int, hidden: int, features: int, sessions: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(1, sessions))
    objective, params, chosen = supervised(
        cell, layers, LOSSES[loss], networks=networks, hidden=hidden, features=features, sessions=sessions, supervised_at=at
    )
    gradient = np.zeros_like(params)
    value = objective.value_and_gradient(params, gradient, chosen)
    k = networks - 1
    windows = objective.windows
    inputs, targets, weights = windows.inputs[k, chosen[k]], windows.targets[k, chosen[k]], windows.weights[k, chosen[k]]

    def plain(p: Floats) -> Floats:
        losses = PLAIN_LOSSES[loss](plain_forward(p, inputs, objective.shape)[:, -at:], targets)
        return anp.mean(losses * weights[:, None, None])

    expected, slope = autograd.value_and_grad(plain)(params[k])
    # The gamma ratio is within 1e-7.
    assert np.allclose(value[k], expected, atol=1e-6, rtol=1e-6)
    assert np.allclose(gradient[k], slope, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("cell", sorted(CELLS))
@pytest.mark.parametrize("horizons", [1, 3])
def test_density_gradients_are_exact(cell: str, horizons: int) -> None:
    inputs = inputs_of(3, 110, horizons)
    shape = density_shape(len(NAMES), 4, horizons, cell, layers=2)
    loss = DensityLoss(inputs, shape, DensityLayout(window=40, burn_in=8, held_out=5))
    params = initial_params([1, 2, 3], shape, np.float64)
    params += np.random.default_rng(5).normal(0, 0.2, params.shape)
    gradient, spare = np.zeros_like(params), np.zeros_like(params)
    loss.value_and_gradient(params, gradient)
    numeric = differences(lambda p: loss.value_and_gradient(p, spare).copy(), params)
    assert relative_error(gradient, numeric) < 1e-6


@pytest.mark.parametrize("cell", ["elman", "gru"])
def test_the_gradients_of_pooled_histories_drawn_to_an_anchor_are_exact(cell: str) -> None:
    inputs, rng = inputs_of(6, 110, 2), np.random.default_rng(5)
    inputs = replace(inputs, starts=np.array([0, 60, 0, 0, 75, 0]))
    shape = density_shape(len(NAMES), 4, 2, cell)
    anchor = rng.normal(0, 0.2, (2, shape.size))
    loss = DensityLoss(inputs, shape, DensityLayout(window=40, burn_in=8, held_out=0), members=3, anchor=anchor)
    params = initial_params([1, 2], shape, np.float64) + rng.normal(0, 0.2, (2, shape.size))
    gradient, spare = np.zeros_like(params), np.zeros_like(params)
    value = loss.value_and_gradient(params, gradient).copy()
    assert relative_error(gradient, differences(lambda p: loss.value_and_gradient(p, spare).copy(), params)) < 1e-6
    # Sessions before a history's start count for nothing.
    targets = inputs.targets.copy()
    targets[1, :60] = 9.0
    other = DensityLoss(replace(inputs, targets=targets), shape, loss.layout, members=3, anchor=anchor)
    assert np.array_equal(other.value_and_gradient(params, spare), value)


def test_a_truncated_gradient_is_that_of_the_windows_last_sessions() -> None:
    """With one output at the end, and the state before them held fixed, they are a window of their own."""
    shape = NetworkShape(1, 4, 1)
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(1, 2, 9, 1)), rng.normal(size=(1, 2, 1))
    params = initial_params([1], shape, np.float64) + rng.normal(0, 0.3, (1, shape.size))
    cut = SupervisedLoss(Windows(inputs, targets), shape, [1], batch=2, truncation=3)
    gradient = np.zeros_like(params)
    every = np.arange(2)[None]
    cut.value_and_gradient(params, gradient, every)

    def of_last_three(p: Floats) -> Floats:
        def rest(q: Floats) -> Floats:
            recurrent, output, bias = weights_of_plain(q, shape)
            h = before
            for t in range(6, 9):
                h = anp.tanh(gate(h, inputs[0, :, t], recurrent[0][0]))
            return anp.mean((h @ output + bias - targets[0]) ** 2)

        recurrent, _, _ = weights_of_plain(p, shape)
        before = np.zeros((2, 4))
        for t in range(6):
            before = np.tanh(gate(before, inputs[0, :, t], recurrent[0][0]))
        return autograd.grad(rest)(p)

    assert np.allclose(gradient[0], of_last_three(params[0]), atol=1e-12)


def test_a_window_of_weight_zero_moves_no_gradient() -> None:
    objective, params, _ = supervised("gru", 1, LOSSES["huber"], networks=1)
    every = np.arange(4)[None]
    gradients = []
    for target in (1.0, 50.0):
        windows = objective.windows
        targets = windows.targets.copy()
        targets[0, 2] = target
        weights = np.array([[1.0, 1.0, 0.0, 1.0]])
        loss = SupervisedLoss(Windows(windows.inputs, targets, weights), objective.shape, [0], batch=4, loss=LOSSES["huber"])
        gradient = np.zeros_like(params)
        loss.value_and_gradient(params, gradient, every)
        gradients.append(gradient)
    assert np.array_equal(*gradients)


def test_held_out_targets_move_no_gradient() -> None:
    inputs, shape = inputs_of(1, 110, 1), density_shape(len(NAMES), 4, 1)
    targets = inputs.targets.copy()
    targets[:, -10:] = 99.0
    gradients = []
    for each in (inputs, replace(inputs, targets=targets)):
        loss = DensityLoss(each, shape, DensityLayout(window=40, burn_in=8, held_out=10))
        gradient = np.zeros((1, shape.size))
        loss.value_and_gradient(initial_params([1], shape, np.float64) + 0.01, gradient)
        gradients.append(gradient)
    assert np.array_equal(*gradients)


def test_pinball_is_least_at_the_quantiles() -> None:
    sample = np.sort(np.random.default_rng(0).normal(size=999))[None, :, None]
    loss = Pinball((0.25, 0.75))
    at = {}
    for level in (0.2, 0.25, 0.3):
        output = np.tile(np.quantile(sample, [level, 1 - level]), (1, 999, 1))
        at[level] = loss.settle(output, sample, np.asarray(1 / 999))[0]
    assert min(at, key=at.__getitem__) == 0.25


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


def test_a_pool_in_parts_is_the_pool_at_once() -> None:
    inputs = replace(inputs_of(7, 110, 2), starts=np.array([0, 60, 0, 0, 75, 0, 20]))
    shape, layout = density_shape(len(NAMES), 4, 2, "gru"), DensityLayout(window=40, burn_in=8, held_out=0)
    params = initial_params([1], shape, np.float64) + 0.05
    whole, parts = np.zeros_like(params), np.zeros_like(params)
    value = DensityLoss(inputs, shape, layout, members=7).value_and_gradient(params, whole)
    other, _ = next(PooledDensityLoss(inputs, shape, layout, 3).gradients(params, parts))
    assert np.allclose(value, other, rtol=1e-12)
    assert np.allclose(whole, parts, rtol=1e-9, atol=1e-12)
