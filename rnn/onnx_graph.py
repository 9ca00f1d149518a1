"""One network as an ONNX model, for other programs. Needs the `onnx` extra; training does not use it.

The graph has one RNN, GRU or LSTM node of the standard per layer, then the readout. It does not contain what the density
head does with the outputs (bounds and locations).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.errors import ShapeError
from tickercast.rnn.params import weights_of
from tickercast.rnn.state import State

OPSET = 22
# Operator, the index of our gate for each of the standard's gates (GRU z r h, LSTM i o f c), attributes.
OPERATORS: dict[str, tuple[str, tuple[int, ...], dict[str, Any]]] = {
    "elman": ("RNN", (0,), {"activations": ["Tanh"]}),
    "elman_relu": ("RNN", (0,), {"activations": ["Relu"]}),
    "gru": ("GRU", (0, 1, 2), {"linear_before_reset": 0}),
    "lstm": ("LSTM", (0, 2, 1, 3), {}),
}


def onnx_bytes(state: State) -> bytes:
    """Return a stack of one as a serialised model: `inputs` (T, B, F) to `outputs` (T, B, O), at every session.

    Raises ShapeError for a stack of several.
    """
    import onnx
    from onnx import helper, numpy_helper

    if len(state) != 1:
        raise ShapeError(f"a stack of {len(state)} networks: a model holds one; select it by State.one(k)")
    shape, weights = state.shape, weights_of(state.params, state.shape)
    operator, order, attributes = OPERATORS[shape.cell]
    constants: dict[str, NDArray[Any]] = {"direction": np.array([1], np.int64)}
    nodes, below = [], "inputs"
    for layer, gates in enumerate(weights.layers):
        parts = _layer_constants(gates[list(order), 0], shape.hidden)
        names = [f"{part}{layer}" for part in parts]
        constants.update(zip(names, parts.values(), strict=True))
        nodes.append(helper.make_node(operator, [below, *names], [f"all{layer}"], hidden_size=shape.hidden, **attributes))
        # The node's output is (T, directions, B, H); squeeze removes the axis of its one direction.
        nodes.append(helper.make_node("Squeeze", [f"all{layer}", "direction"], [f"states{layer}"]))
        below = f"states{layer}"
    constants.update(output=weights.output[0], output_bias=weights.output_bias[0, 0])
    nodes.append(helper.make_node("MatMul", [below, "output"], ["product"]))
    nodes.append(helper.make_node("Add", ["product", "output_bias"], ["outputs"]))
    kind = helper.np_dtype_to_tensor_dtype(state.params.dtype)
    graph = helper.make_graph(
        nodes,
        "tickercast",
        [helper.make_tensor_value_info("inputs", kind, ["sessions", "windows", shape.features])],
        [helper.make_tensor_value_info("outputs", kind, ["sessions", "windows", shape.outputs])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _layer_constants(gates: NDArray[Any], hidden: int) -> dict[str, NDArray[Any]]:
    """Return the standard's W, R and B of a layer's gates (gates, H + F + 1, H), each with a leading axis of one direction."""
    W_h, W_x, bias = gates[:, :hidden], gates[:, hidden:-1], gates[:, -1]
    return {
        "W": np.concatenate(W_x.swapaxes(1, 2))[None],  # (1, gates H, F)
        "R": np.concatenate(W_h.swapaxes(1, 2))[None],  # (1, gates H, H)
        "B": np.concatenate([bias.ravel(), np.zeros_like(bias).ravel()])[None],  # (1, 2 gates H): of x, then of h
    }
