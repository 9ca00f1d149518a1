"""The daemon's heart-beat: a row of the database that says what it does and when it last said so.

It is written with the writer lock held, so never beside another writer, and left out while one holds it. In a cycle the process
of the cycle writes it (record.CycleHeart). Not here: messages to a service manager, or who reads it.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from pathlib import Path

from tickercast.jobs import clock
from tickercast.jobs.errors import JobError, LockHeld
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.terminal.secrets import hide_secrets
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.storage.address import Database
from tickercast.storage.errors import StorageError
from tickercast.storage.heartbeat import write_beat
from tickercast.storage.monitoring import DaemonRow

STOPPED_WAIT_SECONDS = 0.3  # for another writer, at the daemon's end


class Heartbeat:
    """Writes the row of one daemon. started: when the daemon did. is_silent: whether the last beat could not be written."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.started = folder, clock.now()
        self.is_silent = False

    def beat(
        self, database: Database, state: str, *, last_look: datetime | None, next_look: datetime | None, message: str | None
    ) -> None:
        """Write that the daemon lives and is in a state. A failure is one log line until it works again, and nothing else."""
        told = None if message is None else hide_secrets(message)
        row = DaemonRow(os.getpid(), self.started, clock.now(), state, last_look, next_look, told)
        wait_seconds = STOPPED_WAIT_SECONDS if state == "stopped" else 0
        try:
            with writer_lock(self.folder, command="daemon", wait_seconds=wait_seconds, database=database):
                write_beat(database, row)
        except LockHeld:
            return
        except (JobError, StorageError, sqlite3.Error, OSError) as error:
            if not self.is_silent:
                log_event("warning", "heart-beat not written", error=str(error))
            self.is_silent = True
        else:
            self.is_silent = False
