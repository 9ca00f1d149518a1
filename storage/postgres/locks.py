"""Advisory locks on the server, in place of the lock files of a home: who writes one record, from whatever machine, is one.

A lock belongs to a connection of its own, so the server frees it when its process or its machine is gone. Where that connection
is lost while its process lives, the process must not write on: each of its transactions looks whether the lock is still held
(begin_writing), and a new holder waits until the transactions of the one before have ended.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickercast.storage.address import PostgresServer
from tickercast.storage.connection import Reader
from tickercast.storage.errors import DatabaseMissing, ServerUnreachable
from tickercast.storage.postgres.connections import connect
from tickercast.storage.postgres.errors import server_errors

if TYPE_CHECKING:
    import psycopg

POLL_SECONDS = 0.1
# The first key says that a lock is ours, the second whose: of a schema and a purpose.
OURS = 0x7469636B
GREATEST_TOKEN = (1 << 31) - 1
KEY = "SELECT hashtext(coalesce(current_schema(), '') || ' ' || ?)"
HOLDER = """SELECT a.application_name, l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = ? AND l.objid = CAST(CAST(? AS bigint) & 4294967295 AS oid) AND l.granted
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
# One message to the server, whose statements are done one after the other: the answer is of an instant under the second lock.
BEGIN = """BEGIN; SELECT pg_advisory_xact_lock_shared({ours}, {units});
SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND pid = {pid} AND classid = {ours} AND objid = {token})"""
_writers: dict[PostgresServer, _Held] = {}


@dataclass(frozen=True, slots=True)
class _Held:
    """A lock that this process holds. pid: of its connection on the server. units: the key of the transactions made under it.

    token: the key of a second lock of that connection, at random: a server that was restarted gives its old numbers of processes
    to other connections, which may hold locks too.
    """

    pid: int
    units: int
    token: int


@contextmanager
def advisory_lock(server: PostgresServer, name: str, *, command: str, wait_seconds: float) -> Iterator[str | None]:
    """Hold a lock while the block runs, and yield None; where it is not free within a time, yield who holds it instead.

    name: writer or daemon. Raises what connect raises.
    """
    connection = connect(server, command)
    pid = connection.info.backend_pid
    try:
        with server_errors(server):
            _refuse_pooler(server, connection)
            key = _key(connection, name)
            holder = _acquire(connection, key, wait_seconds)
            if holder is None and name == "writer":
                units = _key(connection, "units")
                connection.execute("SELECT pg_advisory_lock(?, ?)", (OURS, units))
                connection.execute("SELECT pg_advisory_unlock(?, ?)", (OURS, units))
                held = _Held(pid, units, secrets.randbelow(GREATEST_TOKEN))
                connection.execute("SELECT pg_advisory_lock(?, ?)", (OURS, held.token))
                _writers[server] = held
        yield holder
    finally:
        if name == "writer" and server in _writers and _writers[server].pid == pid:
            del _writers[server]
        connection.close()


class KeptLock:
    """A lock that is held for as long as a daemon runs: renew it every now and then, since an outage takes its connection."""

    def __init__(self, server: PostgresServer, name: str, command: str) -> None:
        self.server, self.name, self.command = server, name, command
        self._connection: psycopg.Connection[Any] | None = None

    def renew(self, wait_seconds: float = 0.0) -> str | None:
        """Hold the lock, and return None; or who else has it now. Raises what connect raises."""
        import psycopg

        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.release()
            else:
                return None
        connection = connect(self.server, self.command)
        try:
            with server_errors(self.server):
                _refuse_pooler(self.server, connection)
                holder = _acquire(connection, _key(connection, self.name), wait_seconds)
            if holder is None:
                self._connection = connection
            return holder
        finally:
            if self._connection is not connection:
                connection.close()

    def release(self) -> None:
        """Let the lock go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def is_held(connection: Reader, name: str) -> bool:
    """Return whether a process holds a lock, writer or daemon, of the record that a connection reads."""
    return connection.execute(HOLDER, (OURS, _key(connection, name))).fetchone() is not None


def begin_writing(server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
    """Begin a transaction under the writer lock of this process. connection: in autocommit mode, so that nothing else begins one.

    Raises ServerUnreachable where the lock is lost.
    """
    held = _writers.get(server)
    if held is None:
        raise RuntimeError(f"{server}: a transaction that writes needs the writer lock")
    answers = connection.execute(BEGIN.format(ours=OURS, units=held.units, pid=held.pid, token=held.token), prepare=False)
    while answers.nextset():  # the last answer is the one to the last statement
        pass
    row = answers.fetchone()
    if row is None or not row[0]:
        raise ServerUnreachable(f"{server}: the connection that holds the writer lock was lost; what is committed stays")


def _refuse_pooler(server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
    """Raise DatabaseMissing where what was connected to is a pooler: it would give a lock's connection to others."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise DatabaseMissing(
            f"{server}: a connection pooler is there, under which no lock is safe; nothing was changed; "
            "name the server itself in store.url (a pooler may serve store.reader_url)"
        )


def _key(connection: Reader, name: str) -> int:
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
            return _named(str(holder[0])) if holder else "another process"
        time.sleep(POLL_SECONDS)


def _named(client: str) -> str:
    """Return who holds a lock, as the note beside a lock file says it. client: what connections.client_name gave the server."""
    command, comma, process = client.partition(", ")
    return f"`{command}`{comma}{process}" if comma else client
