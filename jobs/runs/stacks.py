"""Compute and commit a backlog: stacks of tickers, block by block, on worker processes. The one way to a forecast.

Workers compute and only this process writes. A unit of work is a stack over a block of sessions, committed in one
transaction, so a killed job resumes at its first missing unit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import date

import numpy as np

from jobs.exchanges.calendars import ExchangeCalendar
from jobs.forecasting.inputs import Market
from jobs.forecasting.prior import PriorResult, PriorTask, fit_prior
from jobs.forecasting.stack import forecast_stack
from jobs.forecasting.tasks import Origin, Parent, Prior, StackResult, StackTask, TickerTask, prior_indices_of
from jobs.runs.backlog import StackPlan, TickerBacklog, bars_of_block, plan_stacks
from jobs.runs.lineage import parent_at, prior_at
from jobs.runs.options import RunOptions
from jobs.runs.prior_plan import due_priors
from jobs.runs.record import RunRecord
from jobs.runs.workers import Submit, refuse_other_environment, worker_pool

Progress = Callable[[int, int], None]


def run_stacks(
    backlogs: Sequence[TickerBacklog],
    options: RunOptions,
    record: RunRecord,
    *,
    market: Market | None,
    stop: threading.Event,
    progress: Progress,
) -> bool:
    """Forecast and commit every due session. Returns whether all was done: False when stop was set between units.

    progress(done, all) counts stacks times sessions. Raises what a worker raises.
    """
    plans = plan_stacks([backlog for backlog in backlogs if backlog.due], options.stack_size, options.workers)
    prior_tasks = _missing_priors(plans, backlogs, options, record, market)
    done, total = 0, sum(len(plan.sessions) for plan in plans)
    with worker_pool(min(options.workers, max(len(plans), len(prior_tasks)))) as submit:
        _fit_priors(prior_tasks, record, options.workers, submit, stop)
        priors = _stored_priors(plans, options, record)
        runs = [StackRun(plan, options, record, priors[plan.exchange], market) for plan in plans]
        waiting = {run.submit_next(submit): run for run in runs} if not stop.is_set() else {}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                run = waiting.pop(future)
                done += run.commit(future.result())
                progress(done, total)
                if run.has_next and not stop.is_set():
                    waiting[run.submit_next(submit)] = run
    return done == total


class StackRun:
    """One stack's blocks in order. Each block continues from what the one before committed."""

    def __init__(
        self, plan: StackPlan, options: RunOptions, record: RunRecord, priors: Sequence[Prior], market: Market | None
    ) -> None:
        self.plan, self.options, self.record, self.priors, self.market = plan, options, record, priors, market
        self.config = options.config
        self.force_cold = {ticker.ticker_id for ticker in plan.tickers} if options.force_cold else set()
        self.next_block = 0
        self.task: StackTask | None = None
        self.parents: dict[int, Parent] = {}

    @property
    def has_next(self) -> bool:
        """Return whether a block is left."""
        return self.next_block < len(self.plan.blocks)

    def submit_next(self, submit: Submit) -> Future[StackResult]:
        """Submit the next block. The one before must have been committed."""
        self.task = self._task(self.plan.blocks[self.next_block])
        self.next_block += 1
        return submit(forecast_stack, self.task)

    def commit(self, result: StackResult) -> int:
        """Commit the submitted block and return how many origins it had."""
        assert self.task is not None
        refuse_other_environment(result.fingerprint)
        self.record.commit_stack(self.task, result, self.plan.tickers)
        self.parents = result.parents
        return len(self.task.origins)

    def _task(self, block: tuple[date, ...]) -> StackTask:
        calendar = self.record.calendars.of(self.plan.exchange)
        origins = tuple(origin_of(calendar, day, self.config.horizons) for day in block)
        serving = prior_indices_of((origin.session_index for origin in origins), self.config.prior_every)
        tickers = tuple(self._ticker_task(ticker, block) for ticker in self.plan.tickers)
        forced = frozenset(ticker.ticker_id for ticker in tickers if ticker.due) & self.force_cold
        self.force_cold -= forced
        return StackTask(
            self.config,
            self.plan.exchange,
            origins,
            tickers,
            priors=tuple(prior for prior in self.priors if prior.prior_index in serving),
            market=Market(self.market.bars.through(block[-1]), self.market.exchange) if self.market else None,
            with_twins=self.options.with_twins,
            force_cold=forced,
        )

    def _ticker_task(self, ticker: TickerBacklog, block: tuple[date, ...]) -> TickerTask:
        due = frozenset(block) & frozenset(ticker.due)
        bars = bars_of_block(ticker.bars, min(due), max(due), self.config) if due else ticker.bars.select(slice(0, 0))
        parent = self._parent(ticker, min(due)) if due else self.parents.get(ticker.ticker_id)
        return TickerTask(ticker.ticker_id, ticker.key, ticker.price_basis, bars, due, parent)

    def _parent(self, ticker: TickerBacklog, first_due: date) -> Parent | None:
        """Return the model that served the bar before the first due one: from the last block, else from the record."""
        position = int(np.searchsorted(ticker.bars.session, np.datetime64(first_due)))
        if position == 0:
            return None
        before = ticker.bars.session[position - 1].item()
        carried = self.parents.get(ticker.ticker_id)
        if carried is not None and carried.session == before:
            return carried
        if before not in ticker.committed:
            return None
        return parent_at(self.record.engine, self.config, ticker.ticker_id, before)


