"""Insert rows of any table except those whose key is already stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from operator import attrgetter
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from storage import digests
from storage.rows import (
    BaselineForecastRow,
    CheckpointRow,
    ForecastRow,
    InsertableRow,
    LossRow,
    ModelRow,
    PriorMemberRow,
    PriorRow,
    RecalibrationRow,
    ScoreRow,
)
from storage.schema import (
    Base,
    BaselineForecast,
    Checkpoint,
    Forecast,
    Loss,
    Model,
    Prior,
    PriorMember,
    Recalibration,
    Score,
)

Row = Mapping[str, Any]
KEYS = sa.PrimaryKeyConstraint | sa.UniqueConstraint


TABLES: dict[type[InsertableRow], type[Base]] = {
    ModelRow: Model,
    LossRow: Loss,
    CheckpointRow: Checkpoint,
    PriorRow: Prior,
    PriorMemberRow: PriorMember,
    ForecastRow: Forecast,
    BaselineForecastRow: BaselineForecast,
    RecalibrationRow: Recalibration,
    ScoreRow: Score,
}


def insert_rows(connection: Connection, rows: Sequence[InsertableRow], **common: Any) -> int:
    """Insert rows of one kind except those whose key is already stored. Returns how many were added.

    common: columns that all of them get and that only the writer knows, such as run_id. Raises ValueError for a number that
    is not finite.
    """
    if not rows:
        return 0
    names = [field.name for field in fields(rows[0])]
    values = attrgetter(*names)
    return insert_mappings(
        connection, TABLES[type(rows[0])], ({**dict(zip(names, values(row), strict=True)), **common} for row in rows)
    )


def insert_forecasts(
    connection: Connection, rows: Sequence[ForecastRow], *, modes: Mapping[date, str], made_at: datetime, run_id: int
) -> int:
    """Insert forecasts with the mode of each origin, and when and by which run they were made. Returns how many were added."""
    added = 0
    for mode in sorted({modes[row.origin] for row in rows}):
        of_mode = [row for row in rows if modes[row.origin] == mode]
        added += insert_rows(connection, of_mode, mode=mode, made_at=made_at, run_id=run_id)
    return added


def insert_mappings(connection: Connection, table: type[Base], rows: Iterable[Row]) -> int:
    """Insert rows except those whose key is already stored. Returns how many were added.

    NumPy scalars are converted to Python's, because SQLite would store them as bytes. Raises ValueError for a number that
    is not finite, because SQLite would store NaN as NULL.
    """
    plain = [{name: _plain(value, name) for name, value in row.items()} for row in rows]
    if not plain:
        return 0
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table.__table__).on_conflict_do_nothing()
    if table.__tablename__ not in digests.DIGESTED:
        return int(connection.execute(statement, plain).rowcount)
    attempt = connection.begin_nested()
    if connection.execute(statement, plain).rowcount == len(plain):
        attempt.commit()
    else:
        attempt.rollback()
        plain = _not_stored(connection, table, plain)
        if plain:
            connection.execute(statement, plain)
    digests.add_rows(connection, table.__tablename__, plain)
    return len(plain)


def _not_stored(connection: Connection, table: type[Base], rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the rows that no stored row stands in the way of: another one of the same key, or of another unique column."""
    columns = Base.metadata.tables[table.__tablename__]
    uniques = [constraint for constraint in columns.constraints if isinstance(constraint, KEYS)]
    keys = [[column.name for column in constraint.columns] for constraint in uniques]
    new: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        given = [names for names in keys if all(row.get(name) is not None for name in names)]
        is_same = sa.or_(*(sa.and_(*(columns.c[name] == row[name] for name in names)) for names in given))
        if not given or connection.execute(sa.select(sa.literal(1)).select_from(columns).where(is_same)).first() is None:
            new.setdefault(tuple(row[name] for name in given[0]) if given else (id(row),), dict(row))
    return list(new.values())


def _plain(value: Any, name: str) -> Any:
    kind = type(value)
    if kind is int or kind is str or value is None:  # most values take this way out
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}: only finite numbers are stored")
    return value
