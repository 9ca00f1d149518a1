"""What each look of the daemon does besides its cycle: the steps of STEPS, in the daemon's child, after the cycle.

A step gets the home and the present instant. It does what is due, with the writer lock where it writes to the database, and
returns when it is due next, None when it need not be before the next look. A look comes at that minute, and at the latest after
six hours. A step that fails is logged and stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from tickercast.jobs.runs.kept_report import refresh_report_when_due
from tickercast.jobs.runs.notices import tell_when_due
from tickercast.jobs.runs.retention import retain_when_due
from tickercast.jobs.runs.scheduled_backup import back_up_when_due
from tickercast.jobs.terminal.logs import log_event
from tickercast.jobs.workspace.home import Home

Step = Callable[[Home, datetime], datetime | None]
STEPS: dict[str, Step] = {
    "retention": retain_when_due,
    "backup": back_up_when_due,
    "notices": tell_when_due,
    "report": refresh_report_when_due,
}


def keep_up(home: Home, now: datetime, steps: Mapping[str, Step] = STEPS) -> datetime | None:
    """Do every step, and return when the first of them is due next, None when none says so."""
    found = [_do(name, step, home, now) for name, step in steps.items()]
    return min((due for due in found if due is not None), default=None)


def _do(name: str, step: Step, home: Home, now: datetime) -> datetime | None:
    try:
        return step(home, now)
    except Exception as error:  # whatever it is, the daemon and the other steps go on
        log_event("error", "upkeep failed", step=name, error=f"{type(error).__name__}: {error}")
        return None
