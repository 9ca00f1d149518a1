"""The folder of price files, which several homes may share: which databases use it, and which files nobody needs.

Each database that writes here is registered in a small file. A price file goes only when it is old enough, this database named it
before, and no registered database needs it now. Where one of them cannot be read, every file stays.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from tickercast.storage import queries
from tickercast.storage.address import POSTGRES_PREFIXES, Database, PostgresServer
from tickercast.storage.database import open_reader
from tickercast.storage.errors import StorageError
from tickercast.storage.files import make_folder

REGISTRY = ".databases"
KEPT_SUPERSEDED = 2  # files before a ticker's current one that stay for databases of other homes


@dataclass(frozen=True, slots=True)
class Registered:
    """A database that uses a folder, and since when."""

    path: Database
    since: datetime


def register_database(folder: Path, database: Database) -> None:
    """Register a database as a user of a folder, once."""
    path = _resolved(database)
    if any(entry.path == path for entry in registered_databases(folder)):
        return
    make_folder(folder)
    with (folder / REGISTRY).open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now(UTC).isoformat()} {_uri_of(path)}\n")  # one short write, so two homes do not mix their lines


def registered_databases(folder: Path) -> list[Registered]:
    """Return every database that was ever registered as a user of a folder, oldest first. A torn line is left out."""
    try:
        lines = (folder / REGISTRY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    pairs = [line.split(" ") for line in lines]
    return [Registered(_database_of(pair[1]), datetime.fromisoformat(pair[0])) for pair in pairs if len(pair) == 2]


def collect_old_files(folder: Path, database: Database, before: datetime, kept: int = KEPT_SUPERSEDED) -> int:
    """Remove the files written before an instant that no database needs, and return how many. Needs the writer lock.

    kept: how many files before a ticker's current one this database still needs. A file that it never named is a stranger's,
    except one that a killed writer left in a folder of our own.
    """
    old = {path.relative_to(folder).as_posix() for path in folder.glob("*/*") if _written_at(path) < before.timestamp()}
    own = _named_before(database, old) | _left_by_killed_writers(folder, database, old)
    return _remove_unneeded(folder, own, {_resolved(database): kept})


def remove_unneeded(folder: Path, paths: Collection[str]) -> int:
    """Remove those of some files that no registered database needs, and return how many; none where one cannot be read."""
    return _remove_unneeded(folder, paths, {})


def _remove_unneeded(folder: Path, paths: Collection[str], kept: Mapping[Database, int]) -> int:
    if not paths:
        return 0
    try:
        users = [entry.path for entry in registered_databases(folder) if not isinstance(entry.path, Path) or entry.path.exists()]
        needed = {path for user in users for path in _needed_by(user, kept.get(user, KEPT_SUPERSEDED))}
    except (StorageError, sa.exc.SQLAlchemyError, OSError):
        return 0
    unneeded = sorted(set(paths) - needed)
    return sum(_removed(folder / path) for path in unneeded)


def _needed_by(database: Database, kept: int) -> set[str]:
    """Return the files that a database names as current or keeps before that. Raises what reading it raises."""
    engine = open_reader(database)
    try:
        with engine.connect() as connection:
            return queries.needed_files(connection, kept)
    finally:
        engine.dispose()


def _named_before(database: Database, paths: Collection[str]) -> set[str]:
    """Return those of some files that a database names or named."""
    engine = open_reader(database)
    with engine.connect() as connection:
        named = set(connection.exec_driver_sql("SELECT path FROM price_files").scalars())
    engine.dispose()
    return named & set(paths)


def _left_by_killed_writers(folder: Path, database: Database, paths: Collection[str]) -> set[str]:
    """Return those of some files that no row names because their writer was killed.

    Only while no other database was ever registered. Files from before the registration may belong to one that is not.
    """
    users = registered_databases(folder)
    if [entry.path for entry in users] != [_resolved(database)]:
        return set()
    since = users[0].since.timestamp()
    return {path for path in paths if since < _written_at(folder / path) < math.inf}


def _written_at(path: Path) -> float:
    """Return when a file was written, as a timestamp; infinity for one that another home has just removed."""
    try:
        return path.stat(follow_symlinks=False).st_mtime
    except OSError:
        return math.inf


def _removed(path: Path) -> bool:
    """Remove a file, and return whether it is gone: a file that may not be removed stays, and a later run tries again."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def _resolved(database: Database) -> Database:
    """Return a database by a name that each of its users has for it: a server without what only we need to reach it."""
    return database.shared if isinstance(database, PostgresServer) else Path(os.path.realpath(database))


def _uri_of(database: Database) -> str:
    return database.url if isinstance(database, PostgresServer) else database.as_uri()


def _database_of(uri: str) -> Database:
    from urllib.parse import unquote, urlsplit

    if uri.startswith(POSTGRES_PREFIXES):
        return PostgresServer(uri)
    return Path(unquote(urlsplit(uri).path))
