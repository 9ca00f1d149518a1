"""The daemon: looks every minute whether a daily cycle may be due, and has a process of its own for each cycle.

The trigger counts minutes in UTC, so no clock change can lose or double it. Each look reads from the database which closed
sessions still have no forecasts, so a missed, late or double look is harmless. The daemon itself imports neither NumPy nor
pandas nor calendars, and so it idles in little memory.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from queue import Empty
from types import FrameType
from typing import NoReturn

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from tickercast.jobs import clock
from tickercast.jobs.errors import LockHeld
from tickercast.jobs.monitoring.monitor import monitored, write_metrics
from tickercast.jobs.runs.child import ChildDied, LookControl, look_in_child, reread
from tickercast.jobs.runs.interrupts import END_SECONDS, ended_in_time
from tickercast.jobs.runs.service_manager import ServiceManager
from tickercast.jobs.runs.watch import CHECK_EVERY_SECONDS, Watch
from tickercast.jobs.terminal.log_file import LogFile
from tickercast.jobs.terminal.logs import LogTarget, log_event, start_logging
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import daemon_lock, lock_taken
from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import StorageError
from tickercast.storage.versions import check_revision

KEEP_SECONDS = 5.0  # from one look at the lock on a server to the next: for so long another daemon may take it after an outage
LOCK = "lock"
DROP_CHILD_SECONDS = END_SECONDS - 0.5  # the child has dropped its work by then, unless it hangs


def serve(home: Home, target: LogTarget) -> None:
    """Run until SIGTERM or SIGINT, then end within five seconds. Raises LockHeld when another daemon runs, or took the lock
    while the record's server was away.

    A cycle under way ends after its unit of work, or drops it where that takes longer; a second signal ends it at once.
    """
    watch = Watch(home.folder, home.database, target)
    with stopped_by_signals(watch):
        with daemon_lock(home.folder, home.database) as renew:
            check_revision(home.database)
            lock = DaemonLock(renew)
            _look_until_stopped(home, watch, lock)
        write_metrics(home.place)  # which say that no daemon runs
    if lock.taken_by:
        raise LockHeld(lock_taken("daemon", home.database, lock.taken_by, "this daemon has ended, and that one goes on"))


class DaemonLock:
    """The daemon's lock where the record is on a server. taken_by: who has it since an outage, "" while it is held."""

    def __init__(self, renew: Callable[[], str | None]) -> None:
        self.renew, self.taken_by = renew, ""

    def keep(self, watch: Watch) -> None:
        """Take the lock again where an outage took it, or stop this daemon where another has it.

        While the server is away nobody has it.
        """
        with suppress(StorageError):  # the look and the heart-beat say so
            self.taken_by = self.renew() or ""
        if self.taken_by:
            watch.stop.set()


def _look_until_stopped(home: Home, watch: Watch, lock: DaemonLock) -> None:
    manager = ServiceManager.of_environment(os.environ)
    watch.beat("idle")
    scheduler = _scheduler(watch.check)
    if isinstance(home.database, PostgresServer):
        scheduler.add_executor(ThreadPoolExecutor(1), LOCK)  # of its own, so that a cycle does not delay it
        scheduler.add_job(partial(lock.keep, watch), IntervalTrigger(seconds=KEEP_SECONDS, timezone=UTC), executor=LOCK)
    scheduler.start()
    log_event("info", "daemon started", home=home.folder, pid=os.getpid())
    manager.tell("READY=1")
    try:
        with monitored(home.place):
            second = clock.now()
            while not is_stopped_after_wait(watch):
                second = _after_set_back(scheduler, second, clock.now())
                if watch.hung_up:
                    manager.tell_reloading()
                    _read_settings_again(watch, scheduler)
                    manager.tell("READY=1")
                manager.tell_status(watch.doing())
                if watch.makes_progress():
                    manager.tell_alive()
    finally:
        manager.tell("STOPPING=1")
        scheduler.shutdown(wait=True)
        watch.beat("stopped")
        log_event("info", "daemon stopped")


def _read_settings_again(watch: Watch, scheduler: BackgroundScheduler) -> None:
    """Read the settings, log whether they are valid, and look whether they make a cycle due."""
    watch.hung_up = False
    try:
        found = look_in_child(
            partial(reread, watch.settings), watch.folder, watch.database, watch.target, LookControl(watch.stop)
        )
    except (ChildDied, OSError) as error:
        log_event("error", "settings not read", error=str(error))
        return
    if found is not None:
        watch.settings = watch.settings if found.settings is None else found.settings
        watch.tell_refused(found)
        if not found.failed:
            _log_to(found.log_file, watch)
    watch.look_at = None
    for job in scheduler.get_jobs():
        job.modify(next_run_time=clock.now())


def _log_to(file: LogFile | None, watch: Watch) -> None:
    """Send the log lines of the daemon and of its later looks to another file, or to stderr, and say so in the earlier place."""
    if file == watch.target.file:
        return
    log_event("info", "log continues elsewhere", file=file.path if file else "stderr")
    watch.target = replace(watch.target, file=file)
    start_logging(watch.target.format, file)


@contextmanager
def stopped_by_signals(watch: Watch) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the daemon while this lasts, and end it shortly after in any case. SIGHUP reads settings."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if watch.stop.is_set():
            watch.control.at_once.set()
        watch.stop.set()
        watch.signals.put(number)

    def hang_up(number: int, _frame: FrameType | None) -> None:
        watch.hung_up = True
        watch.signals.put(number)

    stopping = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, handle) for number in stopping}
    previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, hang_up)
    try:
        with ended_in_time(stopping, _end_daemon, drop_seconds=DROP_CHILD_SECONDS):
            yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def is_stopped_after_wait(watch: Watch, seconds: float = 1.0) -> bool:
    """Return whether the daemon is to stop, after waiting for a signal for some seconds at most.

    The thread that handles signals never waits for an event: a handler that sets the event in that instant would wait for itself.
    """
    with suppress(Empty):
        watch.signals.get(timeout=seconds)
    return watch.stop.is_set()


def _end_daemon(_number: int) -> NoReturn:
    """End a daemon that goes on too long after a signal. Its child ends with it."""
    log_event("warning", "daemon ended in the middle of its work")
    os._exit(0)


def _scheduler(check: Callable[[], None]) -> BackgroundScheduler:
    """Return a scheduler that checks each minute. Its store is memory: what is due is read from the database."""
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    scheduler.add_job(
        check,
        IntervalTrigger(seconds=CHECK_EVERY_SECONDS, timezone=UTC),
        next_run_time=datetime.now(UTC) + timedelta(milliseconds=100),
        misfire_grace_time=None,
        coalesce=True,
        max_instances=1,
    )
    return scheduler


def _after_set_back(scheduler: BackgroundScheduler, before: datetime, now: datetime) -> datetime:
    """Return an instant a second after another one. A clock that was set back between them makes the job fire at once.

    The scheduler waits for an instant of the clock: without this it would wait as long as the clock was set back.
    """
    if now < before:
        for job in scheduler.get_jobs():
            job.modify(next_run_time=now)
    return now
