"""Read the database with sqlite3 alone, for commands that only show what is stored: NumPy and SQLAlchemy take longer to load than
any of their queries. Everything is read in one transaction.

Not here: a user's own SQL, which runs in a guarded process (storage.sql_guard).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.connection import Reader
from tickercast.storage.many_values import marks_of
from tickercast.storage.versions import check_revision, require_newest, storage_error, uri_path
from tickercast.storage.views import VIEWS, Column, View

READER_PRAGMAS = ("busy_timeout=5000", "query_only=ON")
SORTED_BY = ("ticker", "origin", "horizon", "mode", "epoch", "session")
OF_NONE_FIRST = ("ticker", "session")  # may be NULL, which servers sort last unless they are told


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query: column names, and rows in order. types: of the columns, where a view states them."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    types: tuple[Column, ...] = ()

    def records(self) -> list[dict[str, Any]]:
        """Return each row as values by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@contextmanager
def snapshot(database: Database) -> Iterator[Reader]:
    """Yield a read-only connection in one transaction. Raises what check_revision raises, and StorageError."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.connections import read_only
        from tickercast.storage.postgres.record import revision_on

        with read_only(database) as server:
            if (revision := revision_on(server)) is None:
                check_revision(database)  # says what is wrong
            require_newest(database, revision)
            yield server
        return
    check_revision(database)
    try:
        connection = sqlite3.connect(f"file:{uri_path(database)}?mode=ro", uri=True, isolation_level=None)
        try:
            for pragma in READER_PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise storage_error(database, error) from error


def select_rows(connection: Reader, query: str, values: Sequence[Any] = ()) -> Rows:
    """Return the rows of one of our own queries."""
    cursor = connection.execute(query, values)
    return Rows(tuple(column[0] for column in cursor.description), cursor.fetchall())


def view_named(name: str) -> View:
    """Return a public view."""
    return next(view for view in VIEWS if view.name == name)


def view_query(view: View, tickers: Sequence[str] | None = None, equal: Sequence[str] = (), between: str = "") -> str:
    """Return the query of a view's rows in contract order, sorted by ticker, origin and horizon.

    Its marks are those of the tickers (many_values), then one for the value of each column in `equal`, then two for the ends
    of the column `between`.
    """
    conditions = [f"ticker IN ({marks_of(tickers)[0]})"] if tickers else []
    conditions += [f"{column} = ?" for column in equal]
    conditions += [f"{between} BETWEEN ? AND ?"] if between else []
    return _selection(view, conditions)


def query_of_no_ticker(view: View) -> str:
    """Return the query of the rows of a view that belong to no ticker, such as a prior's."""
    return _selection(view, ["ticker IS NULL"])


def _selection(view: View, conditions: Sequence[str]) -> str:
    condition = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    keys = (key for key in SORTED_BY if key in view.names)
    order = ", ".join(f"{key} NULLS FIRST" if key in OF_NONE_FIRST else key for key in keys)
    return f"SELECT {', '.join(view.names)} FROM {view.name}{condition}" + (f" ORDER BY {order}" if order else "")


def unknown_symbols(connection: Reader, symbols: Sequence[str]) -> list[str]:
    """Return the symbols that no stored ticker has now, in the given order."""
    stored = {row[0] for row in connection.execute("SELECT symbol FROM tickers")}
    return [symbol for symbol in symbols if symbol not in stored]
