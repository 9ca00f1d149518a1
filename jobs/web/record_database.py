"""The record as a database of Datasette: its queries run in guarded processes, and it knows the public views alone.

Datasette asks for tables in several ways; each answers that there are none, so base tables have no page. Every page opens the
database anew: the daemon, an upgrade or a restore may have put another file in its place.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

from datasette.database import Database, QueryInterrupted, Results

from tickercast.storage.query_pool import QueryPool, QueryTimedOut
from tickercast.storage.reader import snapshot
from tickercast.storage.views import VIEWS

MOST_ROWS = 5_000  # of a query that Datasette does not limit itself


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

    def __init__(self, datasette: Any, pool: QueryPool, executor: Executor) -> None:
        super().__init__(datasette, path=str(pool.path), is_mutable=True)
        self.pool, self.executor = pool, executor

    async def execute(
        self,
        sql: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        truncate: bool = False,
        custom_time_limit: float | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """Return the rows of a query, which runs in a guarded process. Raises QueryInterrupted, sqlite3.OperationalError."""
        seconds = min(custom_time_limit or self.ds.sql_time_limit_ms, self.ds.sql_time_limit_ms) / 1000
        most = max(self.ds.max_returned_rows, (page_size or self.ds.page_size) + 1) if truncate else MOST_ROWS
        select = functools.partial(self.pool.select, sql, params or {}, seconds=seconds, most=most)
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self.executor, select)
        except QueryTimedOut as error:
            raise QueryInterrupted(error, sql, params) from error
        except (ValueError, TypeError) as error:  # a value that no query can take
            raise sqlite3.OperationalError(str(error)) from error
        rows = [Row(row) for row in answer.rows]
        for row in rows:
            row.names = answer.columns
        return Results(rows, truncate and answer.is_cut, [(name,) for name in answer.columns])

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        """Return what one of Datasette's own functions reads of the schema."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._read, fn)

    def _read(self, fn: Callable[[sqlite3.Connection], Any]) -> Any:
        with snapshot(self.pool.path) as connection:
            connection.row_factory = sqlite3.Row
            return fn(connection)

    async def view_names(self) -> list[str]:
        """Return the public views, in the order of docs/sql.md."""
        return [view.name for view in VIEWS]

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
