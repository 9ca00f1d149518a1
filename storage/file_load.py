"""Load a whole record into a new SQLite file, which gets its name when it is finished."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, event

from tickercast.storage.database import translated
from tickercast.storage.errors import StoreUnwritable
from tickercast.storage.files import make_folder, remove_database, rename_durably
from tickercast.storage.newest_schema import create_newest

# The file is nobody's record until it has its name, so nothing of it must survive a crash.
PRAGMAS = ("foreign_keys=OFF", "journal_mode=OFF", "synchronous=OFF", "cache_size=-65536")


class FileLoad:
    """An open transaction on a new file, without its triggers."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.triggers: list[str] = list(connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
        ).scalars())  # fmt: skip
        for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, whose tables they refer to may come later."""
        marks = ", ".join("?" * len(columns))
        self.connection.exec_driver_sql(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", [tuple(row) for row in rows]
        )

    def finish(self, _revision: str, record_id: str) -> None:
        """Make the triggers again, and give the file the record's id."""
        for statement in self.triggers:
            self.connection.exec_driver_sql(statement)
        if record_id:
            self.connection.exec_driver_sql(f"PRAGMA user_version = {int(record_id, 16)}")


@contextmanager
def loading(path: Path, revision: str) -> Iterator[FileLoad]:
    """Yield a load into a file that does not exist. Nothing of it stays after an error. Raises StorageErrors."""
    new = path.with_name(f"{path.name}.new")
    try:
        make_folder(path.parent)
        remove_database(new)  # of one that was killed
    except OSError as error:
        raise StoreUnwritable(f"{path}: {error.strerror}; nothing was moved; name a file in a folder of yours") from error
    try:
        with translated(path):
            create_newest(new, revision)
            engine = sa.create_engine(sa.URL.create("sqlite", database=str(new)), hide_parameters=True)
            event.listen(engine, "connect", _prepare)
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
            try:
                with engine.begin() as connection:
                    yield FileLoad(connection)
            finally:
                engine.dispose()
            with closing(sqlite3.connect(new)) as whole:
                whole.execute("PRAGMA journal_mode=WAL")
                whole.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        remove_database(path)  # a blank one, whose log must not be taken for this one's
        rename_durably(new, path)
    finally:
        remove_database(new)


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions itself
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
