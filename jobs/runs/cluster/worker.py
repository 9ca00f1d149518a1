"""What a Dask worker does for a run: it says which environment it has, then computes the tasks that it is sent.

A worker needs this package installed and nothing else: no home, no settings file and no prices. Tasks and results are bytes to
the cluster, so its scheduler spends no time on what is in them. They are compressed: the bars of a stack shrink to a fraction, in
less time than it takes to copy them. Nothing here imports Dask, and what computes is imported in the worker alone, after its
environment was compared. Not here: who sends what (pool).
"""

from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa

CODEC = "zstd"

Packed = tuple[int, bytes]  # the size of a pickle, and the pickle compressed


def packed(content: object) -> Packed:
    """Return a task or a result as it is sent. Functions in it go by name."""
    pickled = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return len(pickled), pa.compress(pickled, codec=CODEC, asbytes=True)


def unpacked(sent: Packed) -> Any:
    """Return what was packed. It comes from a process that may run any program here anyway."""
    size, content = sent
    return pickle.loads(pa.decompress(content, decompressed_size=size, codec=CODEC))


def compute(task: Packed, expected: str) -> Packed:
    """Return the packed result of a packed task, which is the function that computes it and its argument.

    expected: the sender's fingerprint. Raises RuntimeError before the task is read where this process has another one.
    """
    from tickercast.jobs.forecasting.fingerprint import fingerprint

    if fingerprint() != expected:
        raise RuntimeError(f"worker environment differs: {fingerprint()}, expected {expected}")
    work, argument = unpacked(task)
    return packed(work(argument))


async def offer(expected: str, resource: str, dask_worker: Any) -> str:
    """Return this worker's fingerprint. If it is the expected one, let the scheduler send tasks here, one at a time.

    resource: the name of what tasks need of a worker. dask_worker: the worker itself, which Dask passes by this name.
    """
    from tickercast.jobs.forecasting.fingerprint import fingerprint

    if fingerprint() == expected:
        await dask_worker.set_resources(**{resource: 1})
    return fingerprint()
