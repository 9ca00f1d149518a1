"""Connect to a PostgreSQL server. A connection takes our SQL with `?` marks and gives the values that SQLite gives."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import DatabaseMissing, LibraryMissing
from tickercast.storage.postgres.errors import server_errors

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
# A dead peer is found within about 30 s.
KEEPALIVES: dict[str, Any] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}
# With extra_float_digits a number comes back with all its bits. To compile the many expressions of a view takes longer than most
# of its queries. The server finds out that we are dead as soon as we would of it, and frees our locks; it ends no connection of
# ours for being idle, as the one that holds a lock always is. Limits of time that a login has there are for what people write: a
# query of theirs gets its own (storage.postgres.guard). All rows of a cursor are read.
SETTINGS = """SET client_encoding = 'UTF8'; SET extra_float_digits = 1; SET bytea_output = 'hex'; SET synchronous_commit = on;
SET jit = off; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0;
SET lock_timeout = 0; SET cursor_tuple_fraction = 1;
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; SET tcp_user_timeout = 30000"""
READ_ONLY = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def connect(server: PostgresServer, purpose: str = "", *, seconds: int = CONNECT_SECONDS) -> psycopg.Connection[Any]:
    """Return a new connection in autocommit mode whose statements have `?` for each value.

    purpose: what the server shows of it to others beside our name. seconds: of waiting for the server.

    Raises LibraryMissing, ServerUnreachable, DatabaseMissing.
    """
    try:
        import psycopg

        from tickercast.storage.postgres.values import adapt
    except ImportError as error:
        raise LibraryMissing("a record on PostgreSQL needs psycopg: pip install 'tickercast[postgres]'") from error
    with server_errors(server), _url_errors(server):
        connection = psycopg.connect(
            server.url, autocommit=True, connect_timeout=seconds, application_name=client_name(purpose), **KEEPALIVES
        )
        try:
            adapt(connection)
            connection.execute(SETTINGS)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def _url_errors(server: PostgresServer) -> Iterator[None]:
    """Raise DatabaseMissing for a URL that libpq cannot read."""
    import psycopg

    try:
        yield
    except psycopg.ProgrammingError as error:
        raise DatabaseMissing(f"{server}: {str(error).strip()}; mend store.url") from error


@contextmanager
def connected(server: PostgresServer, purpose: str = "") -> Iterator[psycopg.Connection[Any]]:
    """Yield a new connection in autocommit mode and close it. Raises what connect raises, and the server's errors as ours."""
    connection = connect(server, purpose)
    try:
        with server_errors(server):
            yield connection
    finally:
        connection.close()


@contextmanager
def read_only(server: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection in one transaction that sees the record of one instant and cannot change it."""
    with connected(server, "reader") as connection:
        connection.execute(READ_ONLY)
        yield connection


def client_name(purpose: str) -> str:
    """Return how this process is named on the server: 63 bytes at most, as the server keeps them."""
    named = f"tickercast {purpose}".strip()
    return f"{named}, process {os.getpid()} on {socket.gethostname()}"[:63]
