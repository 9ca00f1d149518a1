"""What changes with every commit on a server, for pages that are kept while the record is the same."""

from __future__ import annotations

import threading
import time
from itertools import count
from typing import Any

import psycopg

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import StorageError
from tickercast.storage.postgres.connections import connect

LOOK_SECONDS = 1.0
UNUSED_SECONDS = 60.0  # nobody reads pages: the server is left alone
# Which transactions are committed, for all databases of the server: two that are equal see the same rows of each.
SNAPSHOT = "SELECT CAST(pg_current_snapshot() AS text)"


class Changes:
    """The state of a record on a server, as a thread of its own reads it each second while somebody asks for it."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._state: tuple[Any, ...] = ()
        self._lost = count()
        self._asked_at = time.monotonic()
        self._is_asked = threading.Event()
        threading.Thread(target=self._look, name="changes", daemon=True).start()

    def __call__(self) -> tuple[Any, ...]:
        """Return what is another tuple after a commit, at most a second later."""
        self._asked_at = time.monotonic()
        self._is_asked.set()
        return self._state

    def _look(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while True:
            if time.monotonic() - self._asked_at > UNUSED_SECONDS:
                self._is_asked.clear()
                if connection is not None:
                    connection.close()
                    connection = None
                self._is_asked.wait()
            try:
                connection = connection or connect(self._server, "changes")
                self._state = ("snapshot", *(connection.execute(SNAPSHOT).fetchone() or ()))
            except (psycopg.Error, StorageError):
                if connection is not None:
                    connection.close()
                    connection = None
                self._state = ("unreachable", next(self._lost))  # a page is made again, and tells why it cannot be
            time.sleep(LOOK_SECONDS)
