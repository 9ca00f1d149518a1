"""The state of a stack, params and the optimizer's moments: what a training starts from, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tickercast.rnn.optimizers import Moments, no_moments
from tickercast.rnn.params import OUTPUT_STREAM, NetworkShape, initial_params, weights_of

Array = NDArray[np.floating]
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class State:
    """Params (K, P) and the optimizer's moments of a stack of networks of one shape."""

    shape: NetworkShape
    params: Array
    moments: Moments

    def __len__(self) -> int:
        return len(self.params)

    def rows(self, chosen: Indices) -> State:
        """Return some networks as a stack of their own, a copy."""
        return State(self.shape, self.params[chosen], self.moments.rows(chosen))

    def one(self, k: int) -> State:
        """Return network k as a stack of one, a copy."""
        return self.rows(np.array([k]))

    def put(self, rows: Indices, other: State, other_rows: Indices) -> None:
        """Overwrite some networks by some of another stack."""
        self.params[rows] = other.params[other_rows]
        self.moments.mean[rows] = other.moments.mean[other_rows]
        self.moments.square[rows] = other.moments.square[other_rows]
        self.moments.steps[rows] = other.moments.steps[other_rows]


def cold_state(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> State:
    """Return untrained networks, each from its own seed; their outputs are zero."""
    params = initial_params(seeds, shape, dtype)
    return State(shape, params, no_moments(params))


def noisy_state(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> State:
    """Return untrained networks whose outputs start as small noise, for a head without a baseline."""
    state = cold_state(seeds, shape, dtype)
    for output, seed in zip(weights_of(state.params, shape).output, seeds, strict=True):
        noise = np.random.default_rng([seed, OUTPUT_STREAM])
        output[...] = noise.normal(0, 1 / np.sqrt(shape.hidden), output.shape)
    return state


def concatenate(states: Sequence[State]) -> State:
    """Return one stack of several, in order."""
    moments = Moments(
        mean=np.concatenate([s.moments.mean for s in states]),
        square=np.concatenate([s.moments.square for s in states]),
        steps=np.concatenate([s.moments.steps for s in states]),
    )
    return State(states[0].shape, np.concatenate([s.params for s in states]), moments)
