"""What a stack of tickers forecasts at each of some origins, given their bars. Pure: no file, no database, no clock.

A StackTask goes in and rows of the record come out, so a worker process may do it. forecast_stack is the one entry.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from threadpoolctl import threadpool_limits

from jobs.forecasting.chains import Chains
from jobs.forecasting.collector import collector_paused
from jobs.forecasting.fingerprint import fingerprint
from jobs.forecasting.identity import seed_of
from jobs.forecasting.inputs import MarketReader, ModelInput, history_of, visible_history
from jobs.forecasting.model import ForecastModel, ModelState, Trained, join_states, state_of_bytes
from jobs.forecasting.presets import model_for
from jobs.forecasting.recorder import StackRecorder
from jobs.forecasting.tasks import WARM, Origin, OriginTask, Prior, StackResult, StackTask, TickerTask, newest_prior
from rnn.state import State


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
        self.market = MarketReader(task.market, task.exchange, task.config.history_sessions)
        self.priors = {prior.model_id: prior for prior in task.priors}
        self.prior_states = {prior.model_id: state_of_bytes(prior.checkpoint).network for prior in task.priors}
        self.chains = Chains(task.tickers, task.force_cold)
        self.recorder = StackRecorder(task.config, self.chains)

    def forecast_from(self, origin: Origin) -> None:
        """Train and forecast every ticker that is due at an origin."""
        tasks = [task for task in (self._origin_task(ticker, origin) for ticker in self.task.tickers) if task]
        # Networks in lockstep share their shapes: the same start, number of bars and prior.
        tasks.sort(key=_group_of)
        for _, group in groupby(tasks, key=_group_of):
            self._forecast_group(list(group))

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
        chain_prior_id = parent.prior_id if parent and reason == WARM else None
        prior = self._cold_prior(origin) if reason != WARM else self.priors[chain_prior_id] if chain_prior_id else None
        seed = seed_of(ticker.key, origin.session, self.config)
        return OriginTask(ticker, origin, model_input, model_input.sha256(), reason, parent, prior, seed)

    def _cold_prior(self, origin: Origin) -> Prior | None:
        return newest_prior(self.task.priors, origin.session)

    def _input(self, ticker: TickerTask, end: int) -> ModelInput:
        """Return what a model at the bar before index `end` reads."""
        history = visible_history(self.histories[ticker.ticker_id], end, self.config)
        return ModelInput(history, self.market.up_to(history.bars.session[-1].item()))

    def _forecast_group(self, tasks: list[OriginTask]) -> None:
        """Train tasks of one shape in lockstep, then publish what each chain's newest model forecasts."""
        model = model_for(self.config, [task.input for task in tasks])
        prior = self._state_of(tasks[0].prior)
        if tasks[0].is_cold:
            self._publish(tasks, model, self._train_cold(model, tasks, prior))
            return
        states = join_states([self.chains.state_of(task.ticker.ticker_id) for task in tasks])
        if not self.config.warm_epochs:
            self.recorder.publish(tasks, model.predict(states))
            return
        trained = _timed_training(model, states, self.config.warm_epochs, tasks, prior)
        if trained.drifted.any():
            gone, healthy = np.flatnonzero(trained.drifted), np.flatnonzero(~trained.drifted)
            self._forecast_group(self._as_cold([tasks[k] for k in gone], "drift"))
            tasks, model, trained = [tasks[k] for k in healthy], model.select(healthy), trained.select(healthy)
        if tasks:
            self._publish(tasks, model, trained)
            if self.task.with_twins:
                twins = self._as_cold(tasks, "twin")
                self.recorder.record_twins(twins, model, self._train_cold(model, twins, self._state_of(twins[0].prior)))

    def _as_cold(self, tasks: Sequence[OriginTask], reason: str) -> list[OriginTask]:
        """Return warm tasks of one origin as cold starts, with the prior of such."""
        prior = self._cold_prior(tasks[0].origin)
        return [replace(task, reason=reason, prior=prior) for task in tasks]

    def _state_of(self, prior: Prior | None) -> State | None:
        return self.prior_states[prior.model_id] if prior else None

    def _train_cold(self, model: ForecastModel, tasks: Sequence[OriginTask], prior: State | None) -> Trained:
        """Return a training from the prior, or from scratch where there is none."""
        states = model.initial_state([task.seed for task in tasks], prior)
        epochs = self.config.cold_epochs if prior is None else self.config.tune_epochs
        return _timed_training(model, states, epochs, tasks, prior)

    def _publish(self, tasks: Sequence[OriginTask], model: ForecastModel, trained: Trained) -> None:
        """Record trained models, then publish from each chain's newest one: its parent where a training diverged."""
        self.recorder.record_models(tasks, model.features, trained)
        serving = trained.state
        if any(trained.training.faults):
            serving = join_states([self._serving_state(task, trained.state.one(k)) for k, task in enumerate(tasks)])
        self.recorder.publish(tasks, model.predict(serving))

    def _serving_state(self, task: OriginTask, trained: ModelState) -> ModelState:
        """Return the newest state of a ticker's chain; for a ticker without a chain, its first training's."""
        ticker_id = task.ticker.ticker_id
        return self.chains.state_of(ticker_id) if ticker_id in self.chains.parents else trained


def _timed_training(
    model: ForecastModel, states: ModelState, epochs: int, tasks: Sequence[OriginTask], prior: State | None
) -> Trained:
    """Return a training with its wall time for each network."""
    began = time.perf_counter()
    trained = model.train(states, epochs, [task.seed for task in tasks], prior)
    return replace(trained, seconds=(time.perf_counter() - began) / len(tasks))


def _group_of(task: OriginTask) -> tuple[bool, int, str]:
    return task.is_cold, len(task.input.history), task.prior_id or ""
