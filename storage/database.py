"""The database: how it is opened for writing and for reading, brought to the newest schema, and checked for its version.

One process writes (BEGIN IMMEDIATE, synchronous=FULL); readers open the file read-only and never wait. The only door to
Alembic beside migrations/.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from storage.errors import DatabaseBusy, DatabaseMissing, NotADatabase, SchemaNewer, SchemaOlder, StoreUnwritable

WRITER_PRAGMAS = ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL")
READER_PRAGMAS = ("busy_timeout=5000", "query_only=ON")


def open_writer(path: Path) -> Engine:
    """Return the engine of the one writer. Every transaction begins IMMEDIATE, so it cannot fail half-way for a lock."""
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not open transactions of its own: ours are IMMEDIATE and hold DDL too.
        connection.isolation_level = None
        for pragma in WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def open_reader(path: Path) -> Engine:
    """Return an engine that can only read. Raises DatabaseMissing when there is no file to read."""
    if not path.exists():
        raise DatabaseMissing(f"{path}: no database there; `tickercast init` makes one")
    engine = sa.create_engine(sa.URL.create("sqlite", database=f"file:{uri_path(path)}", query={"mode": "ro", "uri": "true"}))

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        for pragma in READER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    return engine


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """Yield a read-only connection to a database of this program's schema."""
    check_revision(path)
    engine = open_reader(path)
    try:
        with translated(path), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what SQLite reports about the file or the disk as the store's own errors."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.DatabaseError) as error:
        raise storage_error(path, error.orig if error.orig is not None else error) from error
    except sqlite3.DatabaseError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: BaseException) -> Exception:
    """Return the typed error of a SQLite failure; the failure itself where it is none of the file's or the disk's."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return DatabaseBusy(f"{path}: another program holds the database; what is committed stays; retry later")
    if "not a database" in text or "malformed" in text:
        return NotADatabase(f"{path}: {text}; restore it from a backup")
    if any(word in text for word in ("full", "readonly", "read-only", "unable to open", "disk I/O")):
        return StoreUnwritable(f"{path}: {text}; what is committed stays; free space or mend permissions, then retry")
    return error if isinstance(error, Exception) else RuntimeError(text)


def upgrade_database(path: Path) -> None:
    """Bring a database to the newest schema, creating it where it is missing. An older one is copied aside first.

    Raises SchemaNewer for one that a newer program wrote, NotADatabase for another kind of file.
    """
    from alembic import command

    path.parent.mkdir(parents=True, exist_ok=True)
    current = stored_revision(path) if path.exists() and path.stat().st_size else None
    known = known_revisions()
    if current is not None and current not in known:
        raise SchemaNewer(_newer(path, current))
    if current == known[0]:
        return
    if current is not None:
        _copy_aside(path, current)
    with translated(path):
        command.upgrade(alembic_config(path), "head")


def check_revision(path: Path) -> None:
    """Raise DatabaseMissing, NotADatabase, SchemaNewer or SchemaOlder unless the schema is this program's."""
    if not path.exists():
        raise DatabaseMissing(f"{path}: no database there; `tickercast init` makes one")
    current, known = stored_revision(path), known_revisions()
    if current is None:
        raise NotADatabase(f"{path}: no Tickercast database; it is left as it is")
    if current not in known:
        raise SchemaNewer(_newer(path, current))
    if current != known[0]:
        raise SchemaOlder(f"{path}: its schema {current} is older than this program's; run `tickercast db upgrade`")


def stored_revision(path: Path) -> str | None:
    """Return the revision written in a database, None when it has none. Raises NotADatabase for another file."""
    if not path.is_file():
        raise NotADatabase(f"{path}: not a file")
    try:
        connection = sqlite3.connect(f"file:{uri_path(path)}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return None
        raise storage_error(path, error) from error
    return str(row[0]) if row else None


def known_revisions() -> list[str]:
    """Return this program's schema revisions, newest first. Reads the packaged scripts' names, not Alembic: it is fast."""
    from importlib.resources import files

    names = sorted((entry.name for entry in files("migrations.versions").iterdir() if entry.name[:4].isdigit()), reverse=True)
    return [name[:4] for name in names if name.endswith(".py")]


def alembic_config(path: Path) -> Any:
    """Return Alembic's configuration for a database, with the scripts found in the installed package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "migrations:")
    config.attributes["url"] = sa.URL.create("sqlite", database=str(path))
    return config


def _copy_aside(path: Path, revision: str) -> None:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    copy = path.with_name(f"{path.name}.{revision}.{stamp}.backup")
    connection = sqlite3.connect(path)
    try:
        connection.execute("VACUUM INTO ?", (str(copy),))
    finally:
        connection.close()
    check = sqlite3.connect(copy)
    try:
        if check.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise NotADatabase(f"{path}: the copy before the upgrade is not sound; nothing was upgraded")
    finally:
        check.close()


def _newer(path: Path, revision: str) -> str:
    return f"{path}: its schema {revision} is newer than this program's {known_revisions()[0]}; upgrade tickercast"


def uri_path(path: Path) -> str:
    return path.absolute().as_uri().removeprefix("file://")
