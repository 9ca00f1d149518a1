"""One thread that sends a run's requests to live sources, so that the next responses arrive while this process computes.

It alone talks to the network, one request at a time, and touches no file and no database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from itertools import count
from queue import PriorityQueue
from types import TracebackType
from typing import Any, TypeVar

from tickercast.jobs.prices.sources.base import RequestsPaused

T = TypeVar("T")

WAITED_FOR, AHEAD, CLOSED = 1, 2, 0  # the lowest is sent first
POLL_SECONDS = 0.2
STOPPED = "the run is stopped; no request was sent"


class RequestThread:
    """Sends what is waited for before what is sent ahead, both in the order in which they came. stop: ends every wait."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop, self._closed = stop, threading.Event()
        self._queue: PriorityQueue[tuple[int, int, Callable[[], Any], Future[Any]]] = PriorityQueue()
        self._numbers = count()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> RequestThread:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Send nothing more. A response under way is not waited for: the thread ends with it, or with the process."""
        self._closed.set()
        self._put(CLOSED, lambda: None)

    def ahead(self, request: Callable[[], T]) -> Future[T]:
        """Send a request when its turn comes, and return its future."""
        return self._put(AHEAD, request)

    def now(self, request: Callable[[], T]) -> T:
        """Send a request before those that are sent ahead, and return its response. Raises what it raises, or RequestsPaused."""
        future = self._put(WAITED_FOR, request)
        error = self.error_of(future, lambda: None)
        if error is not None:
            raise error
        return future.result()

    def error_of(self, future: Future[T], beat: Callable[[], None]) -> BaseException | None:
        """Wait for a response and return its error, None without one; RequestsPaused at a stop. beat: called meanwhile."""
        while not future.done():
            if self.stop.is_set():
                return RequestsPaused(STOPPED)
            wait([future], timeout=POLL_SECONDS)
            beat()
        return future.exception()

    def _put(self, priority: int, request: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._send_all, name="requests", daemon=True)
            self._thread.start()
        self._queue.put((priority, next(self._numbers), request, future))
        return future

    def _send_all(self) -> None:
        while not self._closed.is_set():
            _, _, request, future = self._queue.get()
            if self._closed.is_set() or self.stop.is_set():
                future.set_exception(RequestsPaused(STOPPED))
                continue
            try:
                future.set_result(request())
            except Exception as error:  # whatever it is, it belongs to who waits for the response
                future.set_exception(error)
