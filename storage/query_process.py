"""Run SELECTs in a process of its own, and send their rows to the parent.

Two modules start this file as a script: storage.sql_guard for one query of any size, and storage.query_pool with `--pool` for
many small ones, one after another.

The process may only read: mode=ro, query_only, and an authorizer that allows only reading, since ATTACH and VACUUM INTO write
despite mode=ro. SQLite's limits and the system's bound its memory. Its time is bounded by the parent, which kills it: nothing
else stops one long call of a function such as instr().

Request and answers are marshal, the answers each after its length in four bytes: ("columns", names), ("rows", rows), ("end",), or
("error", code of SQLite, text), which ends it. With `--pool` the requests have lengths too, and each gets one answer.
Only the standard library is imported: it starts in a few hundredths of a second.
"""

from __future__ import annotations

import _thread
import marshal
import os
import resource
import select
import sqlite3
import sys
import time
from contextlib import suppress
from functools import partial
from typing import Any

ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_FUNCTION}
# A way to a file or another library, or a value of any size.
DENIED_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zeroblob", "randomblob"}
SQLITE_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
HEAP_BYTES = 150_000_000  # of SQLite
ADDRESS_BYTES = 400_000_000  # of the process
TEMPORARY_BYTES = 1_000_000_000  # of one temporary file, for instance of a sort
ROWS_IN_ANSWER = 100
ANSWER_BYTES = 16_000_000
OUT_OF_MEMORY = sqlite3.SQLITE_NOMEM
POOL_VALUE_BYTES = 1_000_000  # of one value, where a page shows it
STEPS_BETWEEN_LOOKS = 1_000  # of SQLite's virtual machine, at the clock
IDLE_SECONDS = 30.0  # until an idle process lets go of the database, so that its log can be emptied


def main() -> None:
    """Read a request (URI of the database, query, parameters, seconds) from stdin, answer it on stdout, and end the process."""
    uri, query, parameters, seconds = marshal.load(sys.stdin.buffer)
    _thread.start_new_thread(_end_with_parent, ())
    _limit_space()
    _limit(resource.RLIMIT_CPU, int(seconds) + 2)  # should the parent be stopped, and not be able to kill this process
    try:
        _select(uri, query, parameters)
    except sqlite3.Error as error:
        _send("error", getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR), str(error))
    except sqlite3.Warning as error:  # two statements, in Python 3.11
        _send("error", sqlite3.SQLITE_ERROR, str(error))
    except (ValueError, OverflowError) as error:  # a zero character in the query
        _send("error", sqlite3.SQLITE_ERROR, str(error))
    except MemoryError:
        _send("error", OUT_OF_MEMORY, "out of memory")
    os._exit(0)  # the other thread reads stdin for ever


def serve() -> None:
    """Answer requests until stdin ends: (URI, identity of the file, query, values, seconds, most rows).

    An answer is ("rows", names, rows, whether there are more), or ("error", code of SQLite, text).
    """
    _limit_space()
    connections: dict[tuple[str, Any], sqlite3.Connection] = {}
    while True:
        if not select.select([0], [], [], IDLE_SECONDS)[0]:
            _close(connections)
            continue
        request = _read_request()
        if request is None:
            os._exit(0)
        _send(*_answer(connections, *request))


def _read_request() -> Any:
    """Return the next request, None when the parent has gone."""
    length = sys.stdin.buffer.read(4)
    return marshal.loads(sys.stdin.buffer.read(int.from_bytes(length, "big"))) if len(length) == 4 else None


def _answer(
    connections: dict[tuple[str, Any], sqlite3.Connection],
    uri: str,
    identity: Any,
    query: str,
    values: Any,
    seconds: float,
    most: int,
) -> tuple[Any, ...]:
    used = time.process_time()
    _limit(resource.RLIMIT_CPU, int(used + seconds) + 3)  # should the parent have gone; it grows with each request
    try:
        if (uri, identity) not in connections:  # another file is in its place, or none was open
            _close(connections)
            connections[uri, identity] = _connection(uri)
        connection = connections[uri, identity]
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, POOL_VALUE_BYTES)
        until = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > until, STEPS_BETWEEN_LOOKS)
        cursor = connection.execute(query, values)
        rows = cursor.fetchmany(most + 1)
        names = tuple(column[0] for column in cursor.description or ())
        cursor.close()
        answer = ("rows", names, rows[:most], len(rows) > most)
        return (
            answer if len(marshal.dumps(answer)) <= ANSWER_BYTES else ("error", sqlite3.SQLITE_TOOBIG, "the rows are too large")
        )
    except (sqlite3.Error, sqlite3.Warning) as error:
        return "error", getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR), str(error)
    except (ValueError, OverflowError, MemoryError) as error:
        return "error", sqlite3.SQLITE_ERROR, str(error) or "out of memory"


def _close(connections: dict[tuple[str, Any], sqlite3.Connection]) -> None:
    for connection in connections.values():
        connection.close()
    connections.clear()


def _limit_space() -> None:
    _limit(resource.RLIMIT_AS, ADDRESS_BYTES)
    _limit(resource.RLIMIT_FSIZE, TEMPORARY_BYTES)


def _select(uri: str, query: str, parameters: Any) -> None:
    cursor = _connection(uri).execute(query, parameters)
    if cursor.description is None:
        _send("error", sqlite3.SQLITE_AUTH, "that statement reads nothing")
        return
    _send("columns", tuple(column[0] for column in cursor.description))
    while rows := cursor.fetchmany(ROWS_IN_ANSWER):
        _send_rows(rows)
    _send("end")


def _connection(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    # Text that is not UTF-8 is shown with its bytes escaped.
    connection.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")
    for pragma in ("query_only=ON", "busy_timeout=5000", f"hard_heap_limit={HEAP_BYTES}"):
        connection.execute(f"PRAGMA {pragma}")
    for limit, value in SQLITE_LIMITS.items():
        connection.setlimit(limit, value)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
        return sqlite3.SQLITE_OK  # what json_each() declares; a statement that says so fails in a read-only database
    if action not in ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in DENIED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _send_rows(rows: list[tuple[Any, ...]]) -> None:
    """Send rows together, or one by one where they are long, so that neither process holds many long ones."""
    content = marshal.dumps(("rows", rows))
    if len(content) <= ANSWER_BYTES:
        _write(content)
        return
    if len(rows) == 1:
        raise sqlite3.DataError("string or blob too big")
    del content
    for row in rows:
        _send_rows([row])


def _send(*answer: Any) -> None:
    _write(marshal.dumps(answer))


def _write(content: bytes) -> None:
    try:
        sys.stdout.buffer.write(len(content).to_bytes(4, "big") + content)
        sys.stdout.buffer.flush()
    except OSError:  # the parent has gone
        os._exit(1)


def _end_with_parent() -> None:
    """End the process when its parent ends or closes the other side of stdin."""
    with suppress(OSError):
        os.read(0, 1)
    os._exit(1)


def _limit(kind: int, value: int) -> None:
    # Not every system has every limit, and a lower one that is there already stays.
    with suppress(ValueError, OSError):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (value, hard))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["--pool"] else main()
