"""Write company events, and when the sources of context were asked."""

from __future__ import annotations

from collections.abc import Iterable
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


def note_context_request(connection: Connection, subject: str, kind: str, *, at: datetime, message: str | None) -> None:
    """Note that a source of context was asked, and why it failed; None = it answered. A failure keeps its first instant."""
    key = (ContextRequest.subject == subject) & (ContextRequest.kind == kind)
    before = connection.execute(sa.select(ContextRequest.failing_since).where(key)).scalar_one_or_none()
    connection.execute(sa.delete(ContextRequest).where(key))
    since = (before or at) if message is not None else None
    connection.execute(
        sa.insert(ContextRequest).values(subject=subject, kind=kind, asked_at=at, failing_since=since, message=message)
    )
