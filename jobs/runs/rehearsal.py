"""Rehearse a daily cycle as at any instant, in a copy of the home that is removed afterwards. The home itself stays as it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tickercast.jobs.errors import JobError, UsageError
from tickercast.jobs.runs.daily import run_cycle
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.place import DATABASE_FILE
from tickercast.jobs.workspace.temporary import temporary_folder
from tickercast.jobs.workspace.writer import writing_engine
from tickercast.storage import queries
from tickercast.storage.copies import copy_database
from tickercast.storage.database import reading, translated
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_store import price_store, read_ahead
from tickercast.storage.reader import Rows
from tickercast.storage.versions import check_revision


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a cycle would do for each ticker, its closing line, and the error that it would end with."""

    outcome: Rows
    message: str
    error: JobError | None


def rehearse(home: Home, now: datetime, *, workers: int | None = None, force_cold: bool = False) -> Rehearsal:
    """Return what a daily cycle at an instant would do. Needs no lock: a daemon may run.

    Bars of sessions that have not closed yet count as closed at a later instant. Raises UsageError when no ticker is tracked,
    and StorageError when the home cannot be read.
    """
    with temporary_folder("rehearsal") as folder:
        copy = copy_home(home, folder / "home")
        error = None
        engine = writing_engine(copy.database)
        try:
            with translated(copy.database):
                message = run_cycle(copy, engine, now, workers=workers, force_cold=force_cold)
        except JobError as failure:
            message, error = str(failure), failure
        finally:
            engine.dispose()
        with reading(copy.database) as connection:
            run_id = queries.newest_run_at(connection, now)
            if run_id is None:  # the cycle could not begin
                raise error or UsageError(message)
            return Rehearsal(queries.run_outcome(connection, run_id), message, error)


def copy_home(home: Home, folder: Path) -> Home:
    """Return a copy of a home in a new folder: its database, the price files in use, and its settings as read now."""
    database = home.place.database_file
    if database is None:
        raise UsageError("a rehearsal works on a copy of a SQLite file, and store.url names a server; nothing was done")
    folder.mkdir()
    copy = Home(folder, home.settings.with_usual_store())
    copy_database(database, folder / DATABASE_FILE)
    check_revision(copy.database)
    theirs, ours = price_store(home.prices), price_store(copy.prices)
    ours.prepare()
    with reading(copy.database) as connection:
        paths = queries.current_paths(connection)
    for path in read_ahead(home.prices, paths, str):
        with suppress(Corrupt):  # a missing file is the failure of its ticker, here as there
            ours.write(path, theirs.read(path))
    return copy
