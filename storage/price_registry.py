"""Which databases use a store of price files, which several homes may share: each that writes there is registered in the store.

Not here: which files nobody needs (storage.price_cleanup).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from urllib.parse import quote, unquote, urlsplit

from tickercast.storage.address import POSTGRES_PREFIXES, Database, PostgresServer
from tickercast.storage.errors import StorageError
from tickercast.storage.price_store import PriceAddress, StoreUser, price_store


@dataclass(frozen=True, slots=True)
class Registered:
    """A database that uses a store, and since when. host: the machine of its path, "" = this one."""

    database: Database
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
            raise StorageError(f"{self.database} is on {self.host}")
        return isinstance(self.database, Path) and not self.database.exists()


def register_database(prices: PriceAddress, database: Database) -> None:
    """Register a database as a user of a store, once."""
    store = price_store(prices)
    url = _url_of(resolved(database), store.machine)
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


def resolved(database: Database) -> Database:
    """Return a database by a name that each of its users has for it: a server without what only we need to reach it."""
    return database.shared if isinstance(database, PostgresServer) else Path(os.path.realpath(database))


def _url_of(database: Database, machine: str) -> str:
    return database.url if isinstance(database, PostgresServer) else f"file://{machine}{quote(str(database))}"


def _registered(user: StoreUser) -> Registered:
    if user.url.startswith(POSTGRES_PREFIXES):
        return Registered(PostgresServer(user.url), user.since)
    parts = urlsplit(user.url)
    return Registered(Path(unquote(parts.path)), user.since, parts.netloc)
