"""The public views by name, over an open connection of SQLAlchemy."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from tickercast.storage.many_values import marks_of
from tickercast.storage.reader import Rows, view_named, view_query


def read_view(connection: Connection, name: str, tickers: Sequence[str] | None = None) -> Rows:
    """Return a public view's rows in contract order, sorted by ticker, origin and horizon. tickers: these only."""
    view = view_named(name)
    found = connection.exec_driver_sql(view_query(view, tickers), tuple(marks_of(tickers or ())[1]))
    return Rows(view.names, [tuple(row) for row in found])
