"""The daemon: looks every minute whether a daily cycle may be due, and has a process of its own for each cycle.

The trigger counts minutes in UTC, so no clock change can lose or double it. Each look reads from the database which closed
sessions still have no forecasts, so a missed, late or double look is harmless. The daemon itself imports neither NumPy nor
pandas nor calendars, and so it idles in little memory.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from jobs import clock
from jobs.monitoring.monitor import monitored, write_metrics
from jobs.runs.child import ChildDied, Look, Work, count_death, look, look_in_child
from jobs.runs.clock_watch import ClockWatch
from jobs.runs.heartbeat import Heartbeat
from jobs.runs.interrupts import END_SECONDS, ended_in_time
from jobs.runs.retry import retry_wait
from jobs.terminal.logs import Level, LogTarget, log_event
from jobs.workspace.home import Home
from jobs.workspace.locks import daemon_lock
from jobs.workspace.place import SETTINGS_FILE
from storage.versions import check_revision
from storage.watch import ticker_states

CHECK_EVERY_SECONDS = 60
DROP_CHILD_SECONDS = END_SECONDS - 0.5  # the child has dropped its work by then, unless it hangs
# A look costs a second, so one now and then is made even when nothing seems to have changed.
LONGEST_PAUSE = timedelta(hours=6)


def serve(home: Home, target: LogTarget) -> None:
    """Run until SIGTERM or SIGINT, then end within five seconds. Raises LockHeld for a second daemon.

    A cycle under way ends after its unit of work, or drops it where that takes longer; a second signal ends it at once.
    """
    watch = Watch(home.folder, home.database, target)
    with stopped_by_signals(watch):
        with daemon_lock(home.folder):
            check_revision(home.database)
            _look_until_stopped(home, watch)
        write_metrics(home.place)  # which say that no daemon runs


def _look_until_stopped(home: Home, watch: Watch) -> None:
    watch.beat("idle")
    scheduler = _scheduler(watch)
    scheduler.start()
    log_event("info", "daemon started", home=home.folder, pid=os.getpid())
    try:
        with monitored(home.place):
            second = clock.now()
            while not watch.stop.wait(timeout=1.0):
                second = _after_set_back(scheduler, second, clock.now())
    finally:
        scheduler.shutdown(wait=True)
        watch.beat("stopped")
        log_event("info", "daemon stopped")


@contextmanager
def stopped_by_signals(watch: Watch) -> Iterator[None]:
    """Let SIGTERM and SIGINT stop the daemon while this lasts, and end it in any case shortly after."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if watch.stop.is_set():
            watch.stop_at_once.set()
        watch.stop.set()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with ended_in_time(tuple(previous), _end_daemon, drop_seconds=DROP_CHILD_SECONDS):
            yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end_daemon(_number: int) -> NoReturn:
    """End a daemon that goes on too long after a signal. Its child ends with it."""
    log_event("warning", "daemon ended in the middle of its work")
    os._exit(0)


class Watch:
    """What the daemon remembers between two looks: when to look next, and what it saw of the settings and the tickers."""

    def __init__(self, folder: Path, database: Path, target: LogTarget) -> None:
        self.folder, self.database, self.target = folder, database, target
        self.stop, self.stop_at_once = threading.Event(), threading.Event()
        self.looked_at: datetime | None = None
        self.look_at: datetime | None = None
        self.seen: Any = None
        self.failures = 0
        self.told: str | None = None
        self.state = "idle"
        self.clock = ClockWatch()
        self.heart = Heartbeat(folder)

    def check(self) -> None:
        """Look for a due cycle in a child process, unless it is certain that none is due or the clock may be wrong."""
        now = clock.now()
        if self.stop.is_set():
            return
        if self.clock.is_right() and self._may_be_due(now):
            self._look_at(now)
        self.beat(self.state)

    def beat(self, state: str) -> None:
        """Write that the daemon lives, with its looks."""
        self.heart.beat(self.database, state, last_look=self.looked_at, next_look=self.look_at, message=self.told)

    def _look_at(self, now: datetime) -> None:
        found = self._look()
        if found is None:
            return
        self.database = found.database or self.database
        self.failures = self.failures + 1 if found.failed else 0
        self.state = "waiting" if found.waits_for else "idle"
        self.seen, self.looked_at = self._visible(), now
        next_look = self._next_look(found, clock.now())
        self.look_at = min(next_look, found.next_upkeep or next_look)
        self._tell_next(found)

    def _may_be_due(self, now: datetime) -> bool:
        """Return whether the next look has come, a setting or a ticker has changed since the last one, or the clock went back."""
        if self.looked_at is None or self.look_at is None:
            return True
        return not self.looked_at <= now < self.look_at or self.seen != self._visible()

    def _visible(self) -> Any:
        """Return what makes a look due when it changes: the settings file and the states of the tickers."""
        try:
            stat = (self.folder / SETTINGS_FILE).stat()
            settings = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            settings = None
        return settings, ticker_states(self.database)

    def _look(self) -> Look | None:
        try:
            return self._in_child(look)
        except (ChildDied, OSError) as error:  # OSError: no process could be started
            log_event("error", "cycle failed", error=str(error))
            with suppress(ChildDied, OSError):
                self._in_child(partial(count_death, str(error)))
            return Look(failed=True, database=self.database)

    def _in_child(self, work: Work) -> Look | None:
        return look_in_child(work, self.folder, self.database, self.target, self.stop, self.stop_at_once)

    def _next_look(self, found: Look, now: datetime) -> datetime:
        """Return when to look next: at the retry of what failed, in a minute where another process writes, else when due."""
        if found.waits_for:
            return now
        if found.failed:
            return max(found.next_due or now, now + retry_wait(self.failures))
        return min(found.next_due or now + LONGEST_PAUSE, now + LONGEST_PAUSE)

    def _tell_next(self, found: Look) -> None:
        """Log for whom the cycle waits, or until when nothing is due: once, until that changes."""
        until = self.look_at if found.failed else found.next_due
        level: Level = "info"
        event = "cycle skipped"
        if found.waits_for:
            level, event, reason = "warning", "cycle waits", found.waits_for
        elif found.tracked == 0:
            reason = "no ticker is tracked"
        elif until is not None:
            reason = f"nothing due until {until.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        else:
            return
        if reason != self.told:
            log_event(level, event, reason=reason)
        self.told = reason


def _scheduler(watch: Watch) -> BackgroundScheduler:
    """Return a scheduler with the one job. Its job store is memory, because what is due is read from the database."""
    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone=UTC)
    scheduler.add_job(
        watch.check,
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
