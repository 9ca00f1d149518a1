"""Whether the machine's clock can be trusted: it has to move on like the time since the machine was started.

Nothing heavy is imported here: the idle daemon reads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tickercast.jobs import clock
from tickercast.jobs.terminal.logs import log_event

# A clock that is set by less, or drifts by less between two checks, has not jumped. A session counts as closed much later.
TOLERANCE = timedelta(minutes=5)
# A wrong clock is usually set right within minutes. One that stays is taken for right: it may have been wrong before.
BELIEVED_AFTER = timedelta(hours=1)


class ClockWatch:
    """What the daemon knows of the clock. started: the instant when the machine started by a clock that is trusted."""

    def __init__(self) -> None:
        self.started = clock.now() - clock.uptime()
        self.doubted: datetime | None = None
        self.doubted_from = timedelta(0)

    def is_right(self) -> bool:
        """Return whether the clock has not jumped since the last call, or has stayed where it jumped to for an hour."""
        uptime = clock.uptime()
        started = clock.now() - uptime
        if abs(started - self.started) <= TOLERANCE:
            self._trust(started)
        elif self.doubted is None or abs(started - self.doubted) > TOLERANCE:
            self._doubt(started, uptime)
        elif uptime - self.doubted_from >= BELIEVED_AFTER:
            self._trust(started)
        return self.doubted is None

    def _trust(self, started: datetime) -> None:
        if self.doubted is not None:
            log_event("info", "clock trusted", now=clock.now().isoformat())
        self.started, self.doubted = started, None

    def _doubt(self, started: datetime, uptime: timedelta) -> None:
        self.doubted, self.doubted_from = started, uptime
        log_event(
            "warning",
            "clock jumped",
            by_seconds=round((started - self.started).total_seconds()),
            now=clock.now().isoformat(),
            until="it is right, or an hour",
        )
