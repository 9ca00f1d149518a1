"""The state of a record on a server, which changes with every commit: pages are kept while it is the same."""

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
UNUSED_SECONDS = 60.0  # without a request for a page; then the server is left alone
# Which transactions are committed, for all databases of the server: two that are equal see the same rows of each.
SNAPSHOT = "SELECT CAST(pg_current_snapshot() AS text)"


class RecordState:
    """The state of a record, read once a second by a thread of its own while pages are requested."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._connection: psycopg.Connection[Any] | None = None
        self._state: tuple[Any, ...] = ()
        self._numbers = count()
        self._asked_at = time.monotonic()
        self._is_asked = threading.Event()
        threading.Thread(target=self._look, name="record state", daemon=True).start()

    def __call__(self) -> tuple[Any, ...]:
        """Return the state. It is another tuple at most a second after a commit."""
        self._asked_at = time.monotonic()
        self._is_asked.set()
        return self._state

    def _look(self) -> None:
        while True:
            self._is_asked.clear()
            if time.monotonic() - self._asked_at > UNUSED_SECONDS:
                self._disconnect()
                self._state = ("not read", next(self._numbers))  # what is committed meanwhile is not known
                self._is_asked.wait()
            try:
                self._connection = self._connection or connect(self._server, "reader")
                self._state = ("snapshot", *(self._connection.execute(SNAPSHOT).fetchone() or ()))
            except (psycopg.Error, StorageError):
                self._disconnect()
                self._state = ("unreachable", next(self._numbers))  # a page is made again, and says why it cannot be
            time.sleep(LOOK_SECONDS)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
