"""A pool whose tasks are computed by the members of a cluster.

Dask's own rules serve: a task of a lost worker is computed again elsewhere, and one that ends several workers is given up.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, run_coroutine_threadsafe
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar, cast

from distributed import Client, KilledWorker
from distributed import Future as ClusterFuture

from tickercast.jobs.errors import ClusterUnavailable, OutOfResources
from tickercast.jobs.runs.cluster.client import CLOSE_SECONDS, KEPT, cluster_client, dashboard_of
from tickercast.jobs.runs.cluster.members import POLL_SECONDS, WORKERLESS_SECONDS, Members
from tickercast.jobs.runs.cluster.worker import Packed, compute, packed, unpacked
from tickercast.jobs.runs.workers import ADVICE, Submit, memory_ran_out
from tickercast.jobs.terminal.progress import show_line
from tickercast.jobs.terminal.text import counted

UNDER_WAY = ("pending", "lost")  # lost: the result went with its worker before it was here
MOST_TIMES = 10  # that a task is sent, again after all workers were lost: it may be what ended them

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def cluster_pool(scheduler: str, workers: int) -> Iterator[tuple[Submit, Callable[[], int]]]:
    """Yield how to submit work to a cluster, and how to count its members.

    scheduler: its address; empty = a cluster of so many processes is started. Raises ClusterUnavailable when the scheduler cannot
    be reached, is lost, or stays without workers; UsageError when no worker has this environment; OutOfResources when a task
    ended several workers.
    """
    with cluster_client(scheduler, workers) as client:
        pool = _Pool(client, f"the Dask scheduler {scheduler}" if scheduler else "the Dask cluster of this machine")
        with pool.watched(fewest=1 if scheduler else workers):
            link = dashboard_of(client)
            where = f"of {scheduler}" if scheduler else "on this machine"
            show_line(f"dask: {counted(pool.count(), 'worker')} {where}{f', dashboard {link}' if link else ''}")
            yield pool.submit, pool.count


def _deadly(workers: int, last: str = "") -> OutOfResources:
    """Return the error of a task that ended several workers."""
    return OutOfResources(f"a task ended {workers} workers{last}, probably because memory ran out; {ADVICE}")


class _Task:
    """A task under way: what is sent, its newest future, and who waits for it. is_stranded: no worker can take that future."""

    def __init__(self, content: Packed) -> None:
        self.content = content
        self.future: ClusterFuture | None = None
        self.waiting: asyncio.Task[Any] | None = None
        self.is_stranded = False


class _Pool:
    """The tasks under way on a cluster. Its coroutines run in Dask's thread."""

    def __init__(self, client: Client, scheduler: str) -> None:
        self.client, self.scheduler = client, scheduler
        self.members = Members(client, scheduler)
        self.loop: AbstractEventLoop = client.loop.asyncio_loop
        self.tasks: set[_Task] = set()
        self.unheld: set[str] = set()  # keys of tasks that no worker had in the last look
        self.failure: Exception | None = None

    def count(self) -> int:
        """Return the number of workers that compute."""
        return len(self.members.usable)

    def submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        """Send a task to the cluster and return the future of its result."""
        return cast("Future[R]", run_coroutine_threadsafe(self._outcome(_Task(packed((work, task)))), self.loop))

    @contextmanager
    def watched(self, fewest: int) -> Iterator[None]:
        """Follow workers that come and go, once there are some. At the end nothing is left on the scheduler."""
        ready: Future[None] = run_coroutine_threadsafe(self.members.wait_for(fewest), self.loop)
        watching: Future[None] | None = None
        try:
            ready.result()
            watching = run_coroutine_threadsafe(self._watch(), self.loop)
            yield
        finally:
            for future in (ready, watching):
                if future is not None:
                    future.cancel()
            with suppress(TimeoutError):
                run_coroutine_threadsafe(self._give_up(), self.loop).result(CLOSE_SECONDS)

    async def _outcome(self, task: _Task) -> Any:
        self.tasks.add(task)
        task.waiting = asyncio.current_task()
        try:
            return unpacked(await self._computed(task))
        except CancelledError as error:  # by the client, which has lost the scheduler
            raise self._lost() from error
        except asyncio.CancelledError:
            if self.failure:
                raise self.failure from None
            raise
        except KilledWorker as error:
            raise _deadly(error.allowed_failures + 1, f", the last one at {error.last_worker.address}") from error
        except MemoryError as error:
            raise memory_ran_out(error) from error
        finally:
            self.tasks.discard(task)

    async def _computed(self, task: _Task) -> Packed:
        for _ in range(MOST_TIMES):
            task.is_stranded = False
            if self.client.status != "running":
                raise self._lost()
            needs = {self.members.resource: 1}
            task.future = self.client.submit(compute, task.content, self.members.expected, pure=False, resources=needs)
            try:
                return cast(Packed, await task.future)
            except CancelledError:
                if not task.is_stranded:
                    raise
        raise _deadly(MOST_TIMES)

    def _lost(self) -> ClusterUnavailable:
        return ClusterUnavailable(f"{self.scheduler} was lost; {KEPT} when it runs again")

    async def _watch(self) -> None:
        """Follow the workers until cancelled. Tasks fail when there has been none to compute them for too long."""
        until = self.loop.time() + WORKERLESS_SECONDS
        while self.failure is None:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await asyncio.wait_for(self._follow_workers(), WORKERLESS_SECONDS)
            except TimeoutError:
                self.failure = self._lost()
            except OSError:  # the connection is lost, and the client says so to the tasks
                continue
            if self.members.usable:
                until = self.loop.time() + WORKERLESS_SECONDS
            elif self.loop.time() > until:
                self.failure = self.members.none_left()
        await self._give_up()

    async def _follow_workers(self) -> None:
        await self.members.meet()
        if self.members.usable and self.tasks:
            await self._send_stranded_again()
        self.members.tell_left_out()

    async def _send_stranded_again(self) -> None:
        """Send tasks again that no worker has had in two looks: the scheduler does not offer them to newer members.

        In one look alone, a task may be on its way to the scheduler, or its result on the way here.
        """
        held = {key for keys in (await self.client.processing()).values() for key in keys}
        before, self.unheld = self.unheld, set()
        for task in tuple(self.tasks):  # others are submitted and end while one is cancelled
            if task.future is None or task.future.status not in UNDER_WAY or task.future.key in held:
                continue
            if task.future.key not in before:
                self.unheld.add(task.future.key)
                continue
            task.is_stranded = True
            await task.future.cancel()

    async def _give_up(self) -> None:
        """Let the scheduler forget the tasks under way, without waiting for its answer, and end what waits for them."""
        for task in self.tasks:
            if task.future is not None:
                task.future.release()
            if task.waiting is not None:
                task.waiting.cancel()
