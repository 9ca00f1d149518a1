"""Open the database for writing or reading, upgrade its schema, and check its version.

One process writes (on SQLite BEGIN IMMEDIATE, synchronous=FULL). Readers do not wait for it. Only this module and migrations/
import Alembic. Connection and Engine are SQLAlchemy's, for the signatures of other packages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from tickercast.storage import digests
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.clean_messages import clean_messages
from tickercast.storage.errors import DatabaseMissing, NotADatabase
from tickercast.storage.files import make_folder, remove_database, rename_durably
from tickercast.storage.newest_schema import create_newest
from tickercast.storage.reader import READER_PRAGMAS
from tickercast.storage.versions import (
    DAMAGE,
    check_revision,
    is_blank,
    known_revisions,
    new_database_id,
    storage_error,
    stored_revision,
    unknown_schema,
    uri_path,
)

__all__ = [
    "Connection",
    "Engine",
    "alembic_config",
    "check_by",
    "migrate",
    "open_reader",
    "open_writer",
    "reading",
    "seal_by",
    "seal_database",
    "translated",
    "upgrade_database",
]

WRITER_PRAGMAS = ("journal_mode=WAL", "busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL")


def open_writer(database: Database, clean: Callable[[str], str] | None = None) -> Engine:
    """Return the engine of the one writer. The caller holds the writer lock.

    clean: what each text goes through that a statement writes to a column of messages.
    """
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.engine import writing_engine

        engine = writing_engine(database)
    else:
        engine = _sqlite_writer(database)
    if clean is not None:
        clean_messages(engine, clean)
    return engine


def _sqlite_writer(path: Path) -> Engine:
    """Return an engine each of whose transactions starts with BEGIN IMMEDIATE, so no lock can stop it half-way."""
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


def open_reader(database: Database) -> Engine:
    """Return an engine that can only read. Raises DatabaseMissing without a file."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.engine import reading_engine

        return reading_engine(database)
    if not database.exists():
        raise DatabaseMissing(f"{database}: no database there; `tickercast init` makes one")
    engine = sa.create_engine(sa.URL.create("sqlite", database=f"file:{uri_path(database)}", query={"mode": "ro", "uri": "true"}))

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # as above: the driver would not begin one for a SELECT
        for pragma in READER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def reading(database: Database) -> Iterator[Connection]:
    """Yield a read-only connection in one transaction, so that all of its queries see the same record.

    Raises what check_revision raises when the schema is not this program's.
    """
    if isinstance(database, Path):
        check_revision(database)
    engine = open_reader(database)
    try:
        with translated(database), engine.connect() as connection:
            if isinstance(database, PostgresServer):
                from tickercast.storage.postgres.engine import check_stored

                check_stored(database, connection)
            yield connection
    finally:
        engine.dispose()


def check_by(engine: Engine, database: Database) -> None:
    """Raise what check_revision raises. A server is asked by the engine, so that one connection serves for this and the work."""
    if isinstance(database, Path):
        check_revision(database)
        return
    from tickercast.storage.postgres.engine import check_stored

    with translated(database), engine.connect() as connection:
        check_stored(database, connection)


@contextmanager
def translated(database: Database) -> Iterator[None]:
    """Raise the errors about the file, the disk or the server as StorageErrors."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise storage_error(database, error.orig if error.orig is not None else error) from error
    except DAMAGE as error:
        raise storage_error(database, error) from error


def upgrade_database(database: Database) -> Path | None:
    """Upgrade a database to the newest schema. Creates a missing or an empty one. The caller holds the writer lock.

    Returns the path of the copy that was made before in the same folder; None where there was nothing to upgrade, and on a
    server, where an upgrade is one transaction. There functions become this program's, and the digest of the schema is computed
    anew, because another version of the server may word it differently.

    A database is created beside and renamed, so that a kill or a full disk leaves none, never a half-made one. Raises
    SchemaNewer when a newer program wrote it, NotADatabase for another kind of file.
    """
    if isinstance(database, Path):
        make_folder(database.parent)
    if is_blank(database):
        _create_database(database)
        return None
    current, known = stored_revision(database), known_revisions()
    if current is None:
        raise NotADatabase(f"{database}: no Tickercast database; it is left as it is")
    if current not in known:
        raise unknown_schema(database, current)
    copy = None
    if current != known[0]:
        copy = _copy_aside(database, current) if isinstance(database, Path) else None
        migrate(database)
        if isinstance(database, Path):
            _compact(database)
    if isinstance(database, PostgresServer):
        _seal_schema(database)
    seal_database(database)
    return copy


def _seal_schema(server: PostgresServer) -> None:
    from tickercast.storage.postgres.schema import replacing_statements

    engine = open_writer(server)
    try:
        with translated(server), engine.begin() as connection:
            for statement in replacing_statements():
                connection.exec_driver_sql(statement)
            digests.recount(connection, digests.SCHEMA)
    finally:
        engine.dispose()


def seal_database(database: Database) -> None:
    """Compute the digests of a database that has none, because it was just made or upgraded, or that was killed before.

    A file without an id gets one, at random.
    """
    engine = open_writer(database)
    try:
        seal_by(engine, database)
    finally:
        engine.dispose()


def seal_by(engine: Engine, database: Database) -> None:
    """Do as seal_database, by the engine that goes on to write."""
    with translated(database), engine.begin() as connection:
        digests.seal(connection)
        if isinstance(database, Path) and connection.exec_driver_sql("PRAGMA user_version").scalar_one() == 0:
            connection.exec_driver_sql(f"PRAGMA user_version = {int(new_database_id(), 16)}")


def _create_database(database: Database) -> None:
    if isinstance(database, Path):
        _create_file(database)
        return
    from tickercast.storage.postgres.record import create_record

    create_record(database, known_revisions()[0])
    seal_database(database)


def _create_file(path: Path) -> None:
    new = path.with_name(f"{path.name}.new")
    remove_database(new)
    try:
        with translated(new):
            created = create_newest(new, known_revisions()[0])
        if not created:
            migrate(new)
        seal_database(new)
        with translated(new), closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        remove_database(path)
        rename_durably(new, path)
    finally:
        remove_database(new)


def migrate(database: Database) -> None:
    """Bring a database to the newest schema by the migrations. Creates a missing file, step by step."""
    from alembic import command

    with translated(database):
        command.upgrade(alembic_config(database), "head")


def _compact(path: Path) -> None:
    """Give the space of what a migration removed back to the disk. A kill during it leaves the database as it was."""
    connection = sqlite3.connect(path)
    try:
        with translated(path):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def alembic_config(database: Database) -> Any:
    """Return Alembic's configuration for a database, with the scripts of the installed package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "migrations:")
    config.attributes["database"] = database
    return config


def _copy_aside(path: Path, revision: str) -> Path:
    """Copy a database beside itself and return the copy's path.

    The copy is sound and on disk before it has its name, so before anything is migrated. Where that fails, a disk that
    may be full keeps nothing of it.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    copy = path.with_name(f"{path.name}.{revision}.{stamp}.backup")
    partial = path.with_name(f"{path.name}.copying")
    remove_database(partial)  # of an upgrade that was killed
    try:
        with translated(path), closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(partial),))
        with translated(partial), closing(sqlite3.connect(partial)) as check:
            if check.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise NotADatabase(f"{path}: the copy before the upgrade is not sound; nothing was upgraded")
        rename_durably(partial, copy)
        return copy
    finally:
        remove_database(partial)
