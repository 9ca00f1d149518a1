"""How many bytes a record takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tickercast.storage.address import Database, PostgresServer

OF_TABLES = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"""


def database_size(database: Database) -> int:
    """Return the bytes of a record: of its file and log, or of its tables and indexes on a server. What is not there has none."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.connections import connected

        with connected(database, "reader") as server:
            row = server.execute(OF_TABLES).fetchone()
        return int(row[0]) if row else 0
    return sum(_file_size(database.with_name(database.name + end)) for end in ("", "-wal"))


def _file_size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
