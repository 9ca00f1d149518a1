"""Insert rows of any table except those whose key is already stored, and add them to the table's digests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from tickercast.storage import digests
from tickercast.storage.dialects import POSTGRES, dialect_of, uses_copy
from tickercast.storage.rows import CheckpointRow, PriorMemberRow, PriorRow
from tickercast.storage.schema import Base, Checkpoint, Prior, PriorMember

Row = Mapping[str, Any]
Values = tuple[Any, ...]
PlainRow = CheckpointRow | PriorRow | PriorMemberRow
Columns = ReadOnlyColumnCollection[str, sa.Column[Any]]
KEYS = sa.PrimaryKeyConstraint | sa.UniqueConstraint
KEYS_AT_ONCE = 500

TABLES: dict[type[PlainRow], type[Base]] = {CheckpointRow: Checkpoint, PriorRow: Prior, PriorMemberRow: PriorMember}


def insert_rows(connection: Connection, rows: Sequence[PlainRow]) -> int:
    """Insert rows of one kind except those whose key is already stored. Returns how many were added."""
    if not rows:
        return 0
    names = [field.name for field in fields(rows[0])]
    values = attrgetter(*names)
    return insert_mappings(connection, TABLES[type(rows[0])], (dict(zip(names, values(row), strict=True)) for row in rows))


def insert_new_values(connection: Connection, table: type[Base], rows: Sequence[Values]) -> int:
    """Insert rows none of which is stored, as the database stores them. Returns how many: all of them.

    The quick way in, for the tables that a backfill fills: a savepoint would double the time of the inserts. Raises ValueError
    for a number that is not finite, and for a row whose key is stored; then the transaction must be rolled back.
    """
    if not rows:
        return 0
    columns = Base.metadata.tables[table.__tablename__].columns
    _refuse_infinite(columns, rows)
    if connection.dialect.name == POSTGRES:
        from tickercast.storage.postgres.bulk import copy_new

        copy_new(connection, table.__tablename__, columns.keys(), rows)
    elif (added := _insert(connection, columns, rows)) != len(rows):
        raise ValueError(f"{table.__tablename__}: {len(rows) - added} of {len(rows)} new rows have a key that is stored")
    digests.add_rows(connection, table.__tablename__, rows)
    return len(rows)


def insert_undigested(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Values]) -> None:
    """Insert rows none of which is stored, as the database stores them. Digests are left to the caller."""
    if not rows:
        return
    if connection.dialect.name == POSTGRES:
        from tickercast.storage.postgres.bulk import copy_new

        copy_new(connection, table, columns, rows)
        return
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(rows))


def insert_values(connection: Connection, table: type[Base], rows: Sequence[Values]) -> int:
    """Insert rows as the database stores them except those whose key is already stored. Returns how many were added.

    rows: values in the order of the table's columns: text for dates and instants, bytes for hashes, Python's numbers. Raises
    ValueError for a number that is not finite.
    """
    if not rows:
        return 0
    columns = Base.metadata.tables[table.__tablename__].columns
    _refuse_infinite(columns, rows)
    attempt = connection.begin_nested()
    if _insert(connection, columns, rows) == len(rows):
        attempt.commit()
    else:
        attempt.rollback()
        rows = _new_values(connection, table, rows)
        if rows:
            _insert(connection, columns, rows)
    digests.add_rows(connection, table.__tablename__, rows)
    return len(rows)


def insert_mappings(connection: Connection, table: type[Base], rows: Iterable[Row]) -> int:
    """Insert rows except those whose key is already stored. Returns how many were added.

    NumPy scalars are converted to Python's, because SQLite would store them as bytes. Raises ValueError for a number that
    is not finite, because SQLite would store NaN as NULL.
    """
    plain = [{name: _plain(value, name) for name, value in row.items()} for row in rows]
    if not plain:
        return 0
    if table.__tablename__ not in digests.DIGESTED:
        return _insert_mappings(connection, table, plain)
    attempt = connection.begin_nested()
    if _insert_mappings(connection, table, plain) == len(plain):
        attempt.commit()
    else:
        attempt.rollback()
        plain = _not_stored(connection, table, plain)
        if plain:
            _insert_mappings(connection, table, plain)
    digests.add_mappings(connection, table.__tablename__, plain)
    return len(plain)


def _insert_mappings(connection: Connection, table: type[Base], rows: Sequence[Row]) -> int:
    """Insert rows with the same columns except those whose key is stored. Returns how many were added."""
    if not uses_copy(connection, rows):
        return int(connection.execute(dialect_of(connection).insert(table.__table__).on_conflict_do_nothing(), rows).rowcount)
    from tickercast.storage.postgres.bulk import copy_unless_stored

    columns = Base.metadata.tables[table.__tablename__].columns
    converters = {name: digests.converter_of(columns[name].type) for name in rows[0]}
    values = [[convert(row[name]) for name, convert in converters.items()] for row in rows]
    return copy_unless_stored(connection, table.__tablename__, list(converters), values)


def _insert(connection: Connection, columns: Columns, rows: Sequence[Values]) -> int:
    names, marks = ", ".join(columns.keys()), ", ".join("?" * len(columns))
    table = columns.values()[0].table.name
    if connection.dialect.name == POSTGRES:
        from tickercast.storage.postgres.bulk import copy_unless_stored

        return copy_unless_stored(connection, table, columns.keys(), rows)
    statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
    return int(connection.exec_driver_sql(statement, list(rows)).rowcount)


def _new_values(connection: Connection, table: type[Base], rows: Iterable[Values]) -> list[Values]:
    """Return the rows whose primary key is not stored, and of rows with one key the first."""
    columns = Base.metadata.tables[table.__tablename__].columns
    at = [position for position, column in enumerate(columns) if column.primary_key]
    where = " AND ".join(f"{column.name} = ?" for column in columns if column.primary_key)
    query = f"SELECT 1 FROM {table.__tablename__} WHERE {where}"
    new: dict[Values, Values] = {}
    for row in rows:
        key = tuple(row[position] for position in at)
        if connection.exec_driver_sql(query, key).first() is None:
            new.setdefault(key, row)
    return list(new.values())


def _refuse_infinite(columns: Columns, rows: Sequence[Values]) -> None:
    """Raise ValueError for a number that is not finite: SQLite would store NaN as NULL."""
    for position, column in enumerate(columns):
        if isinstance(column.type, sa.Double):
            values = [row[position] for row in rows]
            for k in np.flatnonzero(~np.isfinite(np.array(values, np.float64))):  # NumPy reads None as NaN
                if values[k] is not None:
                    raise ValueError(f"{column.name} is {values[k]}: only finite numbers are stored")


def _not_stored(connection: Connection, table: type[Base], rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that no stored row stands in the way of: another one of the same key, or of another unique column."""
    constraints = [item for item in Base.metadata.tables[table.__tablename__].constraints if isinstance(item, KEYS)]
    keys = [tuple(column.name for column in constraint.columns) for constraint in constraints]
    stored = {names: _stored_keys(connection, table, names, rows) for names in keys}
    new: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        given = [names for names in keys if _is_given(names, row)]
        if not any(_key_of(names, row) in stored[names] for names in given):
            new.setdefault(_key_of(given[0], row) if given else (id(row),), row)
    return list(new.values())


def _stored_keys(connection: Connection, table: type[Base], names: tuple[str, ...], rows: Sequence[Row]) -> set[Values]:
    """Return the values of some columns in stored rows that are those of given rows."""
    wanted = [_key_of(names, row) for row in rows if _is_given(names, row)]
    columns = [Base.metadata.tables[table.__tablename__].c[name] for name in names]
    found: set[Values] = set()
    for begin in range(0, len(wanted), KEYS_AT_ONCE):
        of_rows = sa.tuple_(*columns).in_(wanted[begin : begin + KEYS_AT_ONCE])
        found |= {tuple(row) for row in connection.execute(sa.select(*columns).where(of_rows))}
    return found


def _is_given(names: tuple[str, ...], row: Row) -> bool:
    return all(row.get(name) is not None for name in names)


def _key_of(names: tuple[str, ...], row: Row) -> Values:
    return tuple(row[name] for name in names)


def _plain(value: Any, name: str) -> Any:
    kind = type(value)
    if kind is int or kind is str or value is None:  # most values take this way out
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}: only finite numbers are stored")
    return value
