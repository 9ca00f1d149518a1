"""A ticker's status, and when a suspended ticker is fetched again. No I/O.

active      its newest closed session is stored, or its source is not live
quiet       the source has not delivered the newest session yet, for fewer than ten sessions
held        bars newer than the stored ones are quarantined
suspended   unknown to the source three times in a row, or ten sessions behind; retried after 1, 2, 4, 8, 16, 30, 30, ... days
too_short   too few bars for a forecast; a run sets it
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

UNKNOWN_TIMES = 3
SILENT_SESSIONS = 10
MOST_RETRY_DAYS = 30


@dataclass(frozen=True, slots=True)
class TickerStatus:
    """A ticker's status, how many fetches in a row found it unknown or behind, and when a suspended one is fetched again."""

    status: str
    failures: int
    probe_at: datetime | None


def status_after_answer(
    *, is_live: bool, sessions_behind: int, has_quarantine: bool, before: str, failures: int, now: datetime
) -> TickerStatus:
    """Return a ticker's status after its source delivered bars.

    sessions_behind: closed sessions newer than its newest bar; only a live source should have them. before: its last status.
    """
    if has_quarantine:
        return TickerStatus("held", 0, None)
    if not is_live or not sessions_behind:
        return TickerStatus("active", 0, None)
    if sessions_behind < SILENT_SESSIONS:
        return TickerStatus("quiet", 0, None)
    return _suspended(failures + 1 if before == "suspended" else 1, now)


def status_after_unknown(*, sessions_behind: int, before: str, failures: int, now: datetime) -> TickerStatus:
    """Return a ticker's status after its source reported that it has no such ticker, or no bar of it."""
    if before == "suspended":
        return _suspended(failures + 1, now)
    if failures + 1 < UNKNOWN_TIMES and sessions_behind < SILENT_SESSIONS:
        return TickerStatus("quiet", failures + 1, None)
    return _suspended(1, now)


def is_fetched(status: str, probe_at: datetime | None, now: datetime) -> bool:
    """Return whether the daily run fetches a ticker now: always, unless it is suspended and its retry is later."""
    return status != "suspended" or probe_at is None or now >= probe_at


def _suspended(failures: int, now: datetime) -> TickerStatus:
    return TickerStatus("suspended", failures, now + timedelta(days=min(2 ** (failures - 1), MOST_RETRY_DAYS)))
