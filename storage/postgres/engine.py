"""SQLAlchemy's engines on a PostgreSQL server: one that writes under the writer lock, one that reads."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import StorageError
from tickercast.storage.postgres.connections import READ_ONLY, connect
from tickercast.storage.postgres.errors import server_errors, storage_error_of
from tickercast.storage.postgres.locks import begin_writing
from tickercast.storage.postgres.marks import with_percent_marks
from tickercast.storage.postgres.record import revision_on
from tickercast.storage.versions import check_revision, require_newest

SERVER = "server"  # the key of a connection's info that holds the server's address


def writing_engine(server: PostgresServer) -> Engine:
    """Return an engine whose transactions each need the writer lock of this process (locks.advisory_lock)."""
    engine = _engine(server, "writer")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        with server_errors(server):
            begin_writing(server, driver_connection(connection))

    return engine


def reading_engine(server: PostgresServer) -> Engine:
    """Return an engine whose transactions each see the record of one instant and cannot change it."""
    engine = _engine(server, "reader")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        with server_errors(server):
            driver_connection(connection).execute(READ_ONLY)

    return engine


def _engine(server: PostgresServer, purpose: str) -> Engine:
    def open_connection() -> psycopg.Connection[Any]:
        connection = connect(server, purpose)
        connection.cursor_factory = psycopg.Cursor  # SQLAlchemy's own statements have percent marks
        return connection  # in autocommit mode: each kind of engine begins its transactions by one message of its own

    # The pool would log a traceback of each connection that is lost. The statement or the next one raises what it says, once.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    engine = sa.create_engine("postgresql+psycopg://", creator=open_connection, hide_parameters=True, pool_pre_ping=True)

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def translate(_c: Any, _cursor: Any, statement: str, values: Any, context: Any, _many: bool) -> tuple[str, Any]:
        is_ours = context is not None and context.compiled is None
        return (with_percent_marks(statement) if is_ours else statement), values

    @event.listens_for(engine, "handle_error")
    def explain(context: sa.engine.ExceptionContext) -> StorageError | None:
        return storage_error_of(server, context.original_exception)

    @event.listens_for(engine, "connect")
    def name(_connection: Any, record: Any) -> None:
        record.info[SERVER] = server

    return engine


def check_stored(server: PostgresServer, connection: Connection) -> None:
    """Raise what check_revision raises, by a connection of the record that has no transaction yet."""
    with server_errors(server):
        revision = revision_on(driver_connection(connection))
    if revision is None:
        check_revision(server)  # says what is wrong
    require_newest(server, revision)


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's connection below one of SQLAlchemy's, whose errors SQLAlchemy does not see."""
    found = connection.connection.driver_connection
    assert isinstance(found, psycopg.Connection)
    return found
