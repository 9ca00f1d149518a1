"""The schema's version and the id of a database, and SQLite's errors as ours. sqlite3 alone, so that reading starts quickly.

Not here: how a database is upgraded (storage.database).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.errors import (
    Corrupt,
    DatabaseBusy,
    DatabaseMissing,
    NotADatabase,
    SchemaNewer,
    SchemaOlder,
    StorageError,
    StoreUnwritable,
)

# sqlite3 raises the second where a damaged name stands in its own message.
DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
UNWRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}
GREATEST_ID = (1 << 31) - 1  # the user_version of a SQLite file is a signed number of 32 bits
PRIMARY_CODE = 0xFF  # the bits of an extended result code that say the kind of error


def check_revision(database: Database) -> None:
    """Raise DatabaseMissing, NotADatabase, Corrupt, SchemaNewer or SchemaOlder unless the schema is this program's."""
    if isinstance(database, Path) and not database.exists():
        raise DatabaseMissing(f"{database}: no database there; `tickercast init` makes one")
    if isinstance(database, Path) and is_blank(database):
        raise DatabaseMissing(f"{database}: its creation was interrupted; `tickercast init` finishes it")
    current = stored_revision(database)
    if current is None and isinstance(database, PostgresServer) and is_blank(database):
        raise DatabaseMissing(f"{database}: no record there; `tickercast init` makes one")
    require_newest(database, current)


def require_newest(database: Database, current: str | None) -> None:
    """Raise NotADatabase, SchemaNewer or SchemaOlder unless a stored revision is this program's."""
    known = known_revisions()
    if current is None:
        raise NotADatabase(f"{database}: no Tickercast database; it is left as it is")
    if current not in known:
        raise unknown_schema(database, current)
    if current != known[0]:
        raise SchemaOlder(f"{database}: its schema {current} is older than this program's; run `tickercast db upgrade`")


def is_blank(database: Database) -> bool:
    """Return whether there is no database yet: no file, or one without a table, as a kill in its creation leaves it."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres import record

        return record.is_blank(database)
    if not database.exists():
        return True
    if not database.is_file():
        raise NotADatabase(f"{database}: not a file")
    connection = sqlite3.connect(f"file:{uri_path(database)}?mode=ro", uri=True)
    try:
        return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    except DAMAGE as error:
        raise storage_error(database, error) from error
    finally:
        connection.close()


def stored_revision(database: Database) -> str | None:
    """Return the schema revision of a database, None when it has none. Raises NotADatabase, or Corrupt for damaged bytes."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres import record

        return record.stored_revision(database)
    if not database.is_file():
        raise NotADatabase(f"{database}: not a file")
    try:
        connection = sqlite3.connect(f"file:{uri_path(database)}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        finally:
            connection.close()
    except DAMAGE as error:
        if "no such table" in str(error):
            return None
        raise storage_error(database, error) from error
    return str(row[0]) if row else None


def database_id(database: Database) -> str:
    """Return the id that a database got when it was made, "" for one of an earlier version that nothing was written to since.

    On SQLite it is the user_version, which every copy keeps. Raises StorageError.
    """
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres import record

        return record.database_id(database)
    try:
        connection = sqlite3.connect(f"file:{uri_path(database)}?mode=ro", uri=True)
        try:
            (number,) = connection.execute("PRAGMA user_version").fetchone()
        finally:
            connection.close()
    except DAMAGE as error:
        raise storage_error(database, error) from error
    return f"{number:08x}" if number else ""


def new_database_id() -> str:
    """Return a random id for a new database. A file and a server can both keep it, so it survives a move between them."""
    import secrets  # here, because it takes as long to load as a query

    return f"{1 + secrets.randbelow(GREATEST_ID):08x}"


def known_revisions() -> list[str]:
    """Return this program's schema revisions, newest first, from the names of the scripts: importing Alembic is slow."""
    from tickercast import migrations

    folder = Path(next(iter(migrations.__path__))) / "versions"
    names = sorted((entry.name for entry in folder.iterdir() if entry.name[:4].isdigit()), reverse=True)
    return [name[:4] for name in names if name.endswith(".py")]


def unknown_schema(database: Database, revision: str) -> StorageError:
    """Return the error of a schema that this program does not know: a newer one, or one that no version has had."""
    newest = known_revisions()[0]
    if revision > newest:
        return SchemaNewer(f"{database}: its schema {revision} is newer than this program's {newest}; upgrade tickercast")
    return NotADatabase(f"{database}: no version of tickercast has had its schema {revision!r}; it is left as it is")


def storage_error(database: Database, error: BaseException) -> Exception:
    """Return the StorageError of an error of SQLite or of a server; the same error when it is not about the record's place."""
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.errors import storage_error_of

        found = storage_error_of(database, error)
        return found or (error if isinstance(error, Exception) else RuntimeError(str(error)))
    if isinstance(error, UnicodeDecodeError) or "Could not decode" in str(error) or "unsupported file format" in str(error):
        return Corrupt(f"{database}: {error}; restore it from a backup")
    code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE
    return error_of_code(database, code, str(error)) or (error if isinstance(error, Exception) else RuntimeError(str(error)))


def error_of_code(path: Path, code: int, text: str) -> Exception | None:
    """Return the StorageError of a primary result code of SQLite, None when it is not about the file or the disk."""
    if code in BUSY:
        return DatabaseBusy(f"{path}: another program holds the database; what is committed stays; retry later")
    if code in DAMAGED:
        return Corrupt(f"{path}: {text}; restore it from a backup")
    if code in UNWRITABLE:
        return StoreUnwritable(f"{path}: {text}; what is committed stays; free space or mend permissions, then retry")
    return None


def uri_path(path: Path) -> str:
    """Return an absolute path escaped for a SQLite `file:` URI."""
    return path.absolute().as_uri().removeprefix("file://")
