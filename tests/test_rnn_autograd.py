"""Losses and gradients on random shapes against reverse-mode autograd of the equations, written out one session at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.scipy import special as aspecial
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rnn_builders import Floats, inputs_of, point_loss
from tickercast.rnn.cells import CELLS
from tickercast.rnn.density import DensityLayout, DensityLoss, density_shape
from tickercast.rnn.features import NAMES, DensityInputs
from tickercast.rnn.params import NetworkShape, initial_params

pytestmark = pytest.mark.slow

Parts = tuple[list[Floats], Floats, Floats, Floats]


def parts_of(params: Floats, shape: NetworkShape) -> Parts:
    """Return the layers' W, V, c and head params of one network's params (P,)."""
    layers, start = [], 0
    for layer in range(shape.layers):
        size = shape.gates * shape.concat_width(layer) * shape.hidden
        layers.append(params[start : start + size].reshape(shape.gates, shape.concat_width(layer), shape.hidden))
        start += size
    end = start + shape.hidden * shape.outputs
    output = params[start:end].reshape(shape.hidden, shape.outputs)
    return layers, output, params[end : end + shape.outputs], params[end + shape.outputs :]


def pre_activation(h: Floats, x: Floats, w: Floats) -> Floats:
    units = h.shape[1]
    return h @ w[:units] + x @ w[units:-1] + w[-1]


def sigmoid(a: Floats) -> Floats:
    return 1 / (1 + anp.exp(-a))


def gru_rule(h: Floats, c: Floats, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    z, r = sigmoid(pre_activation(h, x, w[0])), sigmoid(pre_activation(h, x, w[1]))
    return z * h + (1 - z) * anp.tanh(pre_activation(r * h, x, w[2])), c


def lstm_rule(h: Floats, c: Floats, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    i, f, o = (sigmoid(pre_activation(h, x, each)) for each in w[:3])
    c = f * c + i * anp.tanh(pre_activation(h, x, w[3]))
    return o * anp.tanh(c), c


CELL_RULES = {
    "elman": lambda h, c, x, w: (anp.tanh(pre_activation(h, x, w[0])), c),
    "elman_relu": lambda h, c, x, w: (anp.maximum(pre_activation(h, x, w[0]), 0), c),
    "gru": gru_rule,
    "lstm": lstm_rule,
}


def outputs_of(parts: Parts, inputs: Floats, shape: NetworkShape) -> list[Floats]:
    """Return the outputs (B, O) after each session of windows (B, T, F)."""
    layers, output, bias, _ = parts
    sequence = [inputs[:, t] for t in range(inputs.shape[1])]
    for layer in layers:
        h = c = anp.zeros((len(inputs), shape.hidden))
        states = []
        for x in sequence:
            h, c = CELL_RULES[shape.cell](h, c, x, layer)
            states.append(h)
        sequence = states
    return [h @ output + bias for h in sequence]


@given(
    cell=st.sampled_from(sorted(CELLS)), layers=st.integers(1, 3), networks=st.integers(1, 3), hidden=st.integers(1, 5),
    features=st.integers(1, 4), sessions=st.integers(1, 7), outputs=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_squared_error_and_its_gradient_are_autograds(cell: str, layers: int, networks: int, **sizes: int) -> None:
    loss, params, chosen = point_loss(cell, layers, networks=networks, **sizes)
    gradient, k = np.zeros_like(params), networks - 1
    ours = loss.loss_and_gradient(params, gradient, chosen)
    inputs, targets = loss.windows.inputs[k, chosen[k]], loss.windows.targets[k, chosen[k]]

    def mean_square(p: Floats) -> Any:
        return anp.mean((outputs_of(parts_of(p, loss.shape), inputs, loss.shape)[-1] - targets) ** 2)

    expected, slope = autograd.value_and_grad(mean_square)(params[k])
    assert np.allclose(ours[k], expected, rtol=1e-12)
    assert np.allclose(gradient[k], slope, rtol=1e-9, atol=1e-12)


def student_t_nll(error: Any, scale: Any, dof: Any) -> Any:
    constant = aspecial.gammaln((dof + 1) / 2) - aspecial.gammaln(dof / 2) - 0.5 * anp.log(dof * np.pi)
    return anp.log(scale) - constant + (dof + 1) / 2 * anp.log(1 + (error / scale) ** 2 / dof)


def trained_targets(inputs: DensityInputs, layout: DensityLayout) -> Iterator[tuple[int, int, int, int]]:
    """Yield window, session in it, session of the history and horizon of each target of the first history to train on."""
    n, horizons = inputs.targets.shape[1:]
    windows = (n - layout.burn_in) // layout.window
    for window in range(windows):
        for t in range(layout.burn_in, layout.window):
            session = n - (windows - window) * layout.window + t
            yield from ((window, t, session, h) for h in range(1, horizons + 1) if session + h < n - layout.held_out)


def density_loss(p: Floats, inputs: DensityInputs, shape: NetworkShape, layout: DensityLayout) -> Any:
    """Return the density loss of one network with params (P,) on one history, target by target."""
    parts, horizons = parts_of(p, shape), inputs.targets.shape[2]
    windows = (inputs.features.shape[1] - layout.burn_in) // layout.window
    cut = inputs.features[0, -windows * layout.window :].reshape(windows, layout.window, -1)
    outputs = outputs_of(parts, cut, shape)
    losses: list[Any] = []
    for window, t, session, h in trained_targets(inputs, layout):
        factors = anp.exp(2 * anp.tanh(outputs[t][window] / 2))
        baseline_dof = inputs.baseline_dof[0, h - 1]
        scale = factors[h - 1] * np.sqrt((baseline_dof - 2) / baseline_dof)
        dof = 2 + factors[horizons + h - 1] * (baseline_dof - 2)
        error = inputs.targets[0, session, h - 1] - parts[3][h - 1] * inputs.unit_ratio[0, session]
        losses.append(student_t_nll(error, scale, dof))
    shrinkage = layout.location_shrinkage * anp.sum(parts[3] ** 2) + layout.output_shrinkage * anp.sum(parts[1] ** 2)
    return sum(losses) / len(losses) + shrinkage / 2


@given(
    cell=st.sampled_from(sorted(CELLS)), layers=st.integers(1, 2), hidden=st.integers(1, 4), horizons=st.integers(1, 3),
    sessions=st.integers(30, 36), window=st.integers(6, 12), burn_in=st.integers(0, 4), held_out=st.integers(0, 6),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_the_density_loss_and_its_gradient_are_autograds(
    cell: str, layers: int, hidden: int, horizons: int, sessions: int, **layout: int
) -> None:
    inputs, lay = inputs_of(2, sessions, horizons), DensityLayout(**layout)
    shape = density_shape(len(NAMES), hidden, horizons, cell, layers)
    params = initial_params([1, 2], shape, np.float64) + np.random.default_rng(5).normal(0, 0.2, (2, shape.size))
    gradient = np.zeros_like(params)
    ours = DensityLoss(inputs, shape, lay).loss_and_gradient(params, gradient)
    first = inputs.rows(np.array([0]))
    expected, slope = autograd.value_and_grad(lambda p: density_loss(p, first, shape, lay))(params[0])
    # Ours takes the ratio of gamma functions from a series, within 1e-7.
    assert np.allclose(ours[0], expected, atol=1e-6, rtol=1e-6)
    assert np.allclose(gradient[0], slope, atol=1e-6, rtol=1e-6)
