"""The record as a database of Datasette: its queries run in guarded processes, and it knows the public views alone.

What Datasette asks of the schema is answered from storage.views, where the views are defined. There are no tables, so that base
tables have no page. Not here: whether the database is there and has this schema (datasette_pages).
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from datasette.database import Database, QueryInterrupted, Results
from datasette.utils import Column as Described

from tickercast.storage.query_pool import PROCESSES, Pool, QueryTimedOut
from tickercast.storage.sql_guard import Parameters
from tickercast.storage.versions import PRIMARY_CODE, error_of_code
from tickercast.storage.views import VIEWS, View

MOST_ROWS = 5_000  # of a query that Datasette does not limit itself
MOST_WAITING = 200  # queries
# Codes that are about the database, not about the query.
OF_DATABASE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN}
NO_VIEW = View("", "", (), "")
BY_NAME = {view.name: view for view in VIEWS}
# SQLite's types of the kinds that are no text.
TYPES = {"float": "REAL", "int": "INTEGER", "bool": "INTEGER"}


class PoolBusy(TimeoutError):
    """Too many queries wait already."""


class Row(tuple[Any, ...]):
    """A row whose values also have names, as sqlite3.Row has them."""

    names: tuple[str, ...] = ()

    def __getitem__(self, key: Any) -> Any:
        """Return a value by its column or its place."""
        return super().__getitem__(self.names.index(key)) if isinstance(key, str) else super().__getitem__(key)

    def keys(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return self.names


class RecordDatabase(Database):  # type: ignore[misc]  # Datasette has no types
    """The public views of one home's database."""

    def __init__(self, datasette: Any, pool: Pool) -> None:
        super().__init__(datasette, path=str(pool.database), is_mutable=True)
        self.pool = pool
        self.executor = ThreadPoolExecutor(PROCESSES, thread_name_prefix="queries")
        self.waiting = 0

    async def execute(
        self,
        sql: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        truncate: bool = False,
        custom_time_limit: float | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """Return the rows of a query. Raises QueryInterrupted, PoolBusy, sqlite3.OperationalError, StorageError."""
        seconds = min(custom_time_limit or self.ds.sql_time_limit_ms, self.ds.sql_time_limit_ms) / 1000
        most = max(self.ds.max_returned_rows, (page_size or self.ds.page_size) + 1) if truncate else MOST_ROWS
        query, values = self.as_taken(sql, params or {})
        try:
            answer = await self._queued(functools.partial(self.pool.select, query, values, seconds=seconds, most=most))
        except QueryTimedOut as error:
            raise QueryInterrupted(error, sql, params) from error
        except sqlite3.OperationalError as error:
            raise self._of_database(error) or error from error
        except (ValueError, TypeError) as error:  # a value that no query can take
            raise sqlite3.OperationalError(str(error)) from error
        rows = [Row(row) for row in answer.rows]
        for row in rows:
            row.names = answer.columns
        return Results(rows, truncate and answer.is_cut, [(name,) for name in answer.columns])

    def as_taken(self, sql: str, values: Parameters) -> tuple[str, Parameters]:
        """Return a query and its values as the database takes them."""
        return sql, values

    async def _queued(self, select: Callable[[], Any]) -> Any:
        if self.waiting >= MOST_WAITING:
            raise PoolBusy("too many queries at once")
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.executor, select)
        finally:
            self.waiting -= 1

    def _of_database(self, error: sqlite3.OperationalError) -> Exception | None:
        code = error.sqlite_errorcode & PRIMARY_CODE
        database = self.pool.database
        return error_of_code(database, code, str(error)) if code in OF_DATABASE and isinstance(database, Path) else None

    async def view_names(self) -> list[str]:
        """Return the public views, in the order of docs/sql.md."""
        return list(BY_NAME)

    async def get_view_definition(self, view: str) -> str | None:
        """Return the statement that makes a view, None for any other name."""
        return f"{BY_NAME[view].create_statement};" if view in BY_NAME else None

    async def table_columns(self, table: str) -> list[str]:
        """Return the columns of a view."""
        return list(BY_NAME.get(table, NO_VIEW).names)

    async def table_column_details(self, table: str) -> list[Described]:
        """Return the columns of a view with their types."""
        columns = enumerate(BY_NAME.get(table, NO_VIEW).columns)
        return [Described(place, column.name, TYPES.get(column.kind, "TEXT"), 0, None, 0, 0) for place, column in columns]

    async def primary_keys(self, table: str) -> list[str]:
        """Return no key: views have none."""
        return []

    async def fts_table(self, table: str) -> None:
        """Return that there is no index of texts."""

    async def foreign_keys_for_table(self, table: str) -> list[Any]:
        """Return no key."""
        return []

    async def label_column_for_table(self, table: str) -> None:
        """Return no column: no row stands for another."""

    async def get_table_definition(self, table: str, type_: str = "table") -> None:
        """Return that there is no such table."""

    async def table_names(self) -> list[str]:
        """Return no table."""
        return []

    async def table_exists(self, table: str) -> bool:
        """Return that there is no such table."""
        return False

    async def table_counts(self, limit: int = 10) -> dict[str, int]:
        """Return no table's count."""
        return {}

    async def hidden_table_names(self) -> list[str]:
        """Return no hidden table."""
        return []

    async def get_all_foreign_keys(self) -> dict[str, Any]:
        """Return no table's keys."""
        return {}

    async def attached_databases(self) -> list[Any]:
        """Return no other database."""
        return []
