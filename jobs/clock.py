"""Instants: the wall clock behind a function that callers pass in, and the reading of --now and of dates."""

from __future__ import annotations

from datetime import UTC, date, datetime

from jobs.errors import UsageError


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """Return an aware UTC instant from ISO text; a text without an offset is UTC. Raises UsageError."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no instant; write 2026-03-06T22:00:00Z") from error
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)


def parse_day(text: str | None, option: str) -> date | None:
    """Return a date from ISO text, None for None. Raises UsageError naming the option."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option}: {text[:40]!r} is no date; write it as 2026-03-06") from error
    if not 1900 <= day.year <= 2200:
        raise UsageError(f"{option}: {text} is outside 1900..2200")
    return day
