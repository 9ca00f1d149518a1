"""The record on a server as a database of Datasette. As record_database, whose queries run in SQLite."""

from __future__ import annotations

from tickercast.jobs.web.record_database import RecordDatabase
from tickercast.jobs.web.server_dialect import for_server
from tickercast.storage.sql_guard import Parameters


class ServerDatabase(RecordDatabase):
    """The public views of a record on a server."""

    def as_taken(self, sql: str, values: Parameters) -> tuple[str, Parameters]:
        """Return a query and its values in the server's dialect."""
        return for_server(sql, values)

    @property
    def size(self) -> int:
        """Return no size: the database has no file here."""
        return 0
