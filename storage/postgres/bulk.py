"""Insert many rows into a table of a record on PostgreSQL by COPY."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from tickercast.storage.postgres.engine import SERVER, driver_connection
from tickercast.storage.postgres.errors import server_errors
from tickercast.storage.schema import Base


def copy_new(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows none of which is stored. Raises ValueError for one whose key is; then the transaction is lost."""
    with _cursor(connection) as cursor:
        try:
            _copy(cursor, table, table, columns, rows)
        except psycopg.errors.UniqueViolation as error:
            raise ValueError(f"{table}: a new row has a key that is stored ({error.diag.message_detail})") from error


def copy_unless_stored(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Insert rows except those whose key is stored, and return how many were added."""
    return copy_through_staging(connection, table, columns, rows, "ON CONFLICT DO NOTHING")


def copy_through_staging(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], conflict: str
) -> int:
    """Copy rows into a staging table, insert them from there, and return how many were inserted or changed.

    conflict: the clause that says what becomes of a row whose key is stored.
    """
    names, staging = ", ".join(columns), f"staging_{table}"
    with _cursor(connection) as cursor:
        # Made of a query, it takes rows without the number that the table itself gives them.
        cursor.execute(f"CREATE TEMP TABLE IF NOT EXISTS {staging} ON COMMIT DELETE ROWS AS SELECT * FROM {table} WITH NO DATA")
        _copy(cursor, staging, table, columns, rows)
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM {staging} {conflict}")
        changed = cursor.rowcount
        cursor.execute(f"TRUNCATE {staging}")
    return changed


def _copy(cursor: psycopg.Cursor[Any], into: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Send rows in binary form: it costs a tenth of our time and two thirds of the server's. into: the table or its staging."""
    kinds = _types_of(table)
    with cursor.copy(f"COPY {into} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types([kinds[name] for name in columns])
        for row in rows:
            copy.write_row(row)


@cache
def _types_of(table: str) -> dict[str, str]:
    """Return the server's type of each column of a table."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {column.name: column.type.compile(dialect=dialect).lower() for column in Base.metadata.tables[table].columns}


@contextmanager
def _cursor(connection: Connection) -> Iterator[psycopg.Cursor[Any]]:
    """Yield a cursor of the driver. SQLAlchemy does not see its errors, so they become ours here."""
    with server_errors(connection.info[SERVER]), driver_connection(connection).cursor() as cursor:
        yield cursor
