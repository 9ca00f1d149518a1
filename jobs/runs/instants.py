"""Instants that a run may not have: one after the clock, one before the last run, or a record that is ahead of the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from tickercast.jobs import clock
from tickercast.jobs.errors import RecordAhead, UsageError
from tickercast.storage import queries
from tickercast.storage.database import Connection

# A clock that a time server sets back by less has not jumped.
TOLERANCE = timedelta(minutes=5)


def refuse_instant(connection: Connection, now: datetime) -> None:
    """Raise UsageError for the instant of `run --now` when it is after the clock or before the last run."""
    if now > clock.now():
        raise UsageError(f"--now {now:%Y-%m-%dT%H:%M:%SZ} is in the future; nothing was done; `--rehearse` takes any instant")
    last = queries.last_run_started(connection)
    if last is not None and now < last:
        raise UsageError(f"--now {now.isoformat()} is before the last run, {last.isoformat()}; nothing was done")


def refuse_record_ahead(connection: Connection) -> None:
    """Raise RecordAhead when the record has a row of an instant after the clock: one of the two is wrong."""
    what, newest = queries.newest_instant(connection)
    now = clock.now()
    if newest is not None and newest > now + TOLERANCE:
        raise RecordAhead(
            f"{what} {newest:%Y-%m-%dT%H:%M:%SZ} is later than the clock, {now:%Y-%m-%dT%H:%M:%SZ}; nothing was done; set the "
            "clock, or go on from a copy of the home made before; docs/forecasts.md has the ways out"
        )
