"""What an idle daemon watches of the database, read through the standard library alone, so that little memory stays in use."""

from __future__ import annotations

import sqlite3
from typing import Any

from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.errors import StorageError

READ_SECONDS = 5.0
TICKERS = """
    SELECT t.id, t.tracked, t.status, t.source, t.source_path,
        (SELECT max(p.id) FROM price_files p WHERE p.ticker_id = t.id),
        (SELECT max(e.id) FROM events e WHERE e.kind = 'repair')
    FROM tickers t ORDER BY t.id
"""


def ticker_states(database: Database) -> list[tuple[Any, ...]] | None:
    """Return what decides whether a ticker may be due beside the clock, for each ticker; None when it cannot be read."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.connections import read_only

        try:
            with read_only(database) as server:
                return server.execute(TICKERS).fetchall()
        except StorageError:
            return None
    try:
        connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=READ_SECONDS)
        try:
            return connection.execute(TICKERS).fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return None
