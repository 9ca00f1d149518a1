"""Teach a sine to a recurrent network: first in the plain loops of rnn/plain.py, then as a stack of one network.

    pip install -e ".[examples]"         # adds matplotlib
    python examples/sine.py              # shows the plot
    python examples/sine.py sine.png     # saves it

Each network sees 20 values and forecasts the next one. It is trained on the first 300 values and tested on the rest.
"""

from __future__ import annotations

import sys

import numpy as np

from tickercast.rnn import plain
from tickercast.rnn.params import NetworkShape
from tickercast.rnn.state import noisy_state
from tickercast.rnn.supervised import SupervisedLoss, Windows, forecast_point
from tickercast.rnn.training import TrainingSettings, train

WINDOW, HIDDEN, TRAINED = 20, 12, 300
VALUES = np.sin(np.arange(400) / 5)
INPUTS = np.lib.stride_tricks.sliding_window_view(VALUES, WINDOW)[:-1, :, None]  # (S, T, 1)
TARGETS = VALUES[WINDOW:, None]  # (S, 1)
SEEN = TRAINED - WINDOW  # windows whose targets are among the first 300 values


def plain_forecasts(epochs: int = 10) -> np.ndarray:
    """Return forecasts (S,) of a network trained one window at a time."""
    p = plain.initial(seed=3, features=1, hidden=HIDDEN, outputs=1)
    for _ in range(epochs):
        for x, target in zip(INPUTS[:SEEN], TARGETS[:SEEN], strict=True):
            h, y = plain.forward(p, x)
            plain.update(p, plain.backward(p, x, h, y, target), learning_rate=0.02)
    return np.array([plain.forward(p, x)[1][0] for x in INPUTS])


def stack_forecasts(epochs: int = 40) -> np.ndarray:
    """Return forecasts (S,) of a network trained 32 windows at a time. The leading axis is the stack: K = 1."""
    shape = NetworkShape(features=1, hidden=HIDDEN, outputs=1)
    loss = SupervisedLoss(Windows(INPUTS[None, :SEEN], TARGETS[None, :SEEN]), shape, seeds=[3], batch=32)
    settings = TrainingSettings(epochs, learning_rate=0.01, schedule="half_cosine")
    training = train(noisy_state([3], shape, np.float64), loss, settings)
    return forecast_point(training.state, INPUTS[None])[0, :, 0]


def main() -> None:
    from matplotlib import pyplot

    _, (top, bottom) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 6))
    top.plot(TARGETS[SEEN:, 0], color="black", label="sine")
    for label, forecasts in (("plain loops", plain_forecasts()[SEEN:]), ("stack", stack_forecasts()[SEEN:])):
        top.plot(forecasts, "--", label=label)
        bottom.plot(forecasts - TARGETS[SEEN:, 0], label=label)
    top.set(ylabel="value", title="One-step forecasts of values not trained on")
    bottom.set(ylabel="error", xlabel="sessions after training")
    top.legend()
    pyplot.savefig(sys.argv[1]) if len(sys.argv) > 1 else pyplot.show()


if __name__ == "__main__":
    main()
