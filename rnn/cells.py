"""The recurrent cell: its forward rule with its backward rule beneath. Called by network at every session.

K networks, B windows, H units. `joined` holds hidden state, inputs and a one side by side, so that a single matrix product
per network does all of h W_h + x W_x + b.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def elman_forward(joined: Array, weights: Array, hidden: Array) -> None:
    """Put the next hidden state tanh([h, x, 1] W) into hidden.

    joined: (K, B, H + F + 1). weights: (K, H + F + 1, H), the rows of W_h, W_x and b. hidden: (K, B, H), written, in [-1, 1].
    Source: Elman 1990, Finding Structure in Time.
    """
    np.matmul(joined, weights, out=hidden)
    np.tanh(hidden, out=hidden)


def elman_backward(slope: Array, hidden_gradient: Array, recurrent_transposed: Array, pre_gradient: Array, before: Array) -> None:
    """Put the gradient before the tanh into pre_gradient and what flows to the previous session's state into before.

    slope: (K, B, H), 1 - h^2. hidden_gradient: (K, B, H), dL/dh. recurrent_transposed: (K, H, H), W_h^T.
    """
    np.multiply(hidden_gradient, slope, out=pre_gradient)
    np.matmul(pre_gradient, recurrent_transposed, out=before)
