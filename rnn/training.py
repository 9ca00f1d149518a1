"""Training a stack: cold starts from seeds, steps in lockstep, and what came of each network.

A network whose loss or gradient is not finite keeps its starting params, says so, and leaves its neighbours' bytes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rnn.density import DensityLoss, DensityTraining, density_shape
from rnn.features import DensityInputs
from rnn.network import NetworkShape, initial_params
from rnn.optimizers import Moments, adam_step, clip_by_norm, gradient_norms, no_moments
from rnn.point import PointLoss

Array = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class State:
    """Params (K, P) and the optimizer's memory of a stack of networks of one shape."""

    shape: NetworkShape
    params: Array
    moments: Moments

    def __len__(self) -> int:
        return len(self.params)

    def one(self, k: int) -> State:
        """Return network k as a stack of one, in memory of its own."""
        m, part = self.moments, slice(k, k + 1)
        moments = Moments(m.mean[part].copy(), m.square[part].copy(), m.steps[part].copy())
        return State(self.shape, self.params[part].copy(), moments)


@dataclass(frozen=True, slots=True)
class Training:
    """A stack after some epochs. Losses and norms are (epochs, K); norms are from before clipping; diverged is (K,)."""

    state: State
    train_loss: Array
    validation_loss: Array
    gradient_norm: Array
    diverged: NDArray[np.bool_]
    learning_rate: float
    updates: int


def concatenate(states: Sequence[State]) -> State:
    """Return one stack of several, in order."""
    moments = Moments(
        np.concatenate([s.moments.mean for s in states]),
        np.concatenate([s.moments.square for s in states]),
        np.concatenate([s.moments.steps for s in states]),
    )
    return State(states[0].shape, np.concatenate([s.params for s in states]), moments)


def cold_density(seeds: Sequence[int], inputs: DensityInputs, hidden: int) -> State:
    """Return untrained density networks, one a seed; each forecasts its baseline."""
    _, _, features = inputs.features.shape
    return cold_state(seeds, density_shape(features, hidden, inputs.targets.shape[2]), inputs.features.dtype)


def cold_point(seeds: Sequence[int], hidden: int, dtype: DTypeLike = np.float32) -> State:
    """Return untrained point networks: one input, one output, which starts as small noise so that it can learn."""
    state = cold_state(seeds, NetworkShape(1, hidden, 1), dtype)
    for row, seed in zip(state.params, seeds, strict=True):
        row[-hidden - 1 : -1] = np.random.default_rng([seed, 1]).normal(0, 1 / np.sqrt(hidden), hidden)
    return state


def cold_state(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike) -> State:
    """Return networks fresh from their seeds with an optimizer that has done nothing."""
    params = initial_params(seeds, shape, dtype)
    return State(shape, params, no_moments(params))


def train_density(state: State, inputs: DensityInputs, epochs: int, settings: DensityTraining) -> Training:
    """Return a stack after some full-batch steps; one epoch is one step."""
    loss = DensityLoss(inputs, state.shape.hidden, settings)
    run = _Run(state, settings.learning_rate, settings.clip_norm)
    for _ in range(epochs):
        train, validation = loss.value_and_gradient(run.params, run.gradient)
        run.step(train)
        run.end_epoch(train, validation)
    return run.finish()


def train_point(
    state: State, windows: Array, targets: Array, epochs: int, *, batch: int, learning_rate: float, seeds: Sequence[int]
) -> Training:
    """Return point networks after some epochs of minibatches; each network's order is from its own seed.

    windows: (K, S, T, 1). targets: (K, S, 1). The learning rate falls to zero along a half cosine, so that the last
    epochs settle.
    """
    run = _Run(state, learning_rate, clip_norm=1.0)
    loss = PointLoss(windows, targets, state.shape)
    orders = [np.random.default_rng([seed, 2]) for seed in seeds]
    for epoch in range(epochs):
        run.learning_rate = learning_rate * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order = np.stack([rng.permutation(windows.shape[1]) for rng in orders])
        total = np.zeros(len(state), windows.dtype)
        for first in range(0, order.shape[1], batch):
            chosen = order[:, first : first + batch]
            value = loss.value_and_gradient(run.params, run.gradient, chosen)
            total += value * (chosen.shape[1] / order.shape[1])
            run.step(value)
        run.end_epoch(total, np.full_like(total, np.nan))
    return run.finish()


class _Run:
    """One training under way: params and moments that change in place, copied from the state it began with."""

    def __init__(self, state: State, learning_rate: float, clip_norm: float) -> None:
        self.start, self.learning_rate, self.first_rate = state, learning_rate, learning_rate
        self.clip_norm = clip_norm
        self.params = state.params.copy()
        self.gradient = np.zeros_like(self.params)
        self.moments = Moments(state.moments.mean.copy(), state.moments.square.copy(), state.moments.steps.copy())
        self.diverged = np.zeros(len(state), np.bool_)
        self.norms = np.zeros(len(state), self.params.dtype)
        self.updates = 0
        self.history: list[tuple[Array, Array, Array]] = []

    def step(self, loss: Array) -> None:
        self.norms = gradient_norms(self.gradient)
        broken = ~(np.isfinite(loss) & np.isfinite(self.norms))
        if broken.any():
            self.diverged |= broken
            self.gradient[self.diverged] = 0
            self.params[self.diverged] = self.start.params[self.diverged]
        clip_by_norm(self.gradient, self.norms, self.clip_norm)
        adam_step(self.params, self.gradient, self.moments, self.learning_rate)
        self.updates += 1

    def end_epoch(self, train: Array, validation: Array) -> None:
        self.history.append((train, validation, self.norms))

    def finish(self) -> Training:
        self.diverged |= ~np.isfinite(self.params).all(axis=1)
        for ours, theirs in (
            (self.params, self.start.params),
            (self.moments.mean, self.start.moments.mean),
            (self.moments.square, self.start.moments.square),
            (self.moments.steps, self.start.moments.steps),
        ):
            ours[self.diverged] = theirs[self.diverged]
        train, validation, norms = (np.stack(column) for column in zip(*self.history, strict=True))
        state = State(self.start.shape, self.params, self.moments)
        return Training(state, train, validation, norms, self.diverged, self.first_rate, self.updates)
