"""The last step of a network, from hidden states to outputs: o = h V + c."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.params import Weights

Array = NDArray[np.floating]


def readout(hidden: Array, weights: Weights, out: Array | None = None) -> Array:
    """Return the outputs h V + c, (K, n, O), of hidden states (K, n, H). out: where to put them, if not in a new array."""
    outputs: Array = np.matmul(hidden, weights.output, out=out)
    outputs += weights.output_bias
    return outputs


def readout_backward(hidden: Array, d_outputs: Array, weights: Weights, gradients: Weights, d_hidden: Array) -> None:
    """Put dL/dV and dL/dc into gradients and dL/dh into d_hidden (K, n, H). d_outputs: dL/do, (K, n, O).

    dL/dV = h^T dL/do, dL/dc = the sum of dL/do over the n rows, dL/dh = dL/do V^T.
    """
    np.matmul(hidden.swapaxes(1, 2), d_outputs, out=gradients.output)
    np.matmul(np.ones((1, d_outputs.shape[1]), d_outputs.dtype), d_outputs, out=gradients.output_bias)
    np.matmul(d_outputs, np.ascontiguousarray(weights.output.swapaxes(1, 2)), out=d_hidden)
