"""Open the database for writing or reading, upgrade its schema, and check its version.

One process writes (BEGIN IMMEDIATE, synchronous=FULL). Readers open the file read-only and do not wait for it. Only this
module and migrations/ import Alembic. Connection and Engine are SQLAlchemy's, for the signatures of other packages.
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

__all__ = [
    "Connection",
    "Engine",
    "alembic_config",
    "check_revision",
    "known_revisions",
    "open_reader",
    "open_writer",
    "reading",
    "storage_error",
    "stored_revision",
    "translated",
    "upgrade_database",
    "uri_path",
]

WRITER_PRAGMAS = ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL")
READER_PRAGMAS = ("busy_timeout=5000", "query_only=ON")


def open_writer(path: Path) -> Engine:
    """Return the engine of the one writer. Each transaction starts with BEGIN IMMEDIATE, so no lock can stop it half-way."""
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not begin transactions itself: ours are IMMEDIATE and include DDL.
        connection.isolation_level = None
        for pragma in WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def open_reader(path: Path) -> Engine:
    """Return an engine that can only read. Raises DatabaseMissing without a file."""
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
    """Yield a read-only connection. Raises what check_revision raises when the schema is not this program's."""
    check_revision(path)
    engine = open_reader(path)
    try:
        with translated(path), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors about the file or the disk as StorageErrors."""
    try:
        yield
    except (sa.exc.OperationalError, sa.exc.DatabaseError) as error:
        raise storage_error(path, error.orig if error.orig is not None else error) from error
    except sqlite3.DatabaseError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: BaseException) -> Exception:
    """Return the StorageError of a SQLite error; the same error when it is not about the file or the disk."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return DatabaseBusy(f"{path}: another program holds the database; what is committed stays; retry later")
    if "not a database" in text or "malformed" in text:
        return NotADatabase(f"{path}: {text}; restore it from a backup")
    if any(word in text for word in ("full", "readonly", "read-only", "unable to open", "disk I/O")):
        return StoreUnwritable(f"{path}: {text}; what is committed stays; free space or mend permissions, then retry")
    return error if isinstance(error, Exception) else RuntimeError(text)


def upgrade_database(path: Path) -> None:
    """Upgrade a database to the newest schema, after a backup copy in the same folder. Creates a missing database.

    Raises SchemaNewer when a newer program wrote it, NotADatabase for another kind of file.
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
    """Return the schema revision of a database, None when it has none. Raises NotADatabase for another kind of file."""
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
    """Return this program's schema revisions, newest first, from the names of the scripts: importing Alembic is slow."""
    from importlib.resources import files

    names = sorted((entry.name for entry in files("migrations.versions").iterdir() if entry.name[:4].isdigit()), reverse=True)
    return [name[:4] for name in names if name.endswith(".py")]


def alembic_config(path: Path) -> Any:
    """Return Alembic's configuration for a database, with the scripts of the installed package."""
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
    """Return an absolute path escaped for a SQLite `file:` URI."""
    return path.absolute().as_uri().removeprefix("file://")
