"""A ticker's life: active, quiet, held, suspended, too short; and when a suspended one is asked for again. No I/O.

active      its newest closed session is stored
quiet       the source answers, and lacks the newest session or more
held        a gate holds bars newer than those that are stored
suspended   unknown to the source three times, or silent for ten sessions; asked for again after 1, 2, 4, ... 30 days
too_short   too few bars for a forecast
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

UNKNOWN_TIMES = 3
SILENT_SESSIONS = 10
MOST_PROBE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Life:
    """A ticker's status, how often in a row its source had nothing new, and before when it need not be asked."""

    status: str
    failures: int
    probe_at: datetime | None


def after_answer(*, live: bool, behind: int, held: bool, failures: int, was: str, now: datetime) -> Life:
    """Return what a ticker is after its source answered. behind: closed sessions newer than its newest bar."""
    if held:
        return Life("held", 0, None)
    if not live or not behind:
        return Life("active", 0, None)
    if behind < SILENT_SESSIONS:
        return Life("quiet", 0, None)
    return _suspended(failures + 1 if was == "suspended" else 1, now)


def after_unknown(*, behind: int, failures: int, was: str, now: datetime) -> Life:
    """Return what a ticker is after its source said that it knows no such ticker, or gave no bar at all."""
    failures += 1
    if was != "suspended" and failures < UNKNOWN_TIMES and behind < SILENT_SESSIONS:
        return Life("quiet", failures, None)
    return _suspended(failures if was == "suspended" else 1, now)


def is_asked_for(status: str, probe_at: datetime | None, now: datetime) -> bool:
    """Return whether the daily run asks for a ticker now."""
    return status != "suspended" or probe_at is None or now >= probe_at


def _suspended(failures: int, now: datetime) -> Life:
    return Life("suspended", failures, now + timedelta(days=min(2 ** (failures - 1), MOST_PROBE_DAYS)))
