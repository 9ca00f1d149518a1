"""Completion of tickers in a shell, from the database of the home that the command line names. It never fails and never waits."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import typer

MOST_COMPLETED = 200


def complete_ticker(context: typer.Context, incomplete: str) -> list[str]:
    """Return the stored tickers that begin with what was typed, in its case; none where there is no home."""
    from tickercast.jobs.errors import JobError
    from tickercast.jobs.workspace.place import home_folder, open_place
    from tickercast.storage.address import PostgresServer
    from tickercast.storage.versions import uri_path

    named = context.find_root().params.get("home")
    try:
        database = open_place(home_folder(Path(named) if named else None, os.environ)).database
        if isinstance(database, PostgresServer):
            return []
        connection = sqlite3.connect(f"file:{uri_path(database)}?mode=ro", uri=True, timeout=0)
        try:
            query = "SELECT symbol FROM tickers WHERE substr(symbol, 1, ?) = ? ORDER BY symbol LIMIT ?"
            typed = incomplete.upper()
            symbols = [row[0] for row in connection.execute(query, (len(typed), typed, MOST_COMPLETED))]
            return symbols if incomplete == typed else [symbol.lower() for symbol in symbols]
        finally:
            connection.close()
    except (JobError, OSError, sqlite3.Error):
        return []
