"""Completion of tickers in a shell, from the record of the home that the command line names. It never fails.

It never waits for a file, and for a server two seconds at most.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from tickercast.storage.address import Database

MOST_COMPLETED = 200
SERVER_SECONDS = 2  # the least that a server can be given
QUERY = "SELECT symbol FROM tickers WHERE substr(symbol, 1, ?) = ? ORDER BY symbol LIMIT ?"


def complete_ticker(context: typer.Context, incomplete: str) -> list[str]:
    """Return the stored tickers that begin with what was typed, in its case; none where there is no home."""
    from tickercast.jobs.errors import JobError
    from tickercast.jobs.workspace.place import home_folder, open_place
    from tickercast.storage.errors import StorageError

    named = context.find_root().params.get("home")
    try:
        database = open_place(home_folder(Path(named) if named else None, os.environ)).database
        with closing(_connection(database)) as connection:
            typed = incomplete.upper()
            symbols = [row[0] for row in connection.execute(QUERY, (len(typed), typed, MOST_COMPLETED))]
            return symbols if incomplete == typed else [symbol.lower() for symbol in symbols]
    except (JobError, StorageError, OSError, sqlite3.Error):
        return []


def _connection(database: Database) -> Any:
    from tickercast.storage.address import PostgresServer
    from tickercast.storage.versions import uri_path

    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.connections import connect

        return connect(database, "completion", seconds=SERVER_SECONDS)
    return sqlite3.connect(f"file:{uri_path(database)}?mode=ro", uri=True, timeout=0)
