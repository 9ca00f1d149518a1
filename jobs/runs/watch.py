"""When the daemon looks, and what it remembers between two looks. Each look is a process of its own (child).

Nothing heavy is imported here. Not here: the timer and the signals (daemon), or what a look does (cycle).
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tickercast.jobs import clock
from tickercast.jobs.clock import utc_minute
from tickercast.jobs.runs.child import ChildDied, Look, LookControl, Work, count_death, look, look_in_child
from tickercast.jobs.runs.clock_watch import ClockWatch
from tickercast.jobs.runs.heartbeat import Heartbeat
from tickercast.jobs.runs.retry import retry_wait
from tickercast.jobs.terminal.logs import Level, LogTarget, log_event
from tickercast.jobs.workspace.place import SETTINGS_FILE
from tickercast.storage.address import Database
from tickercast.storage.watch import ticker_states

CHECK_EVERY_SECONDS = 60
LONGEST_STALL_SECONDS = 2.5 * CHECK_EVERY_SECONDS
# A look costs a second, so one now and then is made even when nothing seems to have changed.
LONGEST_PAUSE = timedelta(hours=6)


class Watch:
    """What the daemon remembers between two looks: when to look next, and what it saw of the settings and the tickers.

    hung_up: whether a SIGHUP came. signals: the numbers of signals, which wake the thread that handles them.
    """

    def __init__(self, folder: Path, database: Database, target: LogTarget) -> None:
        self.folder, self.database, self.target = folder, database, target
        self.control = LookControl()
        self.stop, self.hung_up = self.control.stop, False
        self.signals: SimpleQueue[int] = SimpleQueue()
        self.busy_since: datetime | None = None
        self.refused = ""
        self.settings: bytes | None = None
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
        self.control.polled_at = time.monotonic()
        if self.stop.is_set():
            return
        if self.clock.is_right() and self._may_be_due(now):
            self._look_at(now)
        self.beat(self.state)

    def beat(self, state: str) -> None:
        """Write that the daemon lives, with its looks."""
        self.heart.beat(self.database, state, last_look=self.looked_at, next_look=self.look_at, message=self.told)

    def _look_at(self, now: datetime) -> None:
        settings, self.busy_since = self._settings_state(), now
        found = self._look()
        self.busy_since = None
        if found is None:
            return
        self.database = found.database or self.database
        self.settings = self.settings if found.settings is None else found.settings
        self.failures = self.failures + 1 if found.failed else 0
        self.state = "waiting" if found.waits_for else "idle"
        # The states from before what was found: what changes meanwhile makes the next look due.
        self.seen = settings, ticker_states(self.database) if found.tickers is None else found.tickers
        self.looked_at = now
        next_look = self._next_look(found, clock.now())
        self.look_at = min(next_look, found.next_upkeep or next_look)
        if found.refused != self.refused:
            self.tell_refused(found)
        self._tell_next(found)

    def tell_refused(self, found: Look) -> None:
        """Log why the settings file is not valid, or that it is."""
        self.refused = found.refused
        if found.refused:
            kept = "nothing is done until they are valid" if found.failed else "the settings before stay in force"
            log_event("error", "settings refused", error=found.refused, kept=kept)
        else:
            log_event("info", "settings read")

    def doing(self) -> str:
        """Return what the daemon does, in a few words."""
        if self.busy_since is not None:
            return f"at work since {utc_minute(self.busy_since)}"
        return self.told or "started"

    def makes_progress(self) -> bool:
        """Return whether the thread that looks does so: every minute, or while it waits for its process."""
        return time.monotonic() - self.control.polled_at < LONGEST_STALL_SECONDS

    def _may_be_due(self, now: datetime) -> bool:
        """Return whether the next look has come, a setting or a ticker has changed since the last one, or the clock went back."""
        if self.looked_at is None or self.look_at is None:
            return True
        return not self.looked_at <= now < self.look_at or self.seen != self._visible()

    def _visible(self) -> Any:
        """Return what makes a look due when it changes: the settings file and the states of the tickers."""
        return self._settings_state(), ticker_states(self.database)

    def _settings_state(self) -> Any:
        try:
            stat = (self.folder / SETTINGS_FILE).stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _look(self) -> Look | None:
        try:
            return self._in_child(partial(look, self.settings))
        except (ChildDied, OSError) as error:  # OSError: no process could be started
            log_event("error", "cycle failed", error=str(error))
            with suppress(ChildDied, OSError):
                self._in_child(partial(count_death, str(error)))
            return Look(failed=True, database=self.database)

    def _in_child(self, work: Work) -> Look | None:
        return look_in_child(work, self.folder, self.database, self.target, self.control)

    def _next_look(self, found: Look, now: datetime) -> datetime:
        """Return when to look next: at the retry of what failed, in a minute where another process writes, else when due."""
        if found.waits_for:
            return now
        if found.failed:
            return max(found.next_due or now, now + retry_wait(self.failures))
        return min(found.next_due or now + LONGEST_PAUSE, now + LONGEST_PAUSE)

    def _tell_next(self, found: Look) -> None:
        """Log for whom the cycle waits, or until when nothing is due: once, until that changes."""
        level: Level = "warning" if found.waits_for else "info"
        reason = _reason_of(found, self.look_at if found.failed else found.next_due)
        if reason and reason != self.told:
            log_event(level, "cycle waits" if found.waits_for else "cycle skipped", reason=reason)
        self.told = reason or self.told


def _reason_of(found: Look, until: datetime | None) -> str:
    """Return why no cycle is done now, "" when that is unknown."""
    if found.waits_for:
        return found.waits_for
    if found.tracked == 0:
        return "no ticker is tracked"
    return f"nothing due until {utc_minute(until)}" if until else ""
