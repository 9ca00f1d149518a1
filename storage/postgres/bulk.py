"""Insert many rows into a table of a record on PostgreSQL by COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection

from tickercast.storage.postgres.errors import server_errors

SERVER = "server"  # the key of a connection's info that holds the server's address


def copy_new(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows none of which is stored. Raises ValueError for one whose key is; then the transaction is lost."""
    with _cursor(connection) as cursor:
        try:
            _copy(cursor, table, columns, rows)
        except psycopg.errors.UniqueViolation as error:
            raise ValueError(f"{table}: a new row has a key that is stored ({error.diag.message_detail})") from error


def copy_unless_stored(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows except those whose key is stored, and return how many were added."""
    names = ", ".join(columns)
    with _cursor(connection) as cursor:
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS incoming_{table} (LIKE {table}) ON COMMIT DROP")
        _copy(cursor, f"incoming_{table}", columns, rows)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM incoming_{table} ON CONFLICT DO NOTHING")
        added = cursor.rowcount
        cursor.execute(f"TRUNCATE incoming_{table}")
    return added


def _copy(cursor: psycopg.Cursor[Any], table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _cursor(connection: Connection) -> Iterator[psycopg.Cursor[Any]]:
    """Yield a cursor of the driver. SQLAlchemy does not see its errors, so they become ours here."""
    with server_errors(connection.info[SERVER]):
        cursor = connection.connection.cursor()
        assert isinstance(cursor, psycopg.Cursor)
        with cursor:
            yield cursor
