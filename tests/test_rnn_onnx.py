"""The cells' forward rules against the ONNX standard: its node tests, its reference evaluator, and onnxruntime.

Of the standard's node tests, those with one forward direction apply (defaults, initial bias, sequence length, batchwise).
We have no reverse or bidirectional networks, no peepholes, no clip, no sequence_lens, no linear_before_reset = 1.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tickercast.rnn.cells import CELLS
from tickercast.rnn.errors import ShapeError
from tickercast.rnn.network import Unroll
from tickercast.rnn.onnx_graph import OPERATORS, onnx_bytes
from tickercast.rnn.optimizers import no_moments
from tickercast.rnn.params import NetworkShape, initial_params, weights_of
from tickercast.rnn.readout import readout
from tickercast.rnn.state import State

pytestmark = pytest.mark.slow

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

NODE_TESTS = {
    "elman": ["simple_rnn_defaults", "simple_rnn_with_initial_bias", "rnn_seq_length", "simple_rnn_batchwise"],
    "gru": ["gru_defaults", "gru_with_initial_bias", "gru_seq_length", "gru_batchwise"],
    "lstm": ["lstm_defaults", "lstm_with_initial_bias", "lstm_batchwise"],
}


@cache
def node_tests() -> dict[str, Any]:
    """Return the standard's tests of its recurrent nodes; importing their modules makes them."""
    for module in ("rnn", "gru", "lstm"):
        import_module(f"onnx.backend.test.case.node.{module}")
    return {test.name: test for test in import_module("onnx.backend.test.case.node").collect_testcases("RNN")}


def params_of(cell: str, constants: list[NDArray[Any]], shape: NetworkShape) -> NDArray[Any]:
    """Return our params of the standard's W, R and, if given, B."""
    w, r = (part[0].reshape(shape.gates, shape.hidden, -1).swapaxes(1, 2) for part in constants[:2])
    bias = np.zeros((shape.gates, 1, shape.hidden), w.dtype)
    if len(constants) > 2:
        bias += constants[2][0].reshape(2, shape.gates, 1, shape.hidden).sum(axis=0)
    theirs = np.concatenate([r, w, bias], axis=1)
    params = np.zeros((1, shape.size), np.float32)
    order = list(OPERATORS[cell][1])
    weights_of(params, shape).layers[0][order, 0] = theirs
    return params


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("cell", "name"), [(cell, name) for cell, names in NODE_TESTS.items() for name in names])
def test_the_standards_node_tests_hold(cell: str, name: str) -> None:
    test = node_tests()[f"test_{name}"]
    (x, *constants), outputs = test.data_sets[0]
    batch_first = any(a.name == "layout" and a.i for a in test.model.graph.node[0].attribute)
    inputs = x if batch_first else x.swapaxes(0, 1)
    windows, sessions, features = inputs.shape
    shape = NetworkShape(features, constants[1].shape[2], 1, cell=cell)
    unroll = Unroll(1, windows, sessions, shape, np.float32)
    unroll.load(inputs[None].astype(np.float32))
    unroll.forward(weights_of(params_of(cell, constants, shape), shape))
    expected = outputs[-1].reshape(windows, shape.hidden)
    assert np.abs(unroll.hidden(sessions - 1)[0] - expected).max() < 1e-6


def network(cell: str, layers: int) -> State:
    shape = NetworkShape(3, 5, 2, cell=cell, layers=layers, head_params=1)
    params = initial_params([4], shape)
    params += np.random.default_rng(1).normal(0, 0.3, params.shape).astype(np.float32)
    return State(shape, params, no_moments(params))


def ours(state: State, inputs: NDArray[np.float32]) -> NDArray[Any]:
    """Return outputs (T, B, O) for inputs (T, B, F)."""
    sessions, windows, _ = inputs.shape
    weights = weights_of(state.params, state.shape)
    unroll = Unroll(1, windows, sessions, state.shape, np.float32)
    unroll.load(inputs.swapaxes(0, 1)[None])
    unroll.forward(weights)
    return readout(unroll.hidden(0), weights).reshape(sessions, windows, -1)


INPUTS = np.random.default_rng(0).normal(size=(12, 4, 3)).astype(np.float32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", ["elman", "gru", "lstm"])  # the reference evaluator has no Relu in a recurrent node
def test_an_exported_network_is_the_reference_evaluators(cell: str, layers: int) -> None:
    from onnx.reference import ReferenceEvaluator

    state = network(cell, layers)
    (theirs,) = ReferenceEvaluator(onnx.load_from_string(onnx_bytes(state))).run(None, {"inputs": INPUTS})
    assert np.abs(theirs - ours(state, INPUTS)).max() < 1e-6


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", sorted(CELLS))
def test_onnxruntime_runs_an_exported_network_to_the_same_numbers(cell: str, layers: int) -> None:
    state = network(cell, layers)
    session = onnxruntime.InferenceSession(onnx_bytes(state), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"inputs": INPUTS})
    assert np.abs(theirs - ours(state, INPUTS)).max() < 1e-6


def test_a_stack_of_two_is_not_one_model() -> None:
    state = network("gru", 1)
    both = State(state.shape, np.tile(state.params, (2, 1)), no_moments(np.tile(state.params, (2, 1))))
    with pytest.raises(ShapeError, match=r"State.one\(k\)"):
        onnx_bytes(both)
