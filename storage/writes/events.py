"""Write company events, and when the sources of context were asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.events import EARNINGS
from tickercast.storage.schema import CompanyEvent, ContextRequest
from tickercast.storage.writes.inserts import insert_mappings


def add_reports(connection: Connection, ticker_id: int, reports: Iterable[tuple[date, datetime]], *, source: str) -> int:
    """Add (date, recorded_at) of a company's reports, except rows that are stored. Returns how many were added."""
    rows = [
        {"ticker_id": ticker_id, "kind": EARNINGS, "date": day, "recorded_at": recorded_at, "source": source}
        for day, recorded_at in reports
    ]
    return insert_mappings(connection, CompanyEvent, rows)


def note_context_requests(connection: Connection, messages: Mapping[tuple[str, str], str | None], *, at: datetime) -> None:
    """Note that sources of context were asked, and why they failed; None = it answered. A failure keeps its first instant.

    messages: by subject and kind; so many that one statement takes them.
    """
    if not messages:
        return
    is_noted = sa.tuple_(ContextRequest.subject, ContextRequest.kind).in_(list(messages))
    rows = connection.execute(
        sa.select(ContextRequest.subject, ContextRequest.kind, ContextRequest.failing_since).where(is_noted)
    )
    before = {(subject, kind): since for subject, kind, since in rows}
    connection.execute(sa.delete(ContextRequest).where(is_noted))
    noted = [
        {"subject": key[0], "kind": key[1], "asked_at": at, "message": message,
         "failing_since": None if message is None else before.get(key) or at}
        for key, message in messages.items()
    ]  # fmt: skip
    connection.execute(sa.insert(ContextRequest), noted)
