"""Training a stack: the loop over epochs, and which networks are still in it.

A network that diverges (its loss or gradient is not finite, or its loss is beyond a limit) keeps the params it began with.
One whose validation loss no longer falls keeps its best params. Both leave the stack: they cost no more time, and the bytes
of the other networks stay the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.errors import TrainingError
from tickercast.rnn.optimizers import Moments, clip_by_norm, gradient_norms, optimizer_of, schedule_of
from tickercast.rnn.state import State

Array = NDArray[np.floating]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Batch:
    """One optimizer step's part of an epoch.

    loss_and_gradient: takes params (K, P) and an array (K, P); returns the loss (K,) and puts the gradient into the array.
    share: the batch's share of the epoch's targets, so the epoch's loss is the sum of share x loss.
    """

    loss_and_gradient: Callable[[Array, Array], Array]
    share: float


class Objective(Protocol):
    """What a stack is trained on.

    validation: (K,), the validation loss of the params at which the newest gradient was taken; NaN where nothing is held out.
    """

    validation: Array

    def batches(self) -> list[Batch]: ...

    def rows(self, chosen: Indices) -> Self: ...


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a stack is trained. clip_norm: the largest norm of a network's gradient.

    patience: after so many epochs without a lower validation loss a network stops and keeps its best params; 0 = it takes
    all epochs and keeps the last params. loss_limit: a train loss beyond it counts as diverged.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """How a training of a stack went. Losses and norms are (epochs, K), NaN after a network has left; norms before clipping.

    epochs, updates: (K,), how many each network took. faults: (K,), why a network diverged, else "".
    learning_rates: (epochs,).
    """

    train_loss: Array
    validation_loss: Array
    gradient_norm: Array
    epochs: NDArray[np.int64]
    updates: NDArray[np.int64]
    faults: tuple[str, ...]
    learning_rates: tuple[float, ...]

    @property
    def diverged(self) -> Mask:
        return np.array([bool(fault) for fault in self.faults], np.bool_)

    def of(self, networks: Indices) -> Curves:
        """Return the curves of some networks, a copy."""
        return Curves(
            train_loss=self.train_loss[:, networks],
            validation_loss=self.validation_loss[:, networks],
            gradient_norm=self.gradient_norm[:, networks],
            epochs=self.epochs[networks],
            updates=self.updates[networks],
            faults=tuple(self.faults[k] for k in networks),
            learning_rates=self.learning_rates,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(Curves):
    """A stack after training, and how it went."""

    state: State


def train(state: State, objective: Objective, settings: TrainingSettings) -> Training:
    """Return a stack after some epochs on an objective; the state given is left as it is."""
    optimizer, schedule = optimizer_of(settings.optimizer), schedule_of(settings.schedule)
    active, recording = _Active(state, objective), _Recording(state, settings.epochs)
    result = _BestParams(state, settings.patience) if settings.patience else _LastParams(state)
    # A network that diverges may overflow; add_batch finds it by its loss and gradient.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for epoch in range(settings.epochs):
            if not len(active):
                break
            learning_rate = settings.learning_rate * schedule(epoch, settings.epochs)
            result.begin_epoch(active)
            figures = _EpochFigures(active)
            for batch in active.objective.batches():
                loss = batch.loss_and_gradient(active.params, active.gradient)
                norms = gradient_norms(active.gradient)
                figures.add_batch(loss, norms, batch.share, settings.loss_limit)
                clip_by_norm(active.gradient, norms, settings.clip_norm)
                optimizer.step(active.params, active.gradient, active.moments, learning_rate)
            diverged = figures.diverged | ~np.isfinite(active.params).all(axis=1)
            recording.add_epoch(epoch, learning_rate, active, figures, diverged)
            stopped = result.end_epoch(active)
            result.put_back(active.networks[diverged], state)
            active.keep(~(diverged | stopped))
        result.finish(active)
    return recording.training(result.state)


class _Active:
    """The networks still in training. networks: which of the whole stack they are; all else here is of them alone."""

    def __init__(self, state: State, objective: Objective) -> None:
        self.networks = np.arange(len(state))
        self.state, self.objective = state.rows(self.networks), objective
        self.gradient = np.zeros_like(state.params)

    def __len__(self) -> int:
        return len(self.networks)

    @property
    def params(self) -> Array:
        return self.state.params

    @property
    def moments(self) -> Moments:
        return self.state.moments

    def keep(self, staying: Mask) -> None:
        """Drop the other networks."""
        if staying.all():
            return
        chosen = np.flatnonzero(staying)
        self.networks, self.state, self.gradient = self.networks[chosen], self.state.rows(chosen), self.gradient[chosen]
        if len(chosen):
            self.objective = self.objective.rows(chosen)


class _EpochFigures:
    """One epoch of the active networks. loss: (K,), over all batches. norms: (K,), of the last batch. diverged: (K,)."""

    def __init__(self, active: _Active) -> None:
        self.loss: Array = np.zeros(len(active), active.params.dtype)
        self.norms = self.loss
        self.diverged: Mask = np.zeros(len(active), np.bool_)
        self.batches = 0

    def add_batch(self, loss: Array, norms: Array, share: float, loss_limit: float) -> None:
        """Add a batch's loss, and note which networks diverged in it."""
        self.loss = self.loss + loss * self.loss.dtype.type(share)
        self.norms = norms
        self.diverged |= ~(np.isfinite(loss) & np.isfinite(norms) & (np.abs(loss) <= loss_limit))
        self.batches += 1


