"""What computes a run's tasks: processes of this machine, or the workers of a Dask cluster (compute.engine).

Not here: how either works (workers, cluster), and what a task is (stacks, priors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tickercast.jobs.errors import UsageError
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.workers import Submit, worker_pool

# Tasks under way for each worker: while one is computed, the next one is there already. Each holds its bars in memory.
TASKS_A_WORKER = 2
MISSING = "compute.engine is dask, which needs a further library: pip install 'tickercast[dask]'"


@dataclass(frozen=True, slots=True)
class Engine:
    """Where tasks go. count: the workers that are there now; 1 may be this process."""

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


@contextmanager
def engine_of(options: RunOptions, tasks: int) -> Iterator[Engine]:
    """Yield the engine that the settings name. tasks: how many can be computed at once; nothing is started for none.

    Raises UsageError when the engine's library is not installed, and what the engine raises.
    """
    workers = min(options.workers, tasks)
    if tasks == 0 or options.engine == "processes" or (workers <= 1 and not options.scheduler):
        with worker_pool(workers) as submit:
            yield Engine(submit, lambda: workers)
        return
    try:
        from tickercast.jobs.runs.cluster.pool import cluster_pool
    except ImportError as error:
        raise UsageError(MISSING) from error
    with cluster_pool(options.scheduler, workers) as (submit, count):
        yield Engine(submit, count)
