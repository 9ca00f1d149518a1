"""Bring some tickers' records forward over the sessions they owe: advance each stack block by block, commit each block.

The one road to forecasts: daily and backfill both end here. Workers compute, only this process writes; a unit of work is
a stack over a block of sessions, one transaction, so a killed job goes on at its first missing unit.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from multiprocessing.connection import wait as wait_for_sentinel
from typing import Any, Protocol

import numpy as np

from jobs.exchanges.calendars import exchange_calendar
from jobs.forecasting.fingerprint import fingerprint
from jobs.forecasting.identity import Origin, Parent, Prior, refresh_numbers
from jobs.forecasting.inputs import Market
from jobs.forecasting.prior import PriorResult, PriorTask, due_priors, fit_prior
from jobs.forecasting.stack import advance_stack
from jobs.forecasting.tasks import StackResult, StackTask, TickerTask
from jobs.workspace.config import Config
from storage.bars import Bars

# About a month: small enough that a kill costs little, large enough that a commit's cost does not show.
BLOCK_SESSIONS = 21

Submit = Callable[[Callable[[Any], Any], Any], Future[Any]]


@dataclass(frozen=True, slots=True)
class Owing:
    """One ticker and the sessions whose forecasts it owes, oldest first; committed: the sessions it has."""

    ticker_id: int
    symbol: str
    key: str
    exchange: str
    price_basis: str
    bars: Bars
    due: tuple[date, ...]
    committed: frozenset[date]


class Ledger(Protocol):
    """Where a walk reads chains and commits units; jobs.runs.record holds the real one."""

    def parent_at(self, ticker_id: int, session: date) -> Parent | None: ...
    def prior_at(self, exchange: str, session: date, number: int) -> Prior | None: ...
    def commit_prior(self, result: PriorResult) -> None: ...
    def commit(self, task: StackTask, result: StackResult, first_block: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Stack:
    """Tickers of one exchange that advance together, and the blocks of sessions they do it in."""

    owing: tuple[Owing, ...]
    blocks: tuple[tuple[date, ...], ...]

    @property
    def steps(self) -> int:
        return sum(len(block) for block in self.blocks)


def walk(
    owing: Sequence[Owing],
    config: Config,
    ledger: Ledger,
    *,
    market: Market | None,
    workers: int,
    with_twins: bool,
    anew: bool,
    stack_size: int,
    stop: threading.Event,
    progress: Callable[[int, int], None],
) -> bool:
    """Advance every ticker over what it owes. Returns whether all was done: False when stop was set between units.

    progress(done, all) counts stacks x sessions. Raises what a worker raises.
    """
    stacks = stacks_of([o for o in owing if o.due], stack_size, workers)
    total, done = sum(stack.steps for stack in stacks), 0
    tasks = _prior_tasks(stacks, owing, config, ledger, market)
    with _executor(min(workers, max(len(stacks), len(tasks)))) as submit:
        priors = _priors(tasks, config, ledger, stacks, workers, submit, stop)
        roads = [
            _Road(stack, config, ledger, priors[stack.owing[0].exchange], market, with_twins=with_twins, anew=anew)
            for stack in stacks
        ]
        waiting = {} if stop.is_set() else {future: road for road in roads for future in road.submit(submit)}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                road = waiting.pop(future)
                done += road.commit(future.result())
                progress(done, total)
                if not stop.is_set():
                    waiting.update(dict.fromkeys(road.submit(submit), road))
    return done == total


def _prior_tasks(
    stacks: Sequence[Stack], owing: Sequence[Owing], config: Config, ledger: Ledger, market: Market | None
) -> list[PriorTask]:
    """Return the fits of the priors that some stacks need and the record lacks."""
    tasks: list[PriorTask] = []
    for exchange in sorted({stack.owing[0].exchange for stack in stacks}):
        days = [day for stack in stacks if stack.owing[0].exchange == exchange for block in stack.blocks for day in block]
        needed = due_priors(config, exchange, sorted(set(days)), owing, market)
        tasks += [task for task in needed if ledger.prior_at(exchange, task.session, task.number) is None]
    return tasks


def _priors(
    tasks: Sequence[PriorTask],
    config: Config,
    ledger: Ledger,
    stacks: Sequence[Stack],
    workers: int,
    submit: Submit,
    stop: threading.Event,
) -> dict[str, tuple[Prior, ...]]:
    """Fit and commit what is lacking, and return the priors of each exchange. Each is a unit of work of its own."""
    waiting: list[Future[PriorResult]] = []
    for task in [*tasks, *[None] * workers]:
        if len(waiting) >= workers or (task is None and waiting):
            result = waiting.pop(0).result()
            _refuse_other(result.fingerprint)
            ledger.commit_prior(result)
        if task is not None and not stop.is_set():
            waiting.append(submit(fit_prior, task))
    priors: dict[str, tuple[Prior, ...]] = {}
    for exchange in {stack.owing[0].exchange for stack in stacks}:
        calendar = exchange_calendar(exchange)
        days = {day for stack in stacks if stack.owing[0].exchange == exchange for block in stack.blocks for day in block}
        numbers = refresh_numbers((calendar.number(day) for day in days), config.prior_every)
        stored = (ledger.prior_at(exchange, calendar.session_at(n), n) for n in sorted(numbers))
        priors[exchange] = tuple(prior for prior in stored if prior is not None)
    return priors


def _refuse_other(computed_by: str) -> None:
    if computed_by != fingerprint():
        raise RuntimeError(f"a worker computes otherwise: {computed_by} against {fingerprint()}")


class _Road:
    """One stack's way through its blocks; each block begins from what the one before committed."""

    def __init__(
        self,
        stack: Stack,
        config: Config,
        ledger: Ledger,
        priors: tuple[Prior, ...],
        market: Market | None,
        *,
        with_twins: bool,
        anew: bool,
    ) -> None:
        self.stack, self.config, self.ledger, self.priors = stack, config, ledger, priors
        self.market, self.with_twins = market, with_twins
        self.anew = {owing.ticker_id for owing in stack.owing} if anew else set()
        self.next_block = 0
        self.task: StackTask | None = None
        self.parents: dict[int, Parent] = {}

    def submit(self, submit: Submit) -> Iterator[Future[StackResult]]:
        if self.next_block < len(self.stack.blocks):
            self.task = self._task(self.stack.blocks[self.next_block])
            self.next_block += 1
            yield submit(advance_stack, self.task)

    def commit(self, result: StackResult) -> int:
        _refuse_other(result.fingerprint)
        assert self.task is not None
        self.ledger.commit(self.task, result, self.next_block == 1)
        self.parents = result.parents
        return len(self.task.origins)

    def _task(self, block: tuple[date, ...]) -> StackTask:
        calendar = exchange_calendar(self.stack.owing[0].exchange)
        horizons = range(1, self.config.horizons + 1)
        origins = tuple(Origin(day, calendar.number(day), tuple(calendar.shift(day, h) for h in horizons)) for day in block)
        serving = refresh_numbers((o.number for o in origins), self.config.prior_every)
        priors = tuple(prior for prior in self.priors if prior.number in serving)
        tickers = tuple(self._ticker(o, block) for o in self.stack.owing)
        exchange = self.stack.owing[0].exchange
        market = None if self.market is None else Market(self.market.bars.through(block[-1]), self.market.exchange)
        anew = frozenset(ticker.ticker_id for ticker in tickers if ticker.due) & self.anew
        self.anew -= anew
        return StackTask(self.config, origins, tickers, priors, exchange, market, self.with_twins, anew)

    def _ticker(self, owing: Owing, block: tuple[date, ...]) -> TickerTask:
        due = frozenset(block) & frozenset(owing.due)
        bars = _needed(owing.bars, min(due), max(due), self.config) if due else owing.bars.select(slice(0, 0))
        parent = self._parent(owing, min(due)) if due else self.parents.get(owing.ticker_id)
        return TickerTask(owing.ticker_id, owing.key, owing.price_basis, bars, due, parent)

    def _parent(self, owing: Owing, first_due: date) -> Parent | None:
        """Return the model that served the bar before the first due one: from the last block, else from the record."""
        position = int(np.searchsorted(owing.bars.session, np.datetime64(first_due)))
        if position == 0:
            return None
        before = owing.bars.session[position - 1].item()
        carried = self.parents.get(owing.ticker_id)
        if carried is not None and carried.session == before:
            return carried
        return self.ledger.parent_at(owing.ticker_id, before) if before in owing.committed else None