def origin_of(calendar: ExchangeCalendar, session: date, horizons: int) -> Origin:
    """Return a session as an origin, with its targets: the next sessions of its exchange."""
    targets = tuple(calendar.session_offset(session, horizon) for horizon in range(1, horizons + 1))
    return Origin(session, calendar.session_index(session), targets)


def _missing_priors(
    plans: Sequence[StackPlan],
    backlogs: Sequence[TickerBacklog],
    options: RunOptions,
    record: RunRecord,
    market: Market | None,
) -> list[PriorTask]:
    """Return the fits of the priors that some stacks need and that are not stored yet."""
    tasks: list[PriorTask] = []
    for exchange, days in _sessions_by_exchange(plans).items():
        needed = due_priors(options.config, exchange, days, backlogs, market)
        tasks += [
            task for task in needed if prior_at(record.engine, options.config, exchange, task.session, task.prior_index) is None
        ]
    return tasks


def _fit_priors(tasks: Sequence[PriorTask], record: RunRecord, workers: int, submit: Submit, stop: threading.Event) -> None:
    """Fit priors, at most one on each worker at a time, and commit them in order. Each is a unit of work of its own."""
    pending: deque[Future[PriorResult]] = deque()
    for task in tasks:
        if stop.is_set():
            break
        if len(pending) == workers:
            _commit_prior(pending.popleft(), record)
        pending.append(submit(fit_prior, task))
    while pending:
        _commit_prior(pending.popleft(), record)


def _commit_prior(future: Future[PriorResult], record: RunRecord) -> None:
    result = future.result()
    refuse_other_environment(result.fingerprint)
    record.commit_prior(result)


def _stored_priors(plans: Sequence[StackPlan], options: RunOptions, record: RunRecord) -> dict[str, tuple[Prior, ...]]:
    """Return the stored priors that serve the sessions of each exchange."""
    priors: dict[str, tuple[Prior, ...]] = {}
    for exchange, days in _sessions_by_exchange(plans).items():
        calendar = record.calendars.of(exchange)
        indices = prior_indices_of((calendar.session_index(day) for day in days), options.config.prior_every)
        stored = (
            prior_at(record.engine, options.config, exchange, calendar.session_at(index), index) for index in sorted(indices)
        )
        priors[exchange] = tuple(prior for prior in stored if prior is not None)
    return priors


def _sessions_by_exchange(plans: Sequence[StackPlan]) -> dict[str, list[date]]:
    """Return the due sessions of each exchange, oldest first."""
    exchanges = sorted({plan.exchange for plan in plans})
    return {e: sorted({day for plan in plans if plan.exchange == e for day in plan.sessions}) for e in exchanges}
