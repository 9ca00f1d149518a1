"""Run many small queries that may only read, each on one of a few connections that stay. As storage.query_pool, on a server."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import psycopg

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import QueryOverLimit, QueryRefused, QueryTooLong
from tickercast.storage.postgres.connections import READ_ONLY, connect
from tickercast.storage.postgres.errors import server_errors
from tickercast.storage.postgres.guard import selected
from tickercast.storage.query_pool import PROCESSES, Answer, QueryTimedOut
from tickercast.storage.sql_guard import ResultLimit

ANSWER = ResultLimit(rows=1_000_000, bytes=16_000_000, cure="name fewer columns or rows")


class ServerPool:
    """A few connections for the queries of one record."""

    def __init__(self, server: PostgresServer, connections: int = PROCESSES) -> None:
        self.database = server
        self._idle: queue.LifoQueue[psycopg.Connection[Any] | None] = queue.LifoQueue()
        for _ in range(connections):
            self._idle.put(None)  # made when it is needed
        self._working: set[psycopg.Connection[Any]] = set()
        self._changing = threading.Lock()
        self._is_closed = False

    def select(self, query: str, values: Mapping[str, Any] | Sequence[Any], *, seconds: float, most: int) -> Answer:
        """Return the first rows of a query. Several threads may call it; those beyond the number of connections wait.

        Raises QueryTimedOut, sqlite3.OperationalError with the server's words, StorageError where the server cannot be reached.
        """
        connection = self._idle.get()
        try:
            connection = self._usable(connection)
            return self._answer(connection, query, values, seconds, most)
        except QueryTooLong as error:
            raise QueryTimedOut(query) from error
        except (QueryRefused, QueryOverLimit) as error:
            raise refusal(error) from error
        finally:
            self._give_back(connection)

    def _usable(self, connection: psycopg.Connection[Any] | None) -> psycopg.Connection[Any]:
        """Return a connection that answers: a server may have been restarted since the last query."""
        if connection is not None:
            try:
                connection.execute("")
            except psycopg.Error:
                connection.close()
                connection = None
        connection = connection or connect(self.database, "reader")
        with self._changing:
            if self._is_closed:
                connection.close()
                raise QueryTimedOut("the pool is closed")
            self._working.add(connection)
        return connection

    def _give_back(self, connection: psycopg.Connection[Any] | None) -> None:
        with self._changing:
            if connection is not None:
                self._working.discard(connection)
                if self._is_closed:
                    connection.close()
            self._idle.put(connection)

    def _answer(
        self,
        connection: psycopg.Connection[Any],
        query: str,
        values: Mapping[str, Any] | Sequence[Any],
        seconds: float,
        most: int,
    ) -> Answer:
        with server_errors(self.database):
            try:
                connection.execute(READ_ONLY)
                with selected(connection, query, values, seconds=seconds, most=ANSWER) as found:
                    rows = list(islice(found.rows, most + 1))
            finally:
                _end(connection)
        return Answer(found.columns, rows[:most], len(rows) > most)

    def close(self) -> None:
        """Cancel the queries that run, and end the connections."""
        with self._changing:
            self._is_closed = True
            working = list(self._working)
        for connection in working:
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=1.0)
        idle: list[psycopg.Connection[Any] | None] = []
        with suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for unused in idle:
            if unused is not None:
                unused.close()
            self._idle.put(None)  # a query that comes later is refused; with an empty queue it would wait for ever


def _end(connection: psycopg.Connection[Any]) -> None:
    """Roll a transaction back. A connection that was lost, or whose time is over here too, is closed and so replaced."""
    with suppress(psycopg.Error):
        connection.rollback()
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        connection.close()


def refusal(error: Exception) -> sqlite3.OperationalError:
    """Return what the pages know as an error of a query."""
    found = sqlite3.OperationalError(str(error))
    found.sqlite_errorcode = sqlite3.SQLITE_ERROR
    return found