class _Recording:
    """What Training records of each epoch and network."""

    def __init__(self, state: State, epochs: int) -> None:
        sizes, dtype = (epochs, len(state)), state.params.dtype
        self.train_loss, self.validation_loss, self.norms = (np.full(sizes, np.nan, dtype) for _ in range(3))
        self.epochs, self.updates = np.zeros(len(state), np.int64), np.zeros(len(state), np.int64)
        self.faults = [""] * len(state)
        self.learning_rates: list[float] = []

    def add_epoch(self, epoch: int, learning_rate: float, active: _Active, figures: _EpochFigures, diverged: Mask) -> None:
        """Record an epoch of the active networks. epoch counts from 0."""
        self.learning_rates.append(learning_rate)
        self.train_loss[epoch, active.networks] = figures.loss
        self.validation_loss[epoch, active.networks] = active.objective.validation
        self.norms[epoch, active.networks] = figures.norms
        self.epochs[active.networks] += 1
        self.updates[active.networks] += figures.batches
        for k in np.flatnonzero(diverged):
            fault = f"loss {figures.loss[k]:.4g}, gradient norm {figures.norms[k]:.4g} in epoch {epoch + 1}"
            self.faults[active.networks[k]] = fault

    def training(self, state: State) -> Training:
        """Return the record of the epochs taken, with the state they led to."""
        n = len(self.learning_rates)
        return Training(
            state=state,
            train_loss=self.train_loss[:n],
            validation_loss=self.validation_loss[:n],
            gradient_norm=self.norms[:n],
            epochs=self.epochs,
            updates=self.updates,
            faults=tuple(self.faults),
            learning_rates=tuple(self.learning_rates),
        )


class _LastParams:
    """The result of a training without patience: the params after the last epoch."""

    def __init__(self, state: State) -> None:
        self.state = state.rows(np.arange(len(state)))

    def begin_epoch(self, active: _Active) -> None:
        """Do nothing: the params before an epoch are not needed."""

    def end_epoch(self, active: _Active) -> Mask:
        """Return which networks stop: none."""
        return np.zeros(len(active), np.bool_)

    def put_back(self, networks: Indices, start: State) -> None:
        """Give some networks the state they began with."""
        self.state.put(networks, start, networks)

    def finish(self, active: _Active) -> None:
        """Take the params of the networks that took all epochs."""
        self.state.put(active.networks, active.state, np.arange(len(active)))


class _BestParams(_LastParams):
    """The result of a training with patience: each network's params of the lowest validation loss so far."""

    def __init__(self, state: State, patience: int) -> None:
        super().__init__(state)
        self.patience = patience
        self.lowest = np.full(len(state), np.inf)
        self.waited = np.zeros(len(state), np.int64)

    def begin_epoch(self, active: _Active) -> None:
        """Copy the params before the epoch, because its validation loss is theirs."""
        self.before = active.state.rows(np.arange(len(active)))

    def end_epoch(self, active: _Active) -> Mask:
        """Save the best params so far; return the networks whose patience ran out."""
        return self._save_better(active, self.before)

    def finish(self, active: _Active) -> None:
        """Compare the params after the last epoch too. Their gradient is computed with their loss and not used."""
        if len(active):
            active.objective.batches()[0].loss_and_gradient(active.params, active.gradient)
            self._save_better(active, active.state)

    def _save_better(self, active: _Active, seen: State) -> Mask:
        validation, networks = active.objective.validation, active.networks
        # Where nothing is held out there is nothing to compare, so the newest params are kept.
        unknown = np.isnan(validation)
        better = (validation < self.lowest[networks]) | unknown
        self.lowest[networks[better]] = np.where(unknown, np.inf, validation)[better]
        self.waited[networks] += 1
        self.waited[networks[better]] = 0
        self.state.put(networks[better], seen, np.flatnonzero(better))
        return self.waited[networks] >= self.patience
