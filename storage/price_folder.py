"""Which databases use a store of price files, which several homes may share, and which files nobody needs.

Each database that writes there is registered in the store. A price file goes only when it is old enough, this database named it
before, and no registered database needs it now. Where one of them cannot be read, every file stays.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from urllib.parse import quote, unquote, urlsplit

import sqlalchemy as sa

from tickercast.storage import queries
from tickercast.storage.address import POSTGRES_PREFIXES, Database, PostgresServer
from tickercast.storage.database import open_reader
from tickercast.storage.errors import StorageError
from tickercast.storage.price_store import PriceAddress, StoreUser, price_store

KEPT_SUPERSEDED = 2  # files before a ticker's current one that stay for databases of other homes


@dataclass(frozen=True, slots=True)
class Registered:
    """A database that uses a store, and since when. host: the machine of its path, "" = this one."""

    path: Database
    since: datetime
    host: str = ""

    @property
    def is_elsewhere(self) -> bool:
        """Return whether the database is a file of another machine, so that it cannot be read here."""
        return self.host not in ("", gethostname())

    @property
    def is_gone(self) -> bool:
        """Return whether the database was a file of this machine and is no more. Raises StorageError for one elsewhere."""
        if self.is_elsewhere:
            raise StorageError(f"{self.path} is on {self.host}")
        return isinstance(self.path, Path) and not self.path.exists()


def register_database(prices: PriceAddress, database: Database) -> None:
    """Register a database as a user of a store, once."""
    store = price_store(prices)
    url = _url_of(_resolved(database), store.machine)
    if all(user.url != url for user in store.users()):
        store.add_user(StoreUser(url, datetime.now(UTC)))


def registered_databases(prices: PriceAddress) -> list[Registered]:
    """Return every database that was ever registered as a user of a store, oldest first."""
    return [_registered(user) for user in price_store(prices).users()]


def kept_for_others(prices: PriceAddress) -> list[str]:
    """Return a line for people where databases of other machines use a store, so that no old file is deleted."""
    machines = sorted({entry.host for entry in registered_databases(prices) if entry.is_elsewhere})
    if not machines:
        return []
    return [f"old price files stay, since databases of other machines use {prices} ({', '.join(machines)})"]


def collect_old_files(prices: PriceAddress, database: Database, before: datetime, kept: int = KEPT_SUPERSEDED) -> int:
    """Remove the files written before an instant that no database needs, and return how many. Needs the writer lock.

    kept: how many files before a ticker's current one this database still needs. A file that it never named is a stranger's,
    except one that a killed writer left in a store of our own.
    """
    old = {path: at for path, at in price_store(prices).files().items() if at < before.timestamp()}
    own = _named_before(database, old) | _left_by_killed_writers(prices, database, old)
    return remove_unneeded(prices, own, database, kept)


def remove_unneeded(prices: PriceAddress, paths: Collection[str], own: Database, kept: int = KEPT_SUPERSEDED) -> int:
    """Remove those of some files that no registered database needs, and return how many; none where one cannot be read.

    own: the database of this home, which is registered without the password that we need to read it. kept: as for
    collect_old_files.
    """
    if not paths:
        return 0
    try:
        others = [entry.path for entry in registered_databases(prices) if not entry.is_gone and entry.path != _resolved(own)]
        needed = {path for other in others for path in _needed_by(other, KEPT_SUPERSEDED)} | _needed_by(own, kept)
    except (StorageError, sa.exc.SQLAlchemyError, OSError):
        return 0
    return price_store(prices).remove(sorted(set(paths) - needed))


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
    try:
        with engine.connect() as connection:
            return set(connection.exec_driver_sql("SELECT path FROM price_files").scalars()) & set(paths)
    finally:
        engine.dispose()


def _left_by_killed_writers(prices: PriceAddress, database: Database, old: Mapping[str, float]) -> set[str]:
    """Return those of some files, with the time of each, that no row names because their writer was killed.

    Only while no other database was ever registered. Files from before the registration may belong to one that is not.
    """
    users = registered_databases(prices)
    if [(entry.path, entry.is_elsewhere) for entry in users] != [(_resolved(database), False)]:
        return set()
    since = users[0].since.timestamp()
    return {path for path, at in old.items() if since < at < math.inf}


def _resolved(database: Database) -> Database:
    """Return a database by a name that each of its users has for it: a server without what only we need to reach it."""
    return database.shared if isinstance(database, PostgresServer) else Path(os.path.realpath(database))


def _url_of(database: Database, machine: str) -> str:
    return database.url if isinstance(database, PostgresServer) else f"file://{machine}{quote(str(database))}"


def _registered(user: StoreUser) -> Registered:
    if user.url.startswith(POSTGRES_PREFIXES):
        return Registered(PostgresServer(user.url), user.since)
    parts = urlsplit(user.url)
    return Registered(Path(unquote(parts.path)), user.since, parts.netloc)
