"""What a Dask worker does for a run: it says which environment it has, then computes the tasks that it is sent.

A worker needs this package installed and nothing else: no home, no settings file and no prices. Tasks and results are bytes to
the cluster, so its scheduler spends no time on what is in them. Nothing here imports Dask, and what computes is imported in the
worker alone, after its environment was compared. Not here: who sends what (pool).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

PROTOCOL = pickle.HIGHEST_PROTOCOL


def packed(work: Callable[[Any], Any], task: object) -> bytes:
    """Return a task as it is sent: what computes it, by name, and its data."""
    return pickle.dumps((work, task), PROTOCOL)


def compute(content: bytes, expected: str) -> bytes:
    """Return the result of a packed task, pickled.

    expected: the sender's fingerprint. Raises RuntimeError before the task is read where this process has another one.
    """
    from tickercast.jobs.forecasting.fingerprint import fingerprint

    if fingerprint() != expected:
        raise RuntimeError(f"worker environment differs: {fingerprint()}, expected {expected}")
    work, task = pickle.loads(content)
    return pickle.dumps(work(task), PROTOCOL)


async def offer(expected: str, resource: str, dask_worker: Any) -> str:
    """Return this worker's fingerprint. If it is the expected one, let the scheduler send tasks here, one at a time.

    resource: the name of what tasks need of a worker. dask_worker: the worker itself, which Dask passes by this name.
    """
    from tickercast.jobs.forecasting.fingerprint import fingerprint

    if fingerprint() == expected:
        await dask_worker.set_resources(**{resource: 1})
    return fingerprint()
