"""The text of an instant, as the database has it. Without SQLAlchemy: the idle daemon and commands that read use it too."""

from __future__ import annotations

from datetime import UTC, datetime

INSTANT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def instant_text(instant: datetime) -> str:
    """Return the UTC text of an aware instant. Its width is fixed, so that texts sort as instants do."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant}: an instant needs its time zone")
    return instant.astimezone(UTC).strftime(INSTANT_FORMAT).zfill(27)


def instant_from_text(text: str) -> datetime:
    """Return the aware UTC instant of a stored text."""
    return datetime.strptime(text, INSTANT_FORMAT).replace(tzinfo=UTC)
