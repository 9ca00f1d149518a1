"""The key that ties rows to a forecast, a condition on many values, and queries that return rows as dicts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage import many_values
from tickercast.storage.schema import FORECAST_KEY, Base

Query = sa.Select[*tuple[Any, ...]]


def same_forecast(left: type[Base], right: type[Base]) -> sa.ColumnElement[bool]:
    """Return the condition that rows of two tables belong to one forecast: equal ticker, config, origin and horizon."""
    return sa.and_(*(getattr(left, column) == getattr(right, column) for column in FORECAST_KEY))


def as_dicts(connection: Connection, query: Query) -> list[dict[str, Any]]:
    """Return a query's rows as dicts by column name."""
    return [dict(row) for row in connection.execute(query).mappings()]


def is_among(column: Any, values: Collection[int] | Collection[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of some values, however many they are."""
    if len(values) <= many_values.MOST_MARKS:
        few: sa.ColumnElement[bool] = column.in_(values)
        return few
    each = sa.func.json_each(many_values.as_document(values)).table_valued("value")
    many: sa.ColumnElement[bool] = column.in_(sa.select(sa.cast(each.c.value, column.type)))
    return many
