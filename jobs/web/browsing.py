"""Datasette, set up to show the record and nothing else of itself. Only jobs/web/ imports it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasette.app import Datasette
from datasette.plugins import pm

from tickercast.jobs.web import hooks
from tickercast.jobs.web.descriptions import DATABASE, record_metadata
from tickercast.jobs.web.record_database import RecordDatabase
from tickercast.jobs.web.server_database import ServerDatabase
from tickercast.storage.query_pool import Pool

ALLOWED = {"view-instance", "view-database", "view-table", "view-query", "execute-sql"}
# What of Datasette is kept. Its other parts are actors, a menu, files of blobs, and an error page that prints tracebacks with all
# variables. Plugins that happen to be installed could write or call out.
KEPT = {"datasette.facets", "datasette.filters", "datasette.forbidden"}
SETTINGS = {
    "sql_time_limit_ms": 5_000,
    "facet_time_limit_ms": 1_000,
    "max_returned_rows": 5_000,
    "default_page_size": 50,
    "suggest_facets": False,  # it would run a query for each column of a page
    "allow_download": False,
    "allow_csv_stream": False,
    "num_sql_threads": 1,
    "truncate_cells_html": 200,
    "default_cache_ttl": 0,
}


class RecordDatasette(Datasette):  # type: ignore[misc]  # Datasette has no types
    """Datasette for one database, whoever asks: who may ask at all is decided before (jobs.web.access)."""

    async def refresh_schemas(self) -> None:
        """Keep no catalogue: nothing here reads it."""

    async def permission_allowed(self, actor: Any, action: str, resource: Any = None, default: bool = False) -> bool:
        """Return whether an action is one of reading."""
        return action in ALLOWED


def record_datasette(pool: Pool) -> RecordDatasette:
    """Return Datasette for a database. Its application needs `await invoke_startup()` first."""
    for name, plugin in pm.list_name_plugin():
        if plugin is not None and name not in KEPT:
            pm.unregister(plugin)
    pm.register(hooks, name="tickercast")
    datasette = RecordDatasette(
        files=[],
        metadata=record_metadata(),
        settings=SETTINGS,
        template_dir=str(Path(__file__).with_name("templates")),
    )
    for name in list(datasette.databases):
        if name != "_internal":
            datasette.remove_database(name)
    database = RecordDatabase if isinstance(pool.database, Path) else ServerDatabase
    datasette.add_database(database(datasette, pool), name=DATABASE)
    return datasette
