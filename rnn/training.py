"""Training a stack: cold starts from seeds, steps in lockstep, and what came of each network.

A network that diverges (its loss or gradient not finite, or its loss beyond a limit) keeps the params it began with and
is named. One whose validation loss has stopped falling keeps its best params. Both leave the stack, cost nothing more, and
leave their neighbours' bytes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from rnn.errors import TrainingError
from rnn.optimizers import Moments, clip_by_norm, gradient_norms, no_moments, optimizer_of, schedule_of
from rnn.params import NetworkShape, initial_params

Array = NDArray[np.floating]
Indices = NDArray[np.intp]
O = TypeVar("O", bound="Objective")


class Objective(Protocol):
    """What a stack is trained on. validation: (K,), of the params that the newest epoch began with; NaN where none is."""

    validation: Array

    def gradients(self, params: Array, gradient: Array) -> Iterator[tuple[Array, float]]: ...

    def rows(self: O, chosen: Indices) -> O: ...


@dataclass(frozen=True, slots=True)
class State:
    """Params (K, P) and the optimizer's memory of a stack of networks of one shape."""

    shape: NetworkShape
    params: Array
    moments: Moments

    def __len__(self) -> int:
        return len(self.params)

    def rows(self, chosen: Indices) -> State:
        """Return some networks as a stack of their own, a copy."""
        return State(self.shape, self.params[chosen], self.moments.rows(chosen))

    def one(self, k: int) -> State:
        """Return network k as a stack of one, in memory of its own."""
        return self.rows(np.array([k]))


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a stack is trained. clip_norm: largest norm of a network's gradient.

    patience: epochs without a better validation loss after which a network stops (0 = it never does; else the epochs'
    params are compared and the best are kept). loss_limit: a train loss beyond it has diverged.
    """

    epochs: int
    learning_rate: float
    optimizer: str = "adam"
    schedule: str = "constant"
    clip_norm: float = 1.0
    patience: int = 0
    loss_limit: float = 1e6

    def __post_init__(self) -> None:
        if self.epochs < 0 or self.patience < 0 or not (0 < self.learning_rate < np.inf and self.clip_norm > 0):
            raise TrainingError(f"epochs and patience of at least 0, learning_rate and clip_norm above 0 are needed: {self}")
        optimizer_of(self.optimizer)
        schedule_of(self.schedule)


@dataclass(frozen=True, slots=True)
class Training:
    """A stack after some epochs. Losses and norms are (epochs, K), NaN after a network has left; norms before clipping.

    epochs, updates: (K,), how many each network took. faults: (K,) what broke a network that diverged, else "".
    learning_rates: (epochs,).
    """

    state: State
    train_loss: Array
    validation_loss: Array
    gradient_norm: Array
    epochs: NDArray[np.int64]
    updates: NDArray[np.int64]
    faults: tuple[str, ...]
    learning_rates: tuple[float, ...]

    @property
    def diverged(self) -> NDArray[np.bool_]:
        return np.array([bool(fault) for fault in self.faults], np.bool_)


def concatenate(states: Sequence[State]) -> State:
    """Return one stack of several, in order."""
    moments = Moments(
        np.concatenate([s.moments.mean for s in states]),
        np.concatenate([s.moments.square for s in states]),
        np.concatenate([s.moments.steps for s in states]),
    )
    return State(states[0].shape, np.concatenate([s.params for s in states]), moments)


def cold_state(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> State:
    """Return networks fresh from their seeds with an optimizer that has done nothing; their outputs are zero."""
    params = initial_params(seeds, shape, dtype)
    return State(shape, params, no_moments(params))


def noisy_state(seeds: Sequence[int], shape: NetworkShape, dtype: DTypeLike = np.float32) -> State:
    """Return networks fresh from their seeds whose outputs start as small noise, for a head without a baseline."""
    state = cold_state(seeds, shape, dtype)
    h, o = shape.hidden, shape.outputs
    end = shape.size - shape.extras - o
    for row, seed in zip(state.params, seeds, strict=True):
        row[end - h * o : end] = np.random.default_rng([seed, 1]).normal(0, 1 / np.sqrt(h), h * o)
    return state


def train(state: State, objective: Objective, settings: TrainingSettings) -> Training:
    """Return a stack after some epochs on an objective."""
    run = _Run(state, objective, settings)
    # A network on its way to divergence may overflow; what comes of it is checked after every step.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for epoch in range(settings.epochs):
            if len(run.active):
                run.epoch(epoch)
        if settings.patience and len(run.active):
            run.last_look()
    return run.finish()


class _Run:
    """One training under way. `active` are the networks still in it; params, moments and objective are of those alone."""

    def __init__(self, state: State, objective: Objective, settings: TrainingSettings) -> None:
        self.start, self.settings = state, settings
        self.optimizer, self.schedule = optimizer_of(settings.optimizer), schedule_of(settings.schedule)
        everyone = np.arange(len(state))
        self.result = state.rows(everyone)
        self.active, self.now, self.objective = everyone, state.rows(everyone), objective
        self.gradient = np.zeros_like(state.params)
        self.faults = [""] * len(state)
        self.lowest = np.full(len(state), np.inf)
        self.waited = np.zeros(len(state), np.int64)
        shape = (settings.epochs, len(state))
        self.train_loss, self.validation_loss, self.norms = (np.full(shape, np.nan, state.params.dtype) for _ in range(3))
        self.rates: list[float] = []
        self.epochs, self.updates = np.zeros(len(state), np.int64), np.zeros(len(state), np.int64)

    def epoch(self, number: int) -> None:
        """Take one epoch of every active network; those that diverge or have waited long enough leave."""
        rate = self.settings.learning_rate * self.schedule(number, self.settings.epochs)
        before = self.now.params.copy() if self.settings.patience else self.now.params
        memory = self.now.moments.rows(np.arange(len(self.active))) if self.settings.patience else self.now.moments
        total = np.zeros(len(self.active), self.gradient.dtype)
        broken = np.zeros(len(self.active), np.bool_)
        norms = total
        for value, share in self.objective.gradients(self.now.params, self.gradient):
            total = total + value * total.dtype.type(share)
            norms = gradient_norms(self.gradient)
            broken |= ~(np.isfinite(value) & np.isfinite(norms) & (np.abs(value) <= self.settings.loss_limit))
            clip_by_norm(self.gradient, norms, self.settings.clip_norm)
            self.optimizer.step(self.now.params, self.gradient, self.now.moments, rate)
            self.updates[self.active] += 1
        broken |= ~np.isfinite(self.now.params).all(axis=1)
        self.rates.append(rate)
        self.train_loss[number, self.active] = total
        self.validation_loss[number, self.active] = self.objective.validation
        self.norms[number, self.active] = norms
        self.epochs[self.active] += 1
        for k in np.flatnonzero(broken):
            self.faults[self.active[k]] = f"loss {total[k]:.4g}, gradient norm {norms[k]:.4g} in epoch {number + 1}"
        stopped = self._compare(State(self.start.shape, before, memory)) if self.settings.patience else np.zeros_like(broken)
        self._leave(broken, stopped)

    def last_look(self) -> None:
        """Compare the params after the last epoch too. The gradient that comes with their loss moves nothing."""
        next(iter(self.objective.gradients(self.now.params, self.gradient)))
        self._compare(self.now)

    def _compare(self, seen: State) -> NDArray[np.bool_]:
        """Keep the params that the validation loss is of where it is the lowest so far; return who has waited too long."""
        validation = self.objective.validation
        # Where nothing is held out there is nothing to stop for: the newest params are kept.
        better = (validation < self.lowest[self.active]) | np.isnan(validation)
        chosen = self.active[better]
        self.lowest[chosen] = np.where(np.isnan(validation[better]), np.inf, validation[better])
        self.waited[self.active] += 1
        self.waited[chosen] = 0
        _put(self.result, chosen, seen, np.flatnonzero(better))
        return self.waited[self.active] >= self.settings.patience

    def _leave(self, broken: NDArray[np.bool_], stopped: NDArray[np.bool_]) -> None:
        _put(self.result, self.active[broken], self.start, self.active[broken])
        stay = np.flatnonzero(~(broken | stopped))
        if len(stay) == len(self.active):
            return
        self.active, self.now = self.active[stay], self.now.rows(stay)
        self.gradient = self.gradient[stay]
        if len(stay):
            self.objective = self.objective.rows(stay)

    def finish(self) -> Training:
        if not self.settings.patience:
            _put(self.result, self.active, self.now, np.arange(len(self.active)))
        n = len(self.rates)
        return Training(
            self.result, self.train_loss[:n], self.validation_loss[:n], self.norms[:n],
            self.epochs, self.updates, tuple(self.faults), tuple(self.rates),
        )  # fmt: skip


def _put(into: State, places: Indices, source: State, chosen: Indices) -> None:
    for ours, theirs in (
        (into.params, source.params),
        (into.moments.mean, source.moments.mean),
        (into.moments.square, source.moments.square),
        (into.moments.steps, source.moments.steps),
    ):
        ours[places] = theirs[chosen]
