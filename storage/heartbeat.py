"""The daemon's row about itself, written with sqlite3 alone: the daemon idles without SQLAlchemy, which would double its memory.

One row, which each daemon and each beat replaces. Not here: when it beats (jobs.runs.heartbeat), and who reads it (monitoring).
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.instants import instant_text
from tickercast.storage.monitoring import DaemonRow
from tickercast.storage.versions import storage_error, uri_path

# As every writer (storage.database), but it waits for a second at most: the next beat comes in a minute.
PRAGMAS = ("busy_timeout=1000", "synchronous=FULL")
COLUMNS = ("id", "pid", "started_at", "beat_at", "state", "looked_at", "next_look_at", "message")
BEAT = (
    f"INSERT INTO daemon_state ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in COLUMNS)}"
)


def write_beat(database: Database, row: DaemonRow) -> None:
    """Write the daemon's row. The caller holds the writer lock: no other process may write or checkpoint meanwhile.

    Raises StorageError, or sqlite3.Error where the table is another program's.
    """
    values = (
        1, row.pid, instant_text(row.started_at), instant_text(row.beat_at), row.state,
        _text(row.last_look), _text(row.next_look), row.message,
    )  # fmt: skip
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.connections import connected

        with connected(database, "daemon") as server:
            server.execute(BEAT, values)
        return
    try:
        connection = sqlite3.connect(f"file:{uri_path(database)}?mode=rw", uri=True, isolation_level=None)
        try:
            for pragma in PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(BEAT, values)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise storage_error(database, error) from error


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant_text(instant)
