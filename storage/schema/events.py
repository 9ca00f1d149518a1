"""Company events with the instants at which they were recorded, and when the sources of context were last asked."""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import WITHOUT_ROWID, Base, TickerKey, one_of


class CompanyEvent(Base):
    """The date of a company's report, as a source gave it at some instant. Rows are added and never changed.

    A report that moves is another row with a later recorded_at. source: yahoo or file.
    """

    __tablename__ = "company_events"
    ticker_id: Mapped[TickerKey]
    kind: Mapped[str] = mapped_column(primary_key=True)
    date: Mapped[datetime.date] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime.datetime] = mapped_column(primary_key=True)
    source: Mapped[str]
    __table_args__ = (one_of("kind", "earnings"), one_of("source", "yahoo", "file"), WITHOUT_ROWID)


class ContextRequest(Base):
    """When a source of context was last asked, so that a restart does not ask again, and since when it fails.

    subject: the key of a ticker, or the symbol of a reference. kind: calendar (the next report), history (past reports) or
    reference (bars of a volatility index). failing_since, message: NULL after a success.
    """

    __tablename__ = "context_requests"
    subject: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime.datetime]
    failing_since: Mapped[datetime.datetime | None]
    message: Mapped[str | None]
    __table_args__ = (
        one_of("kind", "calendar", "history", "reference"),
        sa.CheckConstraint("(failing_since IS NULL) = (message IS NULL)", name="failure"),
        WITHOUT_ROWID,
    )
