"""All rows of a view as one CSV file, with the filters of its page: from one snapshot, sent as they come, and never kept.

Not here: the first rows, which Datasette shows and exports.
"""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from datasette.filters import Filters

from tickercast.jobs.web.problems import Problem, problem_of
from tickercast.jobs.web.record_database import BY_NAME
from tickercast.jobs.web.request import Receive, Send
from tickercast.jobs.web.responses import SAFE, Page, problem_page
from tickercast.jobs.web.server_dialect import for_server
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.errors import StorageError
from tickercast.storage.reader import snapshot
from tickercast.storage.sql_guard import Parameters, selecting
from tickercast.storage.views import View

PATH = re.compile(r"/record/(?P<view>\w+)\.csv")
FLAG = "_stream"
MOST_AT_ONCE = 2
SECONDS = 120.0
STALLED_SECONDS = 30.0  # a visitor who takes no rows for so long keeps nobody else waiting
ROWS_TOGETHER = 2_000
UNKNOWN = Problem(400, "Bad request", "A filter names a column that this view does not have, or contains SQL.")
NOT_FILTERED = ("_where", "_search", "_through")  # Datasette's filters that a download does not know
BUSY = Problem(503, "Not available", "Other downloads are running. Retry in a minute.")


@dataclass(frozen=True, slots=True)
class Download:
    """All rows of a view. query: of the address, with its filters."""

    view: View
    query: str


def download_of(path: str, query: str) -> Download | None:
    """Return what an address downloads, None for one of another kind."""
    match = PATH.fullmatch(path)
    is_wanted = any(name == FLAG for name, _ in parse_qsl(query, keep_blank_values=True))
    return Download(BY_NAME[match["view"]], query) if match and is_wanted and match["view"] in BY_NAME else None


class Downloads:
    """The downloads from one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.executor = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="downloads")
        self.running = 0

    async def send(self, download: Download, receive: Receive, send: Send, *, with_rows: bool) -> Page | None:
        """Send all rows, until the end or until the visitor has gone. Return a page that is to be sent in their place.

        with_rows: not for HEAD. Raises StorageError before the first row. What fails later ends the connection before the file's
        end.
        """
        selected = filtered(download)
        if selected is None or self.running >= MOST_AT_ONCE:
            return problem_page(UNKNOWN if selected is None else BUSY)
        if not with_rows:
            await send({"type": "http.response.start", "status": 200, "headers": _headers(download.view)})
            await send({"type": "http.response.body", "body": b""})
            return None
        self.running += 1
        gone = asyncio.ensure_future(_gone(receive))
        try:
            with ExitStack() as stack:  # ends the query's process
                parts = await self._run(lambda: self._parts(download.view, *selected, stack))
                await send({"type": "http.response.start", "status": 200, "headers": _headers(download.view)})
                await self._send_parts(parts, gone, send)
            return None
        finally:
            self.running -= 1
            gone.cancel()

    async def _send_parts(self, parts: Iterator[bytes], gone: asyncio.Future[None], send: Send) -> None:
        """Send the body. Where it fails it has no end, so that nobody takes what came for all of it."""
        try:
            while (part := await self._run(lambda: next(parts, None))) is not None and not gone.done():
                async with asyncio.timeout(STALLED_SECONDS):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        except (StorageError, OSError) as error:  # TimeoutError is an OSError
            problem_of(error)
            return
        await send({"type": "http.response.body", "body": b""})

    async def _run(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    def _parts(self, view: View, sql: str, values: Parameters, stack: ExitStack) -> Iterator[bytes]:
        with snapshot(self.database):  # raises what keeps the record from being read
            pass
        if isinstance(self.database, PostgresServer):
            sql, values = for_server(sql, values)
        found = stack.enter_context(selecting(self.database, sql, values, seconds=SECONDS))
        return _as_csv(view.names, found.rows)


def filtered(download: Download) -> tuple[str, dict[str, Any]] | None:
    """Return the SQL of a download with its filters and its order, and their values; None for a filter that it does not know."""
    view, fields = download.view, parse_qsl(download.query)
    if any(name.startswith(NOT_FILTERED) for name, _ in fields):
        return None
    filters = Filters(sorted((name, value) for name, value in fields if not name.startswith("_")))
    orders = [(value, name == "_sort_desc") for name, value in fields if name in ("_sort", "_sort_desc")]
    named = {column for column, _, _ in filters.selections()} | {column for column, _ in orders}
    if not named <= set(view.names):
        return None
    conditions, values = filters.build_where_clauses(view.name)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f" ORDER BY {', '.join(column + ' DESC' * is_last for column, is_last in orders)}" if orders else ""
    return f"SELECT * FROM {view.name}{where}{order}", values


def _as_csv(names: tuple[str, ...], rows: Iterator[tuple[Any, ...]]) -> Iterator[bytes]:
    """Yield the header and the rows, some thousand together."""
    some: list[tuple[Any, ...]] = [names]
    while some:
        text = io.StringIO()
        csv.writer(text).writerows(some)
        yield text.getvalue().encode()
        some = list(islice(rows, ROWS_TOGETHER))


def _headers(view: View) -> list[tuple[bytes, bytes]]:
    given = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{view.name}.csv"',
        "Cache-Control": "no-store",
    }
    return [(name.lower().encode(), value.encode()) for name, value in (*given.items(), *SAFE)]


async def _gone(receive: Receive) -> None:
    """Return once the visitor has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
