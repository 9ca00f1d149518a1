"""Compute and commit a backlog: stacks of tickers, block by block, on worker processes. The one way to a forecast.

Workers compute and only this process writes. A unit of work is a stack over a block of sessions, committed in one
transaction, so a killed job resumes at its first missing unit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import date

import numpy as np

from tickercast.jobs.forecasting.context import Reference
from tickercast.jobs.forecasting.prior import FAMILIES, Member
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.forecasting.tasks import Parent, Prior, StackResult, StackTask, TickerTask, priors_of_block
from tickercast.jobs.runs.backlog import StackPlan, TickerBacklog, bars_of_block, due_by_exchange, plan_stacks
from tickercast.jobs.runs.engines import Engine, OpenEngine, engine_of
from tickercast.jobs.runs.lineage import parents_before
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.priors import fit_priors, missing_priors, priors_of
from tickercast.jobs.runs.record import RunRecord
from tickercast.jobs.runs.spans import origin_of, session_days
from tickercast.jobs.runs.workers import Submit, refuse_other_environment
from tickercast.storage.errors import Corrupt

Progress = Callable[[int, int], None]


def run_stacks(
    backlogs: Sequence[TickerBacklog],
    options: RunOptions,
    record: RunRecord,
    *,
    members: Sequence[Member],
    references: Mapping[str, Reference],
    stop: threading.Event,
    progress: Progress,
    open_engine: OpenEngine = engine_of,
) -> StacksDone:
    """Forecast and commit every due session, until stop is set between units.

    members: of the universe that the config names. references: by exchange.
    progress(done, all) counts stacks times sessions. Raises what a worker raises.
    """
    owed = [backlog for backlog in backlogs if backlog.due]
    due = due_by_exchange(backlogs)
    prior_tasks = missing_priors(record, options.config, due, members, references)
    tasks = max(len(plan_stacks(owed, options.stack_size, options.workers)), len(prior_tasks))
    with open_engine(options, tasks) as engine:
        fit_priors(prior_tasks, record, engine.workers, engine.submit, stop)
        with record.engine.connect() as connection:
            priors = {exchange: priors_of(connection, options.config, record.calendars.of(exchange)) for exchange in due}
        plans = plan_stacks(owed, options.stack_size, engine.workers)
        runs = [StackRun(plan, options, record, priors[plan.exchange], references.get(plan.exchange)) for plan in plans]
        _compute(runs, engine, record, stop, progress)
    damaged = {symbol: error for run in runs for symbol, error in run.damaged.items()}
    return StacksDone(all(not run.has_next for run in runs), damaged)


def _compute(runs: Sequence[StackRun], engine: Engine, record: RunRecord, stop: threading.Event, progress: Progress) -> None:
    """Compute and commit the blocks of stacks, until stop is set between units. As many are under way as the engine takes."""
    done, total = 0, sum(len(run.plan.sessions) for run in runs)
    ready, waiting = deque(runs), dict[Future[StackResult], StackRun]()
    while True:
        while ready and len(waiting) < engine.most_tasks and not stop.is_set():
            run = ready.popleft()
            if (future := run.submit_next(engine.submit)) is not None:
                waiting[future] = run
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            run = waiting.pop(future)
            done += run.commit(future.result())
            ready.append(run)
            record.heart.beat()
            progress(done, total)


@dataclass(frozen=True, slots=True)
class StacksDone:
    """Whether all was done that could be, and the tickers that have no newer forecast because their checkpoint is damaged."""

    is_complete: bool
    damaged: dict[str, Corrupt]


class StackRun:
    """One stack's blocks in order. Each block continues from what the one before committed."""

    def __init__(
        self,
        plan: StackPlan,
        options: RunOptions,
        record: RunRecord,
        priors: Sequence[Prior],
        reference: Reference | None,
    ) -> None:
        self.plan, self.options, self.record, self.priors = plan, options, record, priors
        self.reference = reference
        self.config = options.config
        self.force_cold = {ticker.ticker_id for ticker in plan.tickers} if options.force_cold else set()
        self.next_block = 0
        self.task: StackTask | None = None
        self.parents: dict[int, Parent] = {}
        self.damaged: dict[str, Corrupt] = {}

    @property
    def has_next(self) -> bool:
        """Return whether a block is left."""
        return self.next_block < len(self.plan.blocks)

    def submit_next(self, submit: Submit) -> Future[StackResult] | None:
        """Submit the next block, None where none is left. The one before must have been committed."""
        while self.has_next:
            block = self.plan.blocks[self.next_block]
            self.next_block += 1
            due = {ticker.ticker_id: frozenset(block) & frozenset(ticker.due) for ticker in self.plan.tickers}
            parents = parents_before(self.record.engine, self.config, self.plan.tickers, due, self.parents)
            tickers = tuple(self._ticker_task(ticker, due[ticker.ticker_id], parents) for ticker in self.plan.tickers)
            if any(ticker.due for ticker in tickers):
                self.task = self._task(block, tickers)
                return submit(forecast_stack, self.task)
        return None

    def commit(self, result: StackResult) -> int:
        """Commit the submitted block and return how many origins it had."""
        assert self.task is not None
        refuse_other_environment(result.fingerprint)
        self.record.commit_stack(self.task, result, self.plan.tickers)
        self.parents = result.parents
        return len(self.task.origins)

    def _task(self, block: tuple[date, ...], tickers: tuple[TickerTask, ...]) -> StackTask:
        calendar = self.record.calendars.of(self.plan.exchange)
        origins = tuple(origin_of(calendar, day, self.config.horizons) for day in block)
        forced = frozenset(ticker.ticker_id for ticker in tickers if ticker.due) & self.force_cold
        self.force_cold -= forced
        first = min(ticker.bars.session[0].item() for ticker in tickers if ticker.due)
        families = {FAMILIES[ticker.kind] for ticker in tickers}
        return StackTask(
            self.config,
            self.plan.exchange,
            session_days(calendar, first, block[-1]),
            origins,
            tickers,
            priors=priors_of_block(self.priors, block, families, (t.parent.prior_id for t in tickers if t.parent)),
            with_twins=self.options.with_twins,
            force_cold=forced,
            reference=_through(self.reference, block[-1]) if self.reference else None,
        )

    def _ticker_task(
        self, ticker: TickerBacklog, due: frozenset[date], parents: Mapping[int, Parent | Corrupt | None]
    ) -> TickerTask:
        found = parents.get(ticker.ticker_id)
        if isinstance(found, Corrupt):
            self.damaged[ticker.symbol] = found
        if ticker.symbol in self.damaged:
            due = frozenset()
        parent = found if due and not isinstance(found, Corrupt) else self.parents.get(ticker.ticker_id)
        bars = bars_of_block(ticker.bars, min(due), max(due), self.config) if due else ticker.bars.select(slice(0, 0))
        return TickerTask(
            ticker.ticker_id, ticker.key, ticker.price_basis, bars, due, parent, kind=ticker.kind, events=ticker.events
        )


def _through(reference: Reference, last: date) -> Reference:
    """Return the sessions of a reference up to a day, inclusive."""
    end = int(np.searchsorted(reference.session, np.datetime64(last), side="right"))
    return Reference(reference.session[:end], reference.close[:end])
