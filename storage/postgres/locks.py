"""Advisory locks on the server, in place of the lock files of a home: who writes one record, from whatever machine, is one.

A lock belongs to a connection of its own, so the server frees it when its process or its machine is gone. Where that connection
is lost while its process lives, the process must not write on: each of its transactions looks whether the lock is still held
(require_writer), and a new holder waits until the transactions of the one before have ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import ServerUnreachable
from tickercast.storage.postgres.connections import connect
from tickercast.storage.postgres.errors import server_errors

if TYPE_CHECKING:
    import psycopg

POLL_SECONDS = 0.1
# The first key says that a lock is ours, the second whose: of a schema and a purpose.
OURS = 0x7469636B
KEY = "SELECT hashtext(current_schema() || ' ' || ?)"
HOLDER = """SELECT a.application_name, l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = ? AND l.objid = CAST(CAST(? AS bigint) & 4294967295 AS oid) AND l.granted
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
IS_HELD = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s)"
_writers: dict[PostgresServer, _Held] = {}


class _Held:
    """A lock that this process holds. pid: of its connection on the server. key: of the transactions made under it."""

    def __init__(self, pid: int, key: int) -> None:
        self.pid, self.key = pid, key


@contextmanager
def advisory_lock(server: PostgresServer, name: str, *, command: str, wait_seconds: float) -> Iterator[str | None]:
    """Hold a lock while the block runs, and yield None; where it is not free within a time, yield who holds it instead.

    name: writer or daemon. Raises what connect raises.
    """
    connection = connect(server, command)
    pid = connection.info.backend_pid
    try:
        with server_errors(server):
            key = _key(connection, name)
            holder = _acquire(connection, key, wait_seconds)
            if holder is None and name == "writer":
                units = _key(connection, "units")
                connection.execute("SELECT pg_advisory_lock(?, ?)", (OURS, units))
                connection.execute("SELECT pg_advisory_unlock(?, ?)", (OURS, units))
                _writers[server] = _Held(pid, units)
        yield holder
    finally:
        if name == "writer" and server in _writers and _writers[server].pid == pid:
            del _writers[server]
        connection.close()


def require_writer(server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
    """Begin a transaction under the writer lock of this process. Raises ServerUnreachable where the lock is lost."""
    held = _writers.get(server)
    if held is None:
        raise RuntimeError(f"{server}: a transaction that writes needs the writer lock")
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", (OURS, held.key))
    row = connection.execute(IS_HELD, (held.pid,)).fetchone()
    if row is None or not row[0]:
        raise ServerUnreachable(f"{server}: the connection that holds the writer lock was lost; what is committed stays")


def _key(connection: psycopg.Connection[Any], name: str) -> int:
    row = connection.execute(KEY, (name,)).fetchone()
    assert row is not None
    return int(row[0])


def _acquire(connection: psycopg.Connection[Any], key: int, wait_seconds: float) -> str | None:
    """Take a lock, and return None; or who has it when it is not free in time."""
    end = time.monotonic() + wait_seconds
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(?, ?)", (OURS, key)).fetchone()
        if row and row[0]:
            return None
        if time.monotonic() >= end:
            holder = connection.execute(HOLDER, (OURS, key)).fetchone()
            return str(holder[0]) if holder else "another process"
        time.sleep(POLL_SECONDS)
