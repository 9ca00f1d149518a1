"""Backups by schedule: one file for each span of [backup] every_hours, counted from midnight UTC of 1 January 1970.

What is due follows from the finished files of the folder, so a restart neither skips one nor makes two. The newest files of
this home, known by its path and the id of its database, are kept; whatever else is in the folder stays. A failure is logged and
entered as an event, and is tried again later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tickercast.jobs.errors import JobError, LockHeld, UsageError
from tickercast.jobs.monitoring.backups import backup_name, newest_of, owner_of, proven_backups
from tickercast.jobs.runs.backup import PARTIAL, back_up, refuse_inside, refuse_outside
from tickercast.jobs.runs.due import cycle_is_due
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import try_lock
from tickercast.jobs.workspace.writer import UPKEEP_WAIT_SECONDS, open_for_writing
from tickercast.storage import queries, writes
from tickercast.storage.database import Connection, reading
from tickercast.storage.errors import StorageError, StoreUnwritable
from tickercast.storage.files import make_folder
from tickercast.storage.paths import real_path, user_path

LOCK = ".tickercast-backup.lock"
EVENT = "backup"
RETRY = timedelta(hours=1)
CYCLE_AHEAD = timedelta(minutes=10)  # a cycle that is due so soon goes first ...
PATIENCE = timedelta(hours=2)  # ... for so long


@dataclass(frozen=True, slots=True)
class BackupState:
    """How the backups by schedule are. newest: the instant of the newest one. failed_at, message: of a failure after it."""

    newest: datetime | None
    failed_at: datetime | None
    message: str | None

    def age(self, now: datetime) -> timedelta | None:
        """Return how old the newest backup is, None without one."""
        return None if self.newest is None else now - self.newest


def backup_state(home: Home, connection: Connection, now: datetime) -> BackupState | None:
    """Return how the backups by schedule are; None where the settings want none. Raises UsageError, OSError."""
    if not are_wanted(home):
        return None
    newest = newest_of(owner_of(home.place), _folder(home), now)
    failed_at, message = queries.newest_event(connection, EVENT) or (None, None)
    if failed_at is not None and newest is not None and failed_at < newest:
        failed_at, message = None, None
    return BackupState(newest, failed_at, message)


def back_up_when_due(home: Home, now: datetime) -> datetime | None:
    """Make the backup of the present span unless there is one, and return when the next is due, or when to try again."""
    if not are_wanted(home):
        return None
    begins, ends = _span(home, now)
    try:
        with reading(home.database) as connection:
            state = backup_state(home, connection, now)
        assert state is not None
        if state.newest is not None and state.newest >= begins:
            return ends
        if state.failed_at is not None and state.failed_at <= now < state.failed_at + RETRY:
            return state.failed_at + RETRY
        if now < begins + PATIENCE and cycle_is_due(home, now + CYCLE_AHEAD):
            return now + CYCLE_AHEAD
        start = time.perf_counter()
        told = back_up_to_folder(home, now)
    except LockHeld:
        return now + CYCLE_AHEAD
    except (JobError, StorageError, OSError) as error:
        log_event("error", "backup failed", error=str(error))
        _enter_failure(home, now, str(error))
        return now + RETRY
    log_event("info", "backup made", message=told, seconds=round(time.perf_counter() - start, 1))
    return ends


def back_up_to_folder(home: Home, now: datetime) -> str:
    """Write a backup named by its instant to the folder of the settings, remove what is too much, and return a closing line.

    Raises UsageError where the settings name no usable folder, LockHeld while another backup is made there, and what back_up
    raises.
    """
    refuse_outside(home.place)
    folder = _folder(home)
    try:
        make_folder(folder)
        with try_lock(folder / LOCK) as is_free:
            if not is_free:
                raise LockHeld(f"another backup to {folder} is under way; retry when it ends")
            for left in folder.glob(f"tickercast-*{PARTIAL}*"):  # by a backup that was killed
                left.unlink()
            told = back_up(home, _free_name(folder, now), now=now)
            for path in proven_backups(owner_of(home.place), folder, now)[home.settings.backup.keep :]:
                path.unlink()
    except OSError as error:
        raise StoreUnwritable(f"{error.filename or folder}: {error.strerror}; finished backups stay") from error
    return told


def are_wanted(home: Home) -> bool:
    """Return whether the settings name a folder of backups. A record on a server is backed up by the server's own tools."""
    return bool(home.settings.backup.folder) and home.place.database_file is not None


def _span(home: Home, now: datetime) -> tuple[datetime, datetime]:
    """Return when the present span of the schedule begins and ends."""
    seconds = 3600 * home.settings.backup.every_hours
    begins = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
    return begins, begins + timedelta(seconds=seconds)


def _folder(home: Home) -> Path:
    """Return the folder of the settings. Raises UsageError for one in the home, which a restore would put aside with it."""
    if not home.settings.backup.folder:
        raise UsageError("backup.folder names no folder; name a FILE, or set it")
    folder = real_path(home.folder / user_path(home.settings.backup.folder))
    refuse_inside(home.folder, folder, "backup.folder")
    return folder


def _free_name(folder: Path, now: datetime) -> Path:
    """Return the name of a backup of this second, or of the first one after it that has none: another home's stays."""
    while (path := folder / backup_name(now)).exists():
        now += timedelta(seconds=1)
    return path


def _enter_failure(home: Home, now: datetime, message: str) -> None:
    """Enter a failure as an event, so that the next look waits and a user is told."""
    try:
        with (
            open_for_writing(home.folder, command="daemon", wait_seconds=UPKEEP_WAIT_SECONDS) as (_, engine),
            engine.begin() as connection,
        ):
            writes.record_event(connection, EVENT, message, at=now)
    except (JobError, StorageError, OSError) as error:
        log_event("error", "failure not entered", error=str(error))
