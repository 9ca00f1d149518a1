"""Chapter 1: one recurrent network, one window, plain loops. The other files do the same for many at once, in the same steps.

The letters are the article's. x[t]: the inputs of session t = 0..T-1. h[t]: the hidden state before session t. All are row
vectors. U, W, b: weights of the inputs, weights of the state, bias. V, c: weights and bias of the output y.

    h[0] = 0        h[t + 1] = tanh(x[t] U + h[t] W + b)        y = h[T] V + c        L = sum (y - target)^2

`backward` names five mistakes of the article where it avoids them. They leave a program that runs, and gradients that are
wrong, so tests compare each gradient with finite differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Params = dict[str, Floats]


def initial(seed: int, features: int, hidden: int, outputs: int) -> Params:
    """Return small random weights and zero biases: U (F, H), W (H, H), b (H,), V (H, O), c (O,)."""
    rng = np.random.default_rng(seed)
    sizes = {"U": (features, hidden), "W": (hidden, hidden), "V": (hidden, outputs)}
    weights = {name: rng.normal(0, 1 / np.sqrt(features + hidden), size) for name, size in sizes.items()}
    return {**weights, "b": np.zeros(hidden), "c": np.zeros(outputs)}


def forward(p: Params, x: Sequence[Floats]) -> tuple[list[Floats], Floats]:
    """Return the hidden states h[0..T], (H,) each, and the output y (O,) after the last session. x: T inputs (F,)."""
    h = [np.zeros_like(p["b"])]
    for x_t in x:
        h.append(np.tanh(x_t @ p["U"] + h[-1] @ p["W"] + p["b"]))
    return h, h[-1] @ p["V"] + p["c"]


def backward(p: Params, x: Sequence[Floats], h: list[Floats], y: Floats, target: Floats) -> Params:
    """Return dL/dp for each of the params, by backpropagation through time. h, y: as forward returns them for x."""
    # Mistake 1: the article starts some gradients from random noise. A sum starts from zero.
    g = {name: np.zeros_like(value) for name, value in p.items()}
    dy = 2 * (y - target)
    g["V"] += np.outer(h[-1], dy)
    g["c"] += dy
    dh = dy @ p["V"].T  # dL/dh[T]
    # Mistakes 2 and 3: the article's loop has as many steps as there are hidden units, not sessions, and ends before t = 0.
    for t in reversed(range(len(x))):
        # Mistake 4: a = x[t] U + h[t] W + b became h[t + 1] = tanh(a), so the derivative is 1 - h[t + 1]^2. The article takes
        # the one of another session.
        da = dh * (1 - h[t + 1] ** 2)
        g["U"] += np.outer(x[t], da)
        g["W"] += np.outer(h[t], da)
        g["b"] += da
        # Mistake 5: h[t] reached a through W, so dL/da returns through W transposed. The article uses W itself.
        dh = da @ p["W"].T  # dL/dh[t]
    return g


def update(p: Params, g: Params, learning_rate: float) -> None:
    """Move the params a step against their gradients, in place."""
    for name, gradient in g.items():
        p[name] -= learning_rate * gradient
