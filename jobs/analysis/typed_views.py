"""Public views as Arrow tables, in the types that the views state. DataFrames are made of them.

Not here: rows for the screen (views), files (export).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa

from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.scoring.terms import ALL_TICKERS
from tickercast.jobs.terminal.typed_columns import typed_table
from tickercast.storage.address import Database
from tickercast.storage.errors import not_stored
from tickercast.storage.hints import nearest_name
from tickercast.storage.many_values import marks_of
from tickercast.storage.reader import snapshot, unknown_symbols, view_query
from tickercast.storage.views import VIEWS, View

SPANNED = ("origin", "session", "date")  # the first of them that a view has is the one that `start` and `end` bound
FIRST, LAST = "0000-00-00", "9999-99-99"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a view are wanted.

    tickers: none = all. start, end: of the view's origin or session, inclusive. equal: the value that a column must have.
    """

    tickers: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    equal: Mapping[str, Any] = field(default_factory=dict)


def public_view(name: str) -> View:
    """Return a public view by its name. Raises UsageError, which names the nearest one."""
    found = next((view for view in VIEWS if view.name == name), None)
    if found is None:
        raise UsageError(f"{name!r} is not a public view; {nearest_name(name, [view.name for view in VIEWS])}")
    return found


def view_table(database: Database, view: View, wanted: Wanted) -> pa.Table:
    """Return rows of a view as they are at this instant, sorted by ticker, origin and horizon.

    Raises UnknownStoredTicker for a ticker that is not stored, UsageError for a condition on a column that the view lacks.
    """
    symbols = _symbols(view, wanted)
    between = _between(view, wanted)
    for name in wanted.equal:
        if name not in view.names:
            raise UsageError(f"view {view.name} has no column {name!r}; {nearest_name(name, view.names)}")
    ends = [(wanted.start or FIRST), (wanted.end or LAST)] if between else []
    values = [*marks_of(symbols)[1], *map(_stored, wanted.equal.values()), *map(str, ends)]
    with snapshot(database) as connection:
        for symbol in unknown_symbols(connection, symbols):
            if symbol != ALL_TICKERS:
                raise not_stored(symbol)
        return typed_table(connection.execute(view_query(view, symbols, tuple(wanted.equal), between), values), view.columns)


def _symbols(view: View, wanted: Wanted) -> Sequence[str]:
    if wanted.tickers and "ticker" not in view.names:
        raise UsageError(f"view {view.name} has no tickers; leave out the tickers")
    return [ticker if ticker == ALL_TICKERS else parse_symbol(ticker) for ticker in wanted.tickers]


def _between(view: View, wanted: Wanted) -> str:
    if wanted.start is None and wanted.end is None:
        return ""
    name = next((name for name in SPANNED if name in view.names), "")
    if not name:
        raise UsageError(f"the rows of view {view.name} have no origin and no session; leave out start and end")
    return name


def _stored(value: Any) -> Any:
    """Return a value as the database stores it."""
    return value.isoformat() if isinstance(value, date) else value
