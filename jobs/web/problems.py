"""What a visitor is told when a page cannot be shown: one sentence, without a path, a setting or a traceback.

The log line beside it says more, without secrets.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tickercast.jobs.terminal.logs import log_event
from tickercast.storage import errors


@dataclass(frozen=True, slots=True)
class Problem:
    """The status and the words of an error page."""

    status: int
    title: str
    text: str


SAME_SECONDS = 60.0  # in which the same line is not logged again
MOST_TOLD = 100
_told: dict[str, float] = {}

# The first row that fits decides. All of these may pass by themselves, so a server that starts again changes nothing.
STATES: tuple[tuple[type[Exception], str], ...] = (
    (
        errors.DatabaseMissing,
        "There is no database in this home now. It is being made or restored, or `tickercast init` makes one.",
    ),
    (errors.SchemaOlder, "The database has the schema of an older version. `tickercast db upgrade` brings it to this one."),
    (errors.SchemaNewer, "A newer version has upgraded the database. Restart the server with that version."),
    (errors.NotADatabase, "The database file of this home is not a Tickercast database."),
    (errors.Corrupt, "The database is damaged. Restore it from a backup."),
    (errors.DatabaseBusy, "Another program holds the database. Retry in a moment."),
    (errors.StorageError, "The database cannot be read now."),
    (TimeoutError, "The server is busy. Retry in a few seconds."),
    (OSError, "The database cannot be read now."),
)


def problem_of(error: Exception) -> Problem:
    """Return what a visitor is told of an error, and log it."""
    if isinstance(error, errors.UnknownStoredTicker):
        return Problem(404, "Not found", "No ticker of this symbol is stored.")
    told = next((text for kind, text in STATES if isinstance(error, kind)), None)
    if told is not None:
        _log_once("page not shown", str(error) or type(error).__name__)
        return Problem(503, "Not available", told)
    _log_once("page failed", f"{type(error).__name__}: {error}")
    return Problem(500, "Internal error", "This page failed. The log of the server says why.")


def _log_once(event: str, error: str) -> None:
    """Log what kept a page from being shown: visitors who reload it fill no log."""
    now = time.monotonic()
    if now - _told.get(error, -SAME_SECONDS) < SAME_SECONDS:
        return
    if len(_told) > MOST_TOLD:
        _told.clear()
    _told[error] = now
    log_event("warning", event, error=error)
