"""What differs between the kinds of database in statements that write: inserts that look at conflicts, and many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

POSTGRES = "postgresql"
MANY = 20  # rows from which on COPY into a staging table costs a server less than a statement for each


def dialect_of(connection: Connection) -> Any:
    """Return the module whose insert() has ON CONFLICT."""
    return postgresql if connection.dialect.name == POSTGRES else sqlite


def uses_copy(connection: Connection, rows: Sequence[Any]) -> bool:
    """Return whether COPY is the cheaper way for so many rows: on a server, from MANY on."""
    return connection.dialect.name == POSTGRES and len(rows) >= MANY


def upsert_rows(
    connection: Connection, table: str, key: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, as the database stores them, or update those of the same key. key: columns of the primary key."""
    if not rows:
        return
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    conflict = f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    if uses_copy(connection, rows):
        from tickercast.storage.postgres.bulk import copy_through_staging

        copy_through_staging(connection, table, columns, rows, conflict)
        return
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}", list(rows))
