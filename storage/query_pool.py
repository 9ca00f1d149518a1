"""Run many small queries that may only read, each in one of a few processes that stay (storage.query_process).

A query that a visitor of a page wrote can do no more than fail: its process has limits of memory and time, and is killed and
replaced where it does not keep them. Not here: one query of any size (storage.sql_guard).
"""

from __future__ import annotations

import marshal
import os
import queue
import select
import sqlite3
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tickercast.storage.address import Database
from tickercast.storage.sql_guard import COMMAND
from tickercast.storage.versions import uri_path

GRACE_SECONDS = 1.0  # after its time until a query's process is killed: one long call of a function heeds no clock
PROCESSES = 2


class QueryTimedOut(Exception):
    """A query took longer than its time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first rows of a query. is_cut: there are more."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    is_cut: bool


class Pool(Protocol):
    """What runs small queries on one record: this module's QueryPool, or storage.postgres.query_pool.ServerPool."""

    @property
    def database(self) -> Database:
        """Return the record."""

    def select(self, query: str, values: Mapping[str, Any] | Sequence[Any], *, seconds: float, most: int) -> Answer:
        """Return the first rows of a query."""

    def close(self) -> None:
        """End what the pool has started, also what works."""


class QueryPool:
    """A few processes for the queries of one database, which may be replaced by another file at any time."""

    def __init__(self, path: Path, processes: int = PROCESSES) -> None:
        self.database = path
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._all = [_Worker() for _ in range(processes)]
        for worker in self._all:
            self._idle.put(worker)
        self._is_closed = False

    def select(self, query: str, values: Mapping[str, Any] | Sequence[Any], *, seconds: float, most: int) -> Answer:
        """Return the first rows of a query. Several threads may call it; those beyond the number of processes wait.

        Raises QueryTimedOut, sqlite3.OperationalError with SQLite's words and code, OSError without a database.
        """
        worker = self._idle.get()
        try:
            return self._asked(worker, query, values, seconds, most)
        finally:
            self._idle.put(worker)

    def _asked(self, worker: _Worker, query: str, values: Mapping[str, Any] | Sequence[Any], seconds: float, most: int) -> Answer:
        if self._is_closed:
            raise QueryTimedOut(query)
        state = self.database.stat()
        given = dict(values) if isinstance(values, Mapping) else tuple(values)
        uri = f"file:{uri_path(self.database)}?mode=ro"
        kind, *answer = worker.answer((uri, (state.st_dev, state.st_ino), query, given, seconds, most), seconds + GRACE_SECONDS)
        if kind == "rows":
            return Answer(*answer)
        code, text = answer
        if code == sqlite3.SQLITE_INTERRUPT:
            raise QueryTimedOut(query)
        error = sqlite3.OperationalError(text)
        error.sqlite_errorcode = code
        raise error

    def close(self) -> None:
        """End the processes, also one that works."""
        self._is_closed = True
        for worker in self._all:
            worker.end()


class _Worker:
    """One process, started when it is needed and again after it was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def answer(self, request: tuple[Any, ...], seconds: float) -> tuple[Any, ...]:
        """Return the answer to a request. A process that gives none in time is killed: raises QueryTimedOut."""
        process = self._started()
        content = marshal.dumps(request)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(len(content).to_bytes(4, "big") + content)
            process.stdin.flush()
            until = time.monotonic() + seconds
            size = int.from_bytes(_read(process.stdout.fileno(), 4, until), "big")
            answer: tuple[Any, ...] = marshal.loads(_read(process.stdout.fileno(), size, until))
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.end()
            raise QueryTimedOut(request[2]) from error
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.end()
            self._process = subprocess.Popen(
                (*COMMAND, "--pool"),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._process

    def end(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with suppress(BrokenPipeError), process:  # closes its pipes and waits for its end
                pass


def _read(pipe: int, size: int, until: float) -> bytes:
    """Return so many bytes from a pipe. Raises TimeoutError, EOFError."""
    parts = bytearray()
    while len(parts) < size:
        if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError
        part = os.read(pipe, min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
