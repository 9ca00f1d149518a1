"""The daemon: runs the daily cycle on schedule until it is stopped.

The trigger counts minutes in UTC, so no clock change can lose or double it. Each time it fires, the database decides which
closed sessions still have no forecasts, so a missed, late or double fire is harmless.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from jobs import clock
from jobs.errors import JobError, LockHeld
from jobs.runs.daily import cycle_is_due, run_once
from jobs.terminal.logs import log_line
from jobs.workspace.home import Home
from jobs.workspace.locks import daemon_lock
from jobs.workspace.writer import open_for_writing
from storage.database import check_revision
from storage.errors import StorageError

CHECK_EVERY_SECONDS = 60
WRITER_WAIT_SECONDS = 30.0
logger = logging.getLogger("tickercast.daemon")


def serve(home: Home) -> None:
    """Run until SIGTERM or SIGINT. A cycle under way then ends after its unit of work. Raises LockHeld for a second daemon."""
    with daemon_lock(home.folder):
        check_revision(home.database)
        stop = threading.Event()
        previous = {number: signal.signal(number, _stopper(stop)) for number in (signal.SIGTERM, signal.SIGINT)}
        scheduler = _scheduler(home, stop)
        scheduler.start()
        log_line(logger, "daemon started", home=home.folder)
        try:
            while not stop.wait(timeout=1.0):
                pass
        finally:
            scheduler.shutdown(wait=True)
            for number, handler in previous.items():
                signal.signal(number, handler)
            log_line(logger, "daemon stopped")


def _scheduler(home: Home, stop: threading.Event) -> BackgroundScheduler:
    """Return a scheduler with the one job. Its job store is memory, because what is due is read from the database."""
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    scheduler.add_job(
        lambda: _check(home, stop),
        IntervalTrigger(seconds=CHECK_EVERY_SECONDS, timezone=UTC),
        next_run_time=datetime.now(UTC) + timedelta(milliseconds=100),
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
    )
    return scheduler


def _check(home: Home, stop: threading.Event) -> None:
    """Do a cycle when one is due. A failure is logged and a later check retries."""
    try:
        if not cycle_is_due(home, clock.now()):
            return
        with open_for_writing(home.folder, command="daemon", wait_seconds=WRITER_WAIT_SECONDS) as (opened, engine):
            message = run_once(opened, engine, kind="daemon", stop=stop)
        log_line(logger, "cycle", message=message)
    except LockHeld as error:
        log_line(logger, "cycle waits", reason=error)
    except (JobError, StorageError, OSError) as error:
        log_line(logger, "cycle failed", error=error)


def _stopper(stop: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    return handle
