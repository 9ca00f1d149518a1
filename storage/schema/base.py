"""What all tables share: naming of constraints, column types, keys and checks."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import DeclarativeBase, mapped_column

from tickercast.storage.types import Instant, SessionDate

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
REAL: sa.types.TypeEngine[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
BIG_INTEGER: sa.types.TypeEngine[int] = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TickerKey = Annotated[int, mapped_column(sa.ForeignKey("tickers.id"), primary_key=True)]
OriginKey = Annotated[int, mapped_column(sa.ForeignKey("origins.id"), primary_key=True)]

# The options of every table on SQLite: STRICT, so that a column refuses a value that is not of its declared type.
STRICT: dict[str, Any] = {"sqlite_strict": True}
WITHOUT_ROWID: dict[str, Any] = {**STRICT, "sqlite_with_rowid": False}

ORIGIN_KEY = ("ticker_id", "config_id", "origin")
FORECAST_KEY = ("origin_id", "horizon")


class Base(DeclarativeBase):
    """The root of the table classes, and the column type of each Python type."""

    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map = {  # noqa: RUF012
        str: sa.Text(),
        float: REAL,
        date: SessionDate(),
        datetime: Instant(),
        bytes: sa.LargeBinary(),
    }


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """Return the check that a text column has one of some values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def of_forecast() -> sa.ForeignKeyConstraint:
    """Return the foreign key of a row that belongs to one forecast."""
    return sa.ForeignKeyConstraint(FORECAST_KEY, [f"forecasts.{column}" for column in FORECAST_KEY])
