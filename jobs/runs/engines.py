"""What computes a run's tasks: processes of this machine, or the workers of a Dask cluster (compute.engine).

Not here: how either works (workers, cluster), and what a task is (stacks, priors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from tickercast.jobs.errors import UsageError
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.workers import Submit, worker_pool

# Tasks under way for each worker: while one is computed, the next one is there already. Each holds its bars in memory.
TASKS_A_WORKER = 2
MISSING = "compute.engine is dask, which needs a further library: pip install 'tickercast[dask]'"


@dataclass(frozen=True, slots=True)
class Engine:
    """Where tasks go. count: returns how many workers there are now; one may be this process."""

    submit: Submit
    count: Callable[[], int]

    @property
    def workers(self) -> int:
        """Return how many workers there are, at least one."""
        return max(1, self.count())

    @property
    def most_tasks(self) -> int:
        """Return how many tasks to have under way at once, so that no worker waits and memory is bounded."""
        return TASKS_A_WORKER * self.workers


OpenEngine = Callable[[RunOptions, int], AbstractContextManager[Engine]]


@contextmanager
def engine_of(options: RunOptions, tasks: int) -> Iterator[Engine]:
    """Yield the engine that the settings name. tasks: how many can be computed at once; nothing is started for none.

    Raises UsageError when the engine's library is not installed, and what the engine raises.
    """
    workers = min(options.workers, tasks)
    if options.engine == "processes" or _needs_no_other(options, tasks):
        with worker_pool(workers) as submit:
            yield Engine(submit, lambda: workers)
        return
    try:
        from tickercast.jobs.runs.cluster.pool import cluster_pool
    except ImportError as error:
        raise UsageError(MISSING) from error
    with cluster_pool(options.scheduler, workers) as (submit, count):
        yield Engine(submit, count)


@contextmanager
def kept_engine() -> Iterator[OpenEngine]:
    """Yield engine_of for several pieces of work of one run: workers that one of them started serve those after it."""
    with ExitStack() as stack:
        kept: list[Engine] = []

        @contextmanager
        def open_engine(options: RunOptions, tasks: int) -> Iterator[Engine]:
            if _needs_no_other(options, tasks):
                with engine_of(options, tasks) as engine:
                    yield engine
                return
            if not kept:
                kept.append(stack.enter_context(engine_of(options, max(tasks, options.workers))))
            yield kept[0]

        yield open_engine


def _needs_no_other(options: RunOptions, tasks: int) -> bool:
    """Return whether this process computes all tasks."""
    return tasks == 0 or (min(options.workers, tasks) <= 1 and not options.scheduler)