def stacks_of(owing: Sequence[Owing], stack_size: int, workers: int) -> list[Stack]:
    """Return stacks of one exchange each, of even size, enough of them to keep the workers busy."""
    stacks = []
    for exchange in sorted({o.exchange for o in owing}):
        group = sorted((o for o in owing if o.exchange == exchange), key=lambda o: o.key)
        # Fewer than eight networks a stack gain less from a second worker than its start costs.
        count = max(-(-len(group) // stack_size), min(workers, len(group) // 8), 1)
        stacks += [Stack(tuple(part), blocks_of(part)) for part in (group[i::count] for i in range(count))]
    return stacks


def blocks_of(owing: Sequence[Owing]) -> tuple[tuple[date, ...], ...]:
    """Return the due sessions in blocks; one ends where a ticker has the next session already, to begin from there."""
    days = sorted({day for o in owing for day in o.due})
    committed = sorted({day for o in owing for day in o.committed})
    blocks: list[list[date]] = []
    for before, day in pairwise([None, *days]):
        holes = before is not None and np.searchsorted(committed, before, "left") != np.searchsorted(committed, day, "left")
        if not blocks or holes or len(blocks[-1]) == BLOCK_SESSIONS:
            blocks.append([])
        blocks[-1].append(day)
    return tuple(tuple(block) for block in blocks)


def _needed(bars: Bars, first: date, last: date, config: Config) -> Bars:
    """Return the bars that a block reads: what its first origin's parent saw, up to its last origin."""
    begin = int(np.searchsorted(bars.session, np.datetime64(first)))
    end = int(np.searchsorted(bars.session, np.datetime64(last), side="right"))
    memory = config.history_sessions or begin
    return bars.select(slice(max(0, begin - memory), end))


@contextmanager
def _executor(workers: int) -> Iterator[Submit]:
    if workers <= 1:
        yield _run_here
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        yield pool.submit


def _run_here(work: Callable[[Any], Any], task: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(work(task))
    return future


def _begin_worker() -> None:
    """Leave interrupts to the parent, and end with it: a spawned worker would otherwise outlive a killed one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for_sentinel([sentinel])
    os._exit(1)
