"""The present instant, instants as people read them, and instants and dates from the texts of command-line options."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

from tickercast.jobs.errors import UsageError

FIRST_YEAR, LAST_YEAR = 1900, 2200


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def uptime() -> timedelta:
    """Return the time since the machine was started, its sleep included where the system counts it. It never jumps."""
    return timedelta(seconds=time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)))


def utc_minute(instant: datetime) -> str:
    """Return an instant as people read it, to the minute."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def parse_instant(text: str) -> datetime:
    """Return the aware UTC instant of an ISO text; without an offset it is UTC. Raises UsageError for another text or year."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is not an instant; write it like 2026-03-06T22:00:00Z") from error
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise UsageError(f"{text[:40]} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)


def parse_day(text: str | None, option: str) -> date | None:
    """Return the date of an ISO text, None for None. Raises UsageError, which names the option, outside 1900 to 2200."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option}: {text[:40]!r} is not a date; write it like 2026-03-06") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(f"{option}: {text} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return day
