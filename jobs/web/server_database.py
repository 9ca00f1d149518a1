"""The record on a server as a database of Datasette. As record_database, whose queries run in SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasette.database import Results

from tickercast.jobs.web.record_database import RecordDatabase
from tickercast.jobs.web.server_dialect import for_server


class ServerDatabase(RecordDatabase):
    """The public views of a record on a server."""

    async def execute(
        self,
        sql: str,
        params: Mapping[str, Any] | Sequence[Any] | None = None,
        truncate: bool = False,
        custom_time_limit: float | None = None,
        page_size: int | None = None,
        log_sql_errors: bool = True,
    ) -> Results:
        """Return the rows of a query. Raises what RecordDatabase raises."""
        sql, values = for_server(sql, params or {})
        return await super().execute(sql, values, truncate, custom_time_limit, page_size, log_sql_errors)

    @property
    def size(self) -> int:
        """Return no size: the database has no file here."""
        return 0
