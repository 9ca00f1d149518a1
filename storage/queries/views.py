"""The public views by name, and the result of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.views import VIEWS

SORTED_BY = ("ticker", "origin", "horizon", "mode", "epoch", "session")


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query: column names, and rows in order."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def read_view(connection: Connection, name: str, tickers: Sequence[str] | None = None) -> Rows:
    """Return a public view's rows in contract order, sorted by ticker, origin and horizon. tickers: these only."""
    view = next(view for view in VIEWS if view.name == name)
    table = sa.table(view.name, *(sa.column(column) for column in view.names))
    query = sa.select(table).order_by(*(table.c[key] for key in SORTED_BY if key in view.names))
    if tickers:
        query = query.where(table.c.ticker.in_(tickers))
    return Rows(view.names, [tuple(row) for row in connection.execute(query)])
