"""The worker processes: spawned, deaf to interrupts, and gone when their parent is. Every pool of Tickercast is made here."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for_sentinel
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Protocol, TypeVar

from tickercast.jobs.errors import OutOfResources
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.runs.interrupts import ignore_signals
from tickercast.jobs.runs.signals import signals_blocked
from tickercast.jobs.terminal.streams import hide_on_stderr

T = TypeVar("T")
R = TypeVar("R")

ADVICE = "what was committed stays; repeat the command to resume, with fewer --workers or a smaller compute.stack"


class Submit(Protocol):
    """Starts a computation on a task, here or in a worker, and returns its future."""

    def __call__(self, work: Callable[[T], R], task: T, /) -> Future[R]: ...


class Worker(SpawnProcess):
    """A spawned process of a pool."""

    def terminate(self) -> None:
        """End it at once. When another worker was killed the pool would wait for ever for one that ignores SIGTERM."""
        self.kill()


class WorkerContext(SpawnContext):
    """How a pool starts its processes. workers: those that it started."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[Worker] = []

    def Process(self, *args: Any, **options: Any) -> Worker:  # type: ignore[override]
        """Return a new worker, not started yet."""
        self.workers.append(Worker(*args, **options))
        return self.workers[-1]


@contextmanager
def worker_pool(workers: int) -> Iterator[Submit]:
    """Yield how to submit work to some processes; with one worker it is done in this process, at once.

    Raises OutOfResources when the system killed a worker, as it does when memory runs out, or when an allocation failed.
    """
    try:
        if workers <= 1:
            yield _run_here
            return
        yield from _spawned_pool(workers)
    except BrokenProcessPool as error:
        raise OutOfResources(f"the system killed a worker process, probably because memory ran out; {ADVICE}") from error
    except MemoryError as error:
        raise memory_ran_out(error) from error


def _spawned_pool(workers: int) -> Iterator[Submit]:
    """Yield how to submit work to spawned processes. At an error, tasks that have not begun are cancelled; at a signal, all."""
    context = WorkerContext()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker)

    def submit(work: Callable[[T], R], task: T) -> Future[R]:
        with signals_blocked():  # it may start a worker
            return pool.submit(work, task)

    try:
        yield submit
    except KeyboardInterrupt:
        for worker in context.workers:
            if worker.pid is not None:
                worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def memory_ran_out(error: MemoryError) -> OutOfResources:
    """Return the error of a task whose allocation failed."""
    return OutOfResources(f"memory ran out ({str(error) or 'no more could be allocated'}); {ADVICE}")


def refuse_other_environment(worker_fingerprint: str) -> None:
    """Raise RuntimeError when a worker computed in an environment whose bytes may differ from this process's."""
    if worker_fingerprint != fingerprint():
        raise RuntimeError(f"worker environment differs: {worker_fingerprint}, expected {fingerprint()}")


def _run_here(work: Callable[[T], R], task: T) -> Future[R]:
    future: Future[R] = Future()
    future.set_result(work(task))
    return future


def _begin_worker() -> None:
    """Leave interrupts to the parent, and end with it: a spawned worker would otherwise outlive a killed one."""
    ignore_signals()
    hide_on_stderr()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for_sentinel([sentinel])
    os._exit(1)
