"""The client of a Dask cluster: of the one at a scheduler's address, or of one that is started here for the length of a run."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.comm import connect
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from tickercast.jobs.errors import ClusterUnavailable, UsageError
from tickercast.jobs.runs.signals import signals_blocked
from tickercast.jobs.workspace.temporary import temporary_folder

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
KEPT = "what was committed stays; repeat the command to resume"
CERTIFICATES = "name them in Dask's settings, such as DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
SILENT = 60  # above every level of logging
LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado.application")
QUIET: dict[str, Any] = {
    "logging": dict.fromkeys(LOGGERS, "critical"),  # of worker processes that are started here
    "distributed.admin.large-graph-warning-threshold": "10GB",  # a task carries its bars
    "distributed.worker.profile.enabled": False,  # with the ticks, 9 % of a core for two workers that wait
    "distributed.admin.tick.interval": "1s",
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,  # else each larger array costs page faults: 30 %
    "distributed.deploy.lost-worker-timeout": "1h",  # until a local cluster gives up a worker that does not come back
}


@contextmanager
def cluster_client(scheduler: str, workers: int) -> Iterator[Client]:
    """Yield a client. scheduler: its address; empty = a cluster of so many processes is started.

    Raises ClusterUnavailable when the scheduler cannot be reached in time, UsageError when it wants certificates and has none.
    """
    for name in LOGGERS:
        logging.getLogger(name).setLevel(SILENT)
    with dask.config.set(QUIET), warnings.catch_warnings():
        warnings.simplefilter("ignore", VersionMismatchWarning)  # fingerprints are compared instead
        if scheduler:
            with _closing(_connected(scheduler)) as client:
                yield client
            return
        with _own_folder(), _local_cluster(workers) as cluster:
            options = {"set_as_default": False, "timeout": CONNECT_SECONDS, "direct_to_workers": True}
            with _closing(Client(cluster, **options)) as client:
                yield client


def dashboard_of(client: Client) -> str:
    """Return the link to the dashboard, empty where a cluster that was started here has none, because it needs bokeh."""
    is_ours = isinstance(client.cluster, LocalCluster)
    return "" if is_ours and not _has_bokeh() else str(client.dashboard_link or "")


def _connected(scheduler: str) -> Client:
    try:
        asyncio.run(asyncio.wait_for(_shake_hands(scheduler), CONNECT_SECONDS))
        with signals_blocked():  # the threads that it starts leave them to this one
            return Client(scheduler, set_as_default=False, timeout=CONNECT_SECONDS)
    except OSError as error:
        reason = f"the Dask scheduler {scheduler} could not be reached within {CONNECT_SECONDS:.0f} s"
        raise ClusterUnavailable(f"{reason}; {KEPT} when it runs, or set compute.engine to processes") from error


async def _shake_hands(scheduler: str) -> None:
    """Connect to a scheduler and leave again: a client would wait for ever where another program answers, or nothing does."""
    options = Security().get_connection_args("client")
    if scheduler.startswith("tls://") and options["ssl_context"] is None:
        raise UsageError(f"compute.scheduler: {scheduler} wants certificates; {CERTIFICATES}; {KEPT} then")
    comm = await connect(scheduler, timeout=CONNECT_SECONDS, **options)
    await comm.close()


@contextmanager
def _closing(client: Client) -> Iterator[Client]:
    try:
        yield client
    finally:
        with suppress(OSError, TimeoutError):
            client.close(CLOSE_SECONDS)


@contextmanager
def _own_folder() -> Iterator[None]:
    """Let Dask write its temporary files to a folder that is removed, also after a kill."""
    with temporary_folder("dask") as folder, dask.config.set({"temporary-directory": str(folder)}):
        yield


@contextmanager
def _local_cluster(workers: int) -> Iterator[LocalCluster]:
    """Yield a cluster of worker processes of this machine: deaf to signals, which their parent handles, and gone when it is."""
    with signals_blocked():
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", memory_limit=0, silence_logs=SILENT,
            dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": _has_bokeh()},
        )  # fmt: skip
    try:
        yield cluster
    finally:
        with suppress(TimeoutError):
            cluster.sync(_end_processes, cluster, callback_timeout=CLOSE_SECONDS)
            cluster.close(CLOSE_SECONDS)


async def _end_processes(cluster: LocalCluster) -> None:
    """End the worker processes without waiting for what they compute, which an orderly end does."""
    await asyncio.gather(*(nanny.close(timeout=0) for nanny in cluster.workers.values()))


def _has_bokeh() -> bool:
    return importlib.util.find_spec("bokeh") is not None
