"""Run a user's query, which may only read, within limits of time, memory, rows and bytes.

The query runs in a process of its own (storage.query_process). Its rows come through a pipe, so that any number of them takes
little memory, and it is killed at its limit, at Ctrl-C, and when the caller takes no more rows.
"""

from __future__ import annotations

import marshal
import os
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tickercast.storage import query_process
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.errors import QueryOverLimit, QueryRefused, QueryTooLong
from tickercast.storage.hints import with_hint
from tickercast.storage.versions import PRIMARY_CODE, error_of_code, uri_path

COMMAND = (sys.executable, "-I", "-S", query_process.__file__)
READ_BYTES = 1 << 20
MEMORY = f"{query_process.ADDRESS_BYTES // 1_000_000} MB of memory"
TEMPORARY_SPACE = f"{query_process.TEMPORARY_BYTES // 1_000_000} MB of temporary files"
# What SQLite says of a limit that has no result code of its own.
LIMIT_WORDS = ("too big", "too large", "too many", "too complex", "stack overflow")

Row = tuple[Any, ...]
Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResultLimit:
    """The most rows and bytes of a result. cure: what the error suggests."""

    rows: int
    bytes: int
    cure: str


# Rows that are written as they come need no memory; this only ends a query that never would.
ANY_FORMAT = ResultLimit(rows=20_000_000, bytes=4_000_000_000, cure="add a LIMIT")
TABLE = ResultLimit(rows=100_000, bytes=20_000_000, cure="a table holds no more: add a LIMIT, or --format csv")


@dataclass(frozen=True, slots=True)
class Selected:
    """The columns of a query, and its rows as they come. The rows raise QueryOverLimit, QueryRefused or StorageError."""

    columns: tuple[str, ...]
    rows: Iterator[Row]


@contextmanager
def selecting(
    database: Database, query: str, parameters: Parameters = (), *, seconds: float, most: ResultLimit = ANY_FORMAT
) -> Iterator[Selected]:
    """Yield the result of one SELECT.

    parameters: the values of `?` in order, or of `:name` by name: text, numbers, bytes or None.
    seconds: of waiting for rows and of this thread's own work on them; not while the reader of the output keeps it waiting.
    Raises QueryRefused for a statement that does more than read or that the database does not understand. Raises QueryOverLimit,
    which names the limit.
    """
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres import guard

        with guard.selecting(database, _unescaped(query), parameters, seconds=seconds, most=most) as found:
            yield found
        return
    request = _request(database, _unescaped(query), parameters, seconds)
    process = subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        answers = _Answers(process, database, query, seconds)
        answers.send(request)
        yield Selected(answers.columns(), answers.rows(most))
    finally:
        process.kill()
        with suppress(BrokenPipeError), process:  # closes its pipes and waits for its end
            pass


def query_too_long(seconds: float) -> QueryTooLong:
    """Return the error of a query that took longer than its time."""
    return QueryTooLong(f"the query ran longer than its limit of {seconds:g} s (--seconds); nothing was changed")


def _unescaped(query: str) -> str:
    try:
        return query.encode(errors="surrogateescape").decode()  # Python escapes an argument's bytes in a locale without UTF-8
    except UnicodeError as error:
        raise QueryRefused("the query is not UTF-8 text; nothing was changed") from error


def _request(path: Path, query: str, parameters: Parameters, seconds: float) -> bytes:
    values = dict(parameters) if isinstance(parameters, Mapping) else tuple(parameters)
    try:
        return marshal.dumps((f"file:{uri_path(path)}?mode=ro", query, values, seconds))
    except ValueError as error:
        raise QueryRefused("a parameter of the query is neither text nor a number, bytes or None; nothing was changed") from error


class _Answers:
    """The answers of a query's process, received within its time."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path, query: str, seconds: float) -> None:
        self._process, self._path, self._query, self._seconds = process, path, query, seconds
        assert process.stdout is not None
        self._pipe = process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._pipe, select.POLLIN)
        self._waited = 0.0
        self._processor_before = time.thread_time()  # what other threads of a program do is not of this query
        self._received_bytes = 0

    def send(self, request: bytes) -> None:
        """Send the request. A process that has ended already is noticed at its first answer."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(request)
            self._process.stdin.flush()

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns, from the first answer."""
        names: tuple[str, ...] = self._receive()[1]
        return names

    def rows(self, most: ResultLimit) -> Iterator[Row]:
        """Yield the rows of the further answers."""
        count = 0
        while (answer := self._receive())[0] == "rows":
            count += len(answer[1])
            if count > most.rows:
                raise QueryOverLimit(f"the query returns more than {most.rows} rows; {most.cure}")
            if self._received_bytes > most.bytes:
                raise QueryOverLimit(f"the query returns more than {most.bytes // 1_000_000} MB; {most.cure}")
            yield from answer[1]

    def _receive(self) -> tuple[Any, ...]:
        """Return the next answer. Raises the error that it reports."""
        size = int.from_bytes(self._read(4), "big")
        answer: tuple[Any, ...] = marshal.loads(self._read(size))
        self._received_bytes += size
        if answer[0] == "error":
            raise _error(self._path, self._query, answer[1], answer[2])
        return answer

    def _read(self, size: int) -> bytearray:
        content = bytearray()
        while len(content) < size:
            self._wait()
            part = os.read(self._pipe, min(size - len(content), READ_BYTES))
            if not part:
                raise QueryOverLimit(f"the query's process was stopped; a query gets {MEMORY}, and nothing was changed")
            content += part
        return content

    def _wait(self) -> None:
        """Wait for content of the pipe, as long as time is left."""
        left = self._seconds - self._waited - (time.thread_time() - self._processor_before)
        began = time.monotonic()
        ready = left > 0 and self._poll.poll(left * 1000)
        self._waited += time.monotonic() - began
        if not ready:
            raise query_too_long(self._seconds)


def _error(path: Path, query: str, code: int, text: str) -> Exception:
    """Return the error that a query's process reports, by SQLite's result code."""
    primary = code & PRIMARY_CODE
    if primary == sqlite3.SQLITE_NOMEM:
        return QueryOverLimit(f"the query needs more than {MEMORY}; nothing was changed")
    if primary == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_WRITE:
        return QueryOverLimit(f"the query needs more than {TEMPORARY_SPACE}, or the disk for them is full; nothing was changed")
    if primary in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY) or "not authorized" in text or "prohibited" in text:
        return QueryRefused(f"{text}: only reading is allowed; nothing was changed")
    if primary == sqlite3.SQLITE_TOOBIG or any(words in text for words in LIMIT_WORDS):
        return QueryOverLimit(f"{text}; nothing was changed")
    return error_of_code(path, primary, text) or QueryRefused(f"SQLite: {with_hint(text, query)}")
