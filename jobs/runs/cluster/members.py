"""The workers of a cluster that may compute: those of this process's environment, which bytes depend on.

Each worker that the scheduler knows is asked for its fingerprint once. Those of the same one get a resource that tasks need; the
others are left out of the run, with one line each, and may serve other programs.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

from distributed import Client

from tickercast.jobs.errors import ClusterUnavailable, JobError, UsageError
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.runs.cluster.client import KEPT
from tickercast.jobs.runs.cluster.worker import offer
from tickercast.jobs.terminal.progress import show_line

POLL_SECONDS = 1.0
# How long a cluster may be without a worker that can compute: one that was lost may be started again elsewhere.
WORKERLESS_SECONDS = 60.0


class Members:
    """Which workers compute. All of it runs in Dask's thread. scheduler: how the cluster is called in messages."""

    def __init__(self, client: Client, scheduler: str) -> None:
        self.client, self.scheduler = client, scheduler
        self.expected = fingerprint()
        self.resource = f"tickercast-{hashlib.sha256(self.expected.encode()).hexdigest()[:12]}"
        self.usable: set[str] = set()
        self.left_out: dict[str, str] = {}
        self.told: set[str] = set()

    async def wait_for(self, fewest: int) -> None:
        """Return when there are some members, or some of them for long enough.

        Raises UsageError where no worker has this environment, ClusterUnavailable where there is none in time.
        """
        now = asyncio.get_running_loop().time
        until = now() + WORKERLESS_SECONDS
        while True:
            await self.meet()
            if len(self.usable) >= fewest or now() > until or (self.left_out and not self.usable):
                break
            await asyncio.sleep(POLL_SECONDS / 10)
        if not self.usable:
            raise self.none_left()
        self.tell_left_out()

    async def meet(self) -> None:
        """Ask the workers that are new, and forget those that are gone."""
        present = set(await self.client.nthreads())
        self.usable &= present
        self.left_out = {address: reason for address, reason in self.left_out.items() if address in present}
        new = sorted(present - self.usable - self.left_out.keys())
        if not new:
            return
        answers = await self.client.run(offer, self.expected, self.resource, workers=new, on_error="return")
        fitting = {address for address, answer in answers.items() if answer == self.expected}
        self.usable |= fitting
        self._leave_out({address: answer for address, answer in answers.items() if address not in fitting})

    def none_left(self) -> JobError:
        """Return the error of a cluster in which nothing can be computed."""
        if self.left_out:
            address, reason = next(iter(self.left_out.items()))
            whose = f"no worker of {self.scheduler} has the environment of this process: {address} {reason}"
            return UsageError(f"{whose}; install the same versions; {KEPT} then")
        return ClusterUnavailable(f"{self.scheduler} has had no worker for {WORKERLESS_SECONDS:.0f} s; {KEPT} when it has some")

    def tell_left_out(self) -> None:
        """Show a line on each worker that was left out since the last time."""
        for address in sorted(self.left_out.keys() - self.told):
            show_line(f"dask: worker {address} is left out: it {self.left_out[address]}")
        self.told |= self.left_out.keys()

    def _leave_out(self, answers: Mapping[str, object]) -> None:
        """Leave workers out that gave another fingerprint or an error. One that has just gone is not one of them."""
        for address, answer in answers.items():
            if not isinstance(answer, OSError):
                self.left_out[address] = difference(answer, self.expected) if isinstance(answer, str) else _reason(answer)


def difference(found: str, expected: str) -> str:
    """Return in which parts a fingerprint differs from the expected one."""
    theirs, ours = (text.split(", ") for text in (found, expected))
    has = ", ".join(part for part in theirs if part not in ours) or "fewer libraries"
    return f"has {has}, not {', '.join(part for part in ours if part not in theirs)}"


def _reason(error: object) -> str:
    if "No module named 'tickercast" in str(error):
        return "has no tickercast installed, or another version"
    return f"failed with {type(error).__name__}: {error}"
