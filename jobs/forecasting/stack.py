"""What a stack of tickers forecasts at each of some origins, given their bars. Pure: no file, no database, no clock.

A StackTask goes in and rows of the record come out, so a worker process may do it. forecast_stack is the one entry.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import groupby

import numpy as np
from threadpoolctl import threadpool_limits

from tickercast.jobs.forecasting.chains import Chains
from tickercast.jobs.forecasting.collector import collector_paused
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.forecasting.identity import seed_of
from tickercast.jobs.forecasting.inputs import ContextReader, History, ModelInput, history_of, newest_of, visible_history
from tickercast.jobs.forecasting.model import ForecastModel, ModelState, Trained, join_states, network_of, state_of_bytes
from tickercast.jobs.forecasting.presets import model_for
from tickercast.jobs.forecasting.prior import FAMILIES, STOCK
from tickercast.jobs.forecasting.recorder import StackRecorder
from tickercast.jobs.forecasting.tasks import WARM, Origin, OriginTask, Prior, StackResult, StackTask, TickerTask, newest_prior
from tickercast.rnn.state import State


def forecast_stack(task: StackTask) -> StackResult:
    """Return everything that the origins of a task add to the record.

    BLAS has one thread, because the bytes depend on the number of threads.
    """
    with threadpool_limits(1), collector_paused():
        forecaster = StackForecaster(task)
        for origin in task.origins:
            forecaster.forecast_from(origin)
        return forecaster.recorder.finish(task.tickers, fingerprint())


class StackForecaster:
    """Forecasts one origin after the other, and carries each chain's newest model between them."""

    def __init__(self, task: StackTask) -> None:
        self.task, self.config = task, task.config
        self.histories = {t.ticker_id: history_of(t.bars, task.config.field) for t in task.tickers}
        reference = task.reference if task.config.reference == "auto" else None
        self.context = ContextReader(task.calendar, reference, task.config.assumed_sessions)
        self.priors = {prior.model_id: prior for prior in task.priors}
        self.prior_states = {prior.model_id: network_of(state_of_bytes(prior.checkpoint)) for prior in task.priors}
        self.chains = Chains(task.tickers, task.force_cold)
        self.recorder = StackRecorder(task.config, self.chains)

    def forecast_from(self, origin: Origin) -> None:
        """Train and forecast every ticker that is due at an origin."""
        tasks = [task for task in (self._origin_task(ticker, origin) for ticker in self.task.tickers) if task]
        for group in _groups(tasks):
            self._forecast_group(group)

    def _origin_task(self, ticker: TickerTask, origin: Origin) -> OriginTask | None:
        """Return a ticker's part of an origin; None where it is not due or has too few bars."""
        end = int(np.searchsorted(ticker.bars.session, np.datetime64(origin.session), side="right"))
        if origin.session not in ticker.due or end < self.config.fewest_sessions:
            return None
        model_input = self._input(ticker, end)
        every = self.config.cold_every
        parent, reason = self.chains.start_of(
            ticker.ticker_id,
            ticker.bars.session[end - 2].item(),
            is_scheduled_cold=bool(every) and origin.session_index % every == 0,
            hash_before=lambda: self._input(ticker, end - 1).sha256(),
        )
        # A prior that appears between two cold starts changes no chain.
        prior = self.priors[parent.prior_id] if parent and parent.prior_id and reason == WARM else None
        seed, sha256 = seed_of(ticker.key, origin.session, self.config), model_input.sha256()
        task = OriginTask(ticker, origin, model_input, sha256, None, sha256, reason, parent, prior, seed)
        return task if reason == WARM else self._as_cold(task, reason)

    def _as_cold(self, task: OriginTask, reason: str) -> OriginTask:
        """Return a task as a cold start, with the prior of such and what it learns from."""
        prior = newest_prior(self.task.priors, task.origin.session, FAMILIES[task.ticker.kind])
        if prior is None or self.config.learns != "scales":
            return replace(task, reason=reason, prior=prior)
        longer = self._longer_input(task.ticker, task.origin.session)
        return replace(task, reason=reason, prior=prior, longer=longer, model_sha256=longer.sha256())

    def _input(self, ticker: TickerTask, end: int) -> ModelInput:
        """Return what a model at the bar before index `end` reads."""
        return self._with_context(visible_history(self.histories[ticker.ticker_id], end, self.config), ticker)

    def _longer_input(self, ticker: TickerTask, origin: date) -> ModelInput:
        """Return what a cold start at an origin learns from."""
        end = int(np.searchsorted(ticker.bars.session, np.datetime64(origin), side="right"))
        return self._with_context(newest_of(self.histories[ticker.ticker_id], end, self.config.learned_sessions), ticker)

    def _with_context(self, history: History, ticker: TickerTask) -> ModelInput:
        if self.config.preset == "article":  # its network reads prices alone
            return ModelInput(history)
        reads_events = self.config.events and ticker.kind == STOCK
        return ModelInput(history, self.context.known(history, ticker.events if reads_events else None))

    def _forecast_group(self, tasks: list[OriginTask]) -> None:
        """Train tasks of one shape in lockstep, then publish what each chain's newest model forecasts."""
        model = self._model(tasks)
        if tasks[0].is_cold:
            self._publish(tasks, model, self._train_cold(model, tasks))
            return
        states = join_states([self.chains.state_of(task.ticker.ticker_id) for task in tasks])
        if not self.config.warm_epochs:
            self.recorder.publish(tasks, model.predict(states))
            return
        trained = _timed_training(model, states, self.config.warm_epochs, tasks, self._state_of(tasks[0].prior))
        if trained.drifted.any():
            gone, healthy = np.flatnonzero(trained.drifted), np.flatnonzero(~trained.drifted)
            for group in _groups([self._as_cold(tasks[k], "drift") for k in gone]):
                self._forecast_group(group)
            tasks, model, trained = [tasks[k] for k in healthy], model.select(healthy), trained.select(healthy)
        if tasks:
            self._publish(tasks, model, trained)
            if self.task.with_twins:
                for group in _groups([self._as_cold(task, "twin") for task in tasks]):
                    self._record_twins(group)

    def _record_twins(self, twins: list[OriginTask]) -> None:
        """Record what cold starts of one shape would forecast."""
        model = self._model(twins)
        self.recorder.record_twins(twins, model, self._train_cold(model, twins))

    def _model(self, tasks: Sequence[OriginTask]) -> ForecastModel:
        longer = [task.longer for task in tasks if task.longer is not None]
        return model_for(self.config, [task.input for task in tasks], self._state_of(tasks[0].prior), longer or None)

    def _state_of(self, prior: Prior | None) -> State | None:
        return self.prior_states[prior.model_id] if prior else None

    def _train_cold(self, model: ForecastModel, tasks: Sequence[OriginTask]) -> Trained:
        """Return a training from the prior, or from scratch where there is none.

        A ticker whose own factors did worse than the prior alone has the prior alone from now on.
        """
        prior = self._state_of(tasks[0].prior)
        states = model.initial_state([task.seed for task in tasks], prior)
        epochs = self.config.cold_epochs if prior is None else self.config.tune_epochs
        if tasks[0].reason == "drift" and tasks[0].longer is not None:
            epochs = 0
        return _timed_training(model, states, epochs, tasks, prior)

    def _publish(self, tasks: Sequence[OriginTask], model: ForecastModel, trained: Trained) -> None:
        """Record trained models, then publish from each chain's newest one: its parent where a training diverged."""
        self.recorder.record_models(tasks, model.features, trained)
        serving = trained.state
        if any(trained.training.faults):
            serving = join_states([self._serving_state(task, trained.state.one(k)) for k, task in enumerate(tasks)])
        self.recorder.publish(tasks, model.predict(serving))

    def _serving_state(self, task: OriginTask, trained: ModelState) -> ModelState:
        """Return the newest state of a ticker's chain; its training's where there is none, or one of another kind of model."""
        ticker_id = task.ticker.ticker_id
        newest = self.chains.state_of(ticker_id) if ticker_id in self.chains.parents else trained
        return newest if type(newest.learned) is type(trained.learned) else trained


def _timed_training(
    model: ForecastModel, states: ModelState, epochs: int, tasks: Sequence[OriginTask], prior: State | None
) -> Trained:
    """Return a training with its wall time for each network."""
    began = time.perf_counter()
    trained = model.train(states, epochs, [task.seed for task in tasks], prior)
    return replace(trained, seconds=(time.perf_counter() - began) / len(tasks))


def _groups(tasks: Sequence[OriginTask]) -> Iterator[list[OriginTask]]:
    """Yield the tasks of one origin in groups that can be computed together, because their arrays have the same shapes."""
    for _, group in groupby(sorted(tasks, key=_shape_of), key=_shape_of):
        yield list(group)


def _shape_of(task: OriginTask) -> tuple[str, int, int, str]:
    return task.reason, len(task.input.history), len(task.longer.history) if task.longer else 0, task.prior_id or ""
