"""Retention: once a day, remove what the settings no longer keep. No setting makes a replay impossible.

A replay needs the newest price file of a ticker, which has every bar as it was ever recorded, the checkpoints of cold starts and
priors, and the rows of runs that forecasts refer to. None of them is ever removed. Not here: price files, which are removed at
the end of a run (storage.price_cleanup), and the checkpoints of a chain that grows (jobs.runs.record).
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from tickercast.jobs.errors import LockHeld
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import UPKEEP_WAIT_SECONDS, open_for_writing
from tickercast.storage import writes
from tickercast.storage.database import Engine

EVERY = timedelta(days=1)
RETRY = timedelta(minutes=10)
DONE_FILE = "retention-done"  # in the cache, with the instant at which it was last done
COPY_NAME = r"\.\d{4}\.(\d{8}T\d{6})\.backup"


def retain_when_due(home: Home, now: datetime) -> datetime:
    """Remove what is no longer kept, unless that was done within a day, and return when it is due next."""
    due = next_retention(home, now)
    if now < due:
        return due
    try:
        with open_for_writing(home.folder, command="daemon", wait_seconds=UPKEEP_WAIT_SECONDS) as (locked, engine):
            removed = retain(locked, engine, now)
    except LockHeld:
        return now + RETRY
    if removed:
        log_event("info", "retention", removed=", ".join(removed))
    return now + EVERY


def next_retention(home: Home, now: datetime) -> datetime:
    """Return when retention is due: a day after it was last done; now where that is unknown or lies ahead of the clock."""
    with suppress(OSError, ValueError):
        done = datetime.fromisoformat((home.cache / DONE_FILE).read_text())
        if done <= now:
            return done + EVERY
    return now


def retain(home: Home, engine: Engine, now: datetime) -> list[str]:
    """Remove what the settings no longer keep, with the writer lock held, and return what that was."""
    kept = home.settings.retention
    before = now - timedelta(days=kept.runs_days)
    with engine.begin() as connection:
        removed = {
            "checkpoint": writes.prune_checkpoints(connection, None, kept.checkpoints),
            "ticker outcome": writes.remove_run_tickers(connection, before),
            "run without forecasts": writes.remove_unused_runs(connection, before),
            "notice": writes.remove_ended_notices(connection, now - timedelta(days=kept.notices_days)),
        }
    removed["upgrade backup"] = _remove_old_copies(home)
    home.cache.mkdir(exist_ok=True)
    (home.cache / DONE_FILE).write_text(now.astimezone(UTC).isoformat())
    return [counted(count, noun) for noun, count in removed.items() if count]


def _remove_old_copies(home: Home) -> int:
    """Remove the oldest copies that upgrades made of the database, and return how many."""
    database = home.place.database_file
    if database is None:
        return 0
    pattern = re.compile(re.escape(database.name) + COPY_NAME)
    found = [(match[1], path) for path in database.parent.iterdir() if (match := pattern.fullmatch(path.name))]
    old = sorted(found, reverse=True)[home.settings.retention.upgrade_copies :]
    for _, path in old:
        path.unlink()
    return len(old)
