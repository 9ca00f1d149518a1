"""Read what a home's users were told about, and what they were not told yet. sqlite3 alone, as for storage.monitoring.

Not here: what is worth a notice (jobs.monitoring.conditions), or writing one (storage.writes.notices).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

UNFINISHED = """
SELECT kind, subject, began_at, message, told_at, ended_at, end_told_at FROM notices
WHERE ended_at IS NULL OR told_at IS NULL OR end_told_at IS NULL ORDER BY kind, subject, began_at
"""
EVENT = "notice"  # an event of this kind says that a message was not delivered
CURRENT_FILE = "SELECT path, sha256 FROM price_files WHERE ticker_id = ? AND superseded_at IS NULL"
NEWEST_FAILURE = "SELECT max(at) FROM events WHERE kind = ?"


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice. told_at, end_told_at: None until the beginning and the end were delivered. ended_at: None while it lasts."""

    kind: str
    subject: str
    began_at: datetime
    message: str
    told_at: datetime | None = None
    ended_at: datetime | None = None
    end_told_at: datetime | None = None


def unfinished_notices(connection: sqlite3.Connection) -> list[NoticeRow]:
    """Return the notices that last, and those of whose beginning or end nobody was told."""
    return [
        NoticeRow(kind, subject, datetime.fromisoformat(began), message, _instant(told), _instant(ended), _instant(end_told))
        for kind, subject, began, message, told, ended, end_told in connection.execute(UNFINISHED)
    ]


def newest_failed_delivery(connection: sqlite3.Connection) -> datetime | None:
    """Return when a message was last not delivered, None where that never was."""
    return _instant(connection.execute(NEWEST_FAILURE, (EVENT,)).fetchone()[0])


def current_price_file(connection: sqlite3.Connection, ticker_id: int) -> tuple[str, str] | None:
    """Return the path, in the folder of the prices, and the hash of a ticker's price file, None where it has none."""
    row = connection.execute(CURRENT_FILE, (ticker_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
