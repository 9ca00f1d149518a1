"""What lives on of a daemon over the sessions: `python -m tests.torture.years_parent HOME SESSIONS`, in a home that was made.

Its watch runs in simulated time, with a real process for each look, which only says that nothing is due. Prints samples as JSON:
sessions, resident KB, open files, threads. What a look itself needs ends with its process.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from tests.torture.years_resources import resources
from tickercast.jobs import clock
from tickercast.jobs.runs.child import Look
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget, start_logging

BEGIN = datetime(2027, 1, 4, 22, tzinfo=UTC)
IDLE_CHECKS = 6  # of a session
SAMPLED_SESSIONS = 10


def nothing_due(_folder: Path, database: Path | None, _stop: Event) -> Look:
    """Return what a look returns that finds nothing to do. Called in the child."""
    return Look(tracked=1, database=database)


class Parent(Watch):
    """The daemon's memory between looks, whose looks are brief."""

    def _look(self) -> Look | None:
        return self._in_child(nothing_due)


def main() -> None:
    """Live through the sessions, one a day."""
    folder, sessions = Path(sys.argv[1]), int(sys.argv[2])
    lived = timedelta(0)
    setattr(clock, "now", lambda: BEGIN + lived)  # noqa: B010
    setattr(clock, "uptime", lambda: lived)  # noqa: B010
    start_logging("json")
    parent = Parent(folder, folder / "tickercast.db", LogTarget("json"))
    samples = []
    for session in range(sessions):
        for check in range(IDLE_CHECKS):
            lived = timedelta(days=session, minutes=check)
            parent.check()
        if session % SAMPLED_SESSIONS == 0:
            samples.append((session, *resources()))
    sys.stdout.write(json.dumps(samples))


if __name__ == "__main__":
    main()
