"""How many bytes a record takes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from tickercast.storage.address import Database
from tickercast.storage.connection import Reader

OF_TABLES = """SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'"""


def database_size(database: Database, connection: Reader) -> int:
    """Return the bytes of a record that a connection reads: of its file and log, or of its tables and indexes on a server."""
    if not isinstance(database, Path):
        return int(connection.execute(OF_TABLES).fetchone()[0])
    return sum(_file_size(database.with_name(database.name + end)) for end in ("", "-wal"))


def _file_size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
