"""Open a home for writing: folder, lock, schema and engine, in that order. Every engine that writes is made here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tickercast.jobs.errors import UsageError
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.workspace.home import Home, create_home, open_home, require_writable
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.storage import queries
from tickercast.storage.address import Database
from tickercast.storage.damage import damage_reported
from tickercast.storage.database import Engine, check_by, open_writer, seal_by, translated, upgrade_database
from tickercast.storage.versions import is_blank

UPKEEP_WAIT_SECONDS = 5.0  # for another writer, by what the daemon and a run do of themselves


@contextmanager
def open_for_writing(
    folder: Path, *, command: str, wait_seconds: float, create: str | None = None
) -> Iterator[tuple[Home, Engine]]:
    """Yield a home and its writing engine, with the writer lock held.

    create: the preset of a home that is created when it is missing; None = it must exist. Raises UsageError, HomeUnwritable,
    LockHeld, and the errors of storage.database about a missing or other database.
    """
    home = create_home(folder, create) if create else open_home(folder)
    require_writable(home)
    with writer_lock(home.folder, command=command, wait_seconds=wait_seconds, database=home.database):
        if create and is_blank(home.database):
            upgrade_database(home.database)
        engine = writing_engine(home.database)
        try:
            check_by(engine, home.database)
            with translated(home.database), damage_reported(home.database, home.prices):
                seal_by(engine, home.database)
                yield home, engine
        finally:
            engine.dispose()


def writing_engine(database: Database) -> Engine:
    """Return the engine of the one writer, which stores no secret in a message. The caller holds the writer lock."""
    return open_writer(database, clean=hide_secrets)


def refuse_without_prices(home: Home, engine: Engine) -> None:
    """Raise UsageError where a folder has none of the price files of a record on a server: they are in another home."""
    if not isinstance(home.prices, Path):
        return
    with engine.connect() as connection:
        paths = queries.current_paths(connection)
    if paths and not any((home.prices / path).exists() for path in paths):
        raise UsageError(
            f"{home.prices} has no price file of the record on {home.database}: name the folder or bucket that has them as "
            "store.prices, as in the home that made them; `tickercast repair` makes lost ones anew; nothing was changed"
        )
