"""A Dask cluster of real processes on loopback: a scheduler, and workers of one process each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.processes import wait_until

LOCAL = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--no-dashboard")


def run_out_of_memory(_: None) -> None:
    """Be a task that allocates more than any machine has."""
    raise MemoryError("Unable to allocate 9.00 TiB")


class DaskCluster:
    """The processes of one cluster. Their logs are in the folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.workers: list[subprocess.Popen[bytes]] = []
        note = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", *LOCAL, "--scheduler-file", str(note))
        wait_until(lambda: note.exists() and note.stat().st_size > 0)
        self.address: str = json.loads(note.read_text(encoding="utf-8"))["address"]

    def start_workers(self, number: int, **environment: str) -> None:
        """Start some workers, without waiting for them."""
        options = ("--no-nanny", "--nthreads", "1", "--local-directory", str(self.folder))
        for _ in range(number):
            self.workers.append(self._start("worker", self.address, *LOCAL, *options, **environment))

    def wait_for_workers(self, number: int) -> None:
        """Return when so many workers have come to the scheduler since it started."""
        log = self.folder / "scheduler.log"
        wait_until(lambda: log.read_text(encoding="utf-8").count("Register worker") >= number)

    def start_lost_workers(self) -> None:
        """Start as many workers as have ended, as a service manager does."""
        living = [worker for worker in self.workers if worker.poll() is None]
        lost = len(self.workers) - len(living)
        self.workers = living
        self.start_workers(lost)

    def stop(self) -> None:
        """Kill all processes."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, role: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", role, *arguments], cwd=self.folder, env={**self.environment, **environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip


@contextmanager
def dask_cluster(folder: Path, environment: Mapping[str, str]) -> Iterator[DaskCluster]:
    """Yield a cluster without workers yet, which ends with the context. folder: for its files, made if it is missing."""
    folder.mkdir(exist_ok=True)
    cluster = DaskCluster(folder, environment)
    try:
        yield cluster
    finally:
        cluster.stop()
