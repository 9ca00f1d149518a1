"""The plain network of chapter 1, and the stack against it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rnn_builders import Floats, differences, point_loss
from tickercast.rnn import plain
from tickercast.rnn.params import NetworkShape, Weights, initial_params, weights_of
from tickercast.rnn.supervised import SupervisedLoss, Windows

WINDOW = np.random.default_rng(0).normal(size=(7, 2))
TARGET = np.array([0.5, -1.0])


def plain_loss(p: plain.Params, x: Floats, target: Floats) -> float:
    _, y = plain.forward(p, x)
    return float(((y - target) ** 2).sum())


def plain_gradient(p: plain.Params, x: Floats, target: Floats) -> plain.Params:
    h, y = plain.forward(p, x)
    return plain.backward(p, x, h, y, target)


@pytest.mark.parametrize("name", ["U", "W", "b", "V", "c"])
def test_plain_gradients_are_the_central_differences(name: str) -> None:
    p = plain.initial(1, features=2, hidden=4, outputs=2)

    def loss(values: Floats) -> Floats:
        return np.array([plain_loss({**p, name: values.reshape(p[name].shape)}, WINDOW, TARGET)])

    numeric = differences(loss, p[name].reshape(1, -1)).reshape(p[name].shape)
    assert np.allclose(plain_gradient(p, WINDOW, TARGET)[name], numeric, rtol=1e-6, atol=1e-8)


def test_a_plain_forward_of_two_sessions_is_the_one_by_hand() -> None:
    """With U = W = V = 1: h = tanh(0.5), then tanh(0.25 + tanh(0.5)); tanh(0.5) = 0.46211716, tanh(0.71211716) = 0.61200."""
    one = np.ones((1, 1))
    p = {"U": one, "W": one, "b": np.zeros(1), "V": one, "c": np.array([0.1])}
    h, y = plain.forward(p, np.array([[0.5], [0.25]]))
    assert np.allclose(h, [[0.0], [0.46211716], [0.61200]], atol=1e-5)
    assert np.allclose(y, 0.71200, atol=1e-5)


def test_a_small_update_lowers_the_plain_loss() -> None:
    p = plain.initial(1, features=2, hidden=4, outputs=2)
    before = plain_loss(p, WINDOW, TARGET)
    plain.update(p, plain_gradient(p, WINDOW, TARGET), 0.01)
    assert plain_loss(p, WINDOW, TARGET) < before


def plain_params(weights: Weights, k: int) -> plain.Params:
    """Return network k of a stack's Elman weights, or of their gradient, in the letters of plain."""
    rows, features = weights.layers[0][0, k], weights.layers[0].shape[2] - weights.output.shape[1] - 1
    W, U, b = np.split(rows, [len(rows) - features - 1, len(rows) - 1])
    return {"U": U, "W": W, "b": b[0], "V": weights.output[k], "c": weights.output_bias[k, 0]}


@pytest.mark.parametrize("name", ["U", "W", "b", "V", "c"])
@pytest.mark.parametrize("k", [0, 1])
def test_a_stacks_gradient_is_the_mean_of_the_plain_ones(k: int, name: str) -> None:
    loss, params, chosen = point_loss("elman", 1, sessions=9)
    gradient = np.zeros_like(params)
    loss.loss_and_gradient(params, gradient, chosen)
    p = plain_params(weights_of(params, loss.shape), k)
    inputs, targets = loss.windows.inputs[k, chosen[k]], loss.windows.targets[k, chosen[k]]
    expected = [plain_gradient(p, x, target)[name] / targets.size for x, target in zip(inputs, targets, strict=True)]
    assert np.allclose(plain_params(weights_of(gradient, loss.shape), k)[name], np.sum(expected, axis=0), atol=1e-14)


def recurrent_gradient(inputs: NDArray[np.float64], truncation: int) -> plain.Params:
    """Return the stack's gradient of one window (T, F) with target zero."""
    shape = NetworkShape(inputs.shape[1], 4, 1)
    params = initial_params([1], shape, np.float64) + 0.1
    gradient = np.zeros_like(params)
    windows = Windows(inputs[None, None], np.zeros((1, 1, 1)))
    SupervisedLoss(windows, shape, [1], batch=1, truncation=truncation).loss_and_gradient(params, gradient, np.array([[0]]))
    return plain_params(weights_of(gradient, shape), 0)


@pytest.mark.parametrize("name", ["U", "W", "b"])
def test_a_truncated_gradient_is_that_of_the_windows_last_sessions(name: str) -> None:
    """Cut after three sessions, it is the plain gradient of those three with the state before them held fixed."""
    inputs = np.random.default_rng(0).normal(size=(9, 1))
    shape = NetworkShape(1, 4, 1)
    p = plain_params(weights_of(initial_params([1], shape, np.float64) + 0.1, shape), 0)
    h, y = plain.forward(p, inputs)
    expected = plain.backward(p, inputs[6:], h[6:], y, np.zeros(1))
    assert np.allclose(recurrent_gradient(inputs, truncation=3)[name], expected[name], atol=1e-14)
