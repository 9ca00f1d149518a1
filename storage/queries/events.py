"""Company events as recorded."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import CompanyEvent

EARNINGS = "earnings"


def company_events(connection: Connection, ticker_id: int, known_at: datetime) -> list[tuple[date, datetime]]:
    """Return (date, recorded_at) of a ticker's reports that were recorded by an instant, by date and then by instant."""
    columns = sa.select(CompanyEvent.date, CompanyEvent.recorded_at)
    of_ticker = (CompanyEvent.ticker_id == ticker_id) & (CompanyEvent.kind == EARNINGS)
    query = columns.where(of_ticker, CompanyEvent.recorded_at <= known_at)
    rows = connection.execute(query.order_by(CompanyEvent.date, CompanyEvent.recorded_at))
    return [(row.date, row.recorded_at) for row in rows]
