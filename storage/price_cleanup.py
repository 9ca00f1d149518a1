"""Which price files nobody needs, and their removal.

A price file goes only when it is old enough, this database named it before, and no registered database needs it now
(storage.price_registry). Where one of them cannot be read, every file stays.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from tickercast.storage import queries
from tickercast.storage.address import Database
from tickercast.storage.database import open_reader
from tickercast.storage.errors import StorageError
from tickercast.storage.price_registry import registered_databases, resolved
from tickercast.storage.price_store import PriceAddress, price_store

KEPT_SUPERSEDED = 2  # files before a ticker's current one that stay for databases of other homes


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
        others = [
            entry.database for entry in registered_databases(prices) if not entry.is_gone and entry.database != resolved(own)
        ]
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
    if [(entry.database, entry.is_elsewhere) for entry in users] != [(resolved(database), False)]:
        return set()
    since = users[0].since.timestamp()
    return {path for path, at in old.items() if since < at < math.inf}
