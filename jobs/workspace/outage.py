"""Work that writes outlasts an outage of the record's server, or of the object store of its prices: it waits and begins again.

What was committed is there, so the work that begins again finds its first missing unit, as after a kill. A commit whose answer
was lost is there or it is not, and that is found out in the same way. A file and a folder have no outages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tickercast.jobs.terminal.progress import duration, show_line
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import open_for_writing, refuse_without_prices
from tickercast.storage import queries
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import Engine
from tickercast.storage.errors import DatabaseBusy, ServerUnreachable, StorageError, StoreUnavailable
from tickercast.storage.object_address import ObjectAddress
from tickercast.storage.price_store import price_store

T = TypeVar("T")

PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds, the last one again and again
MOST_SECONDS = 600.0  # of all pauses since something was last committed
LOCK_SECONDS = 60.0  # until the server has freed the lock of the connection that was lost
KEPT = "what is committed stays"
OUTAGES = (ServerUnreachable, DatabaseBusy, StoreUnavailable)


def work_through_outages(
    folder: Path,
    work: Callable[[Home, Engine], T],
    *,
    command: str,
    wait_seconds: float,
    create: str | None = None,
    tell: Callable[[str], None] = show_line,
    stop: threading.Event | None = None,
) -> T:
    """Return what some work on a home returns, which is begun again after each outage of a server of its store.

    work: can be repeated, and then does what is missing. It is given what open_for_writing yields, whose arguments the others
    are. tell: called with one line when an outage begins, and one when it has ended. stop: ends a pause.

    Raises what the work raises. Raises the error of the outage where the server was not there at the beginning, after
    MOST_SECONDS of pauses without progress, and once stop is set.
    """
    outage = Outage(tell, stop or threading.Event())
    while True:
        try:
            with open_for_writing(folder, command=command, wait_seconds=wait_seconds, create=create) as (home, engine):
                if isinstance(home.prices, ObjectAddress):
                    price_store(home.prices).prepare()
                on_server = isinstance(home.database, PostgresServer)
                if on_server or isinstance(home.prices, ObjectAddress):
                    outage.ended(_progress(engine))
                if on_server:
                    refuse_without_prices(home, engine)
                    wait_seconds = max(wait_seconds, LOCK_SECONDS)
                return work(home, engine)
        except OUTAGES as error:
            if not outage.waited(error):
                raise


class Outage:
    """One outage after the other of a server: which pause comes next, and what was told."""

    def __init__(self, tell: Callable[[str], None], stop: threading.Event) -> None:
        self.tell, self.stop = tell, stop
        self.progress: object = None
        self.began: float | None = None
        self.pauses, self.paused = 0, 0.0

    def ended(self, progress: object) -> None:
        """Note that the server takes transactions. progress: what is committed, in a form that changes with each unit of work."""
        if self.began is not None:
            self.tell(f"the server is back after {duration(time.monotonic() - self.began)}; the work resumes")
            self.began = None
        if progress != self.progress:
            self.progress, self.pauses, self.paused = progress, 0, 0.0

    def waited(self, error: StorageError) -> bool:
        """Return whether to begin again, after a pause: not where the server never was there, or is away for too long."""
        if self.progress is None or self.paused >= MOST_SECONDS or self.stop.is_set():
            return False
        if self.began is None:
            self.began = time.monotonic()
            reason = str(error).partition(f"; {KEPT}")[0]
            self.tell(f"{reason}; {KEPT}; waiting for the server, for {duration(MOST_SECONDS)} at most")
        pause = PAUSES[min(self.pauses, len(PAUSES) - 1)]
        self.pauses, self.paused = self.pauses + 1, self.paused + pause
        return not self.stop.wait(pause)


def _progress(engine: Engine) -> object:
    with engine.connect() as connection:
        return queries.newest_numbers(connection)
