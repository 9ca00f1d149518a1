"""Company events as recorded, and when the sources of context were asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.shared import is_among
from tickercast.storage.schema import CompanyEvent, ContextRequest

EARNINGS = "earnings"


@dataclass(frozen=True, slots=True)
class RequestRow:
    """When a source of context was last asked. failing_since, message: None after a success."""

    asked_at: datetime
    failing_since: datetime | None
    message: str | None


def company_events(connection: Connection, ticker_id: int, known_at: datetime) -> list[tuple[date, datetime]]:
    """Return (date, recorded_at) of a ticker's reports that were recorded by an instant, by date and then by instant."""
    columns = sa.select(CompanyEvent.date, CompanyEvent.recorded_at)
    of_ticker = (CompanyEvent.ticker_id == ticker_id) & (CompanyEvent.kind == EARNINGS)
    query = columns.where(of_ticker, CompanyEvent.recorded_at <= known_at)
    rows = connection.execute(query.order_by(CompanyEvent.date, CompanyEvent.recorded_at))
    return [(row.date, row.recorded_at) for row in rows]


def all_company_events(
    connection: Connection, tickers: Collection[int], known_at: datetime
) -> dict[int, list[tuple[date, datetime]]]:
    """Return what company_events returns of some tickers, by ticker id. One without reports is left out."""
    event = CompanyEvent
    query = sa.select(event.ticker_id, event.date, event.recorded_at).where(
        is_among(event.ticker_id, tickers), event.kind == EARNINGS, event.recorded_at <= known_at
    )
    found: dict[int, list[tuple[date, datetime]]] = {}
    for ticker_id, day, recorded_at in connection.execute(query.order_by(event.ticker_id, event.date, event.recorded_at)):
        found.setdefault(ticker_id, []).append((day, recorded_at))
    return found


def next_reports(connection: Connection, today: date) -> dict[int, date]:
    """Return the nearest day from today on that was ever said of a ticker's next report, by ticker id."""
    nearest = sa.func.min(CompanyEvent.date, type_=CompanyEvent.date.type)
    ahead = (CompanyEvent.kind == EARNINGS) & (CompanyEvent.date >= today)
    rows = connection.execute(sa.select(CompanyEvent.ticker_id, nearest).where(ahead).group_by(CompanyEvent.ticker_id))
    return {row[0]: row[1] for row in rows}


def event_count(connection: Connection, source: str) -> int:
    """Return the number of company events that came from a source."""
    return int(connection.scalar(sa.select(sa.func.count()).where(CompanyEvent.source == source)) or 0)


def context_requests(connection: Connection) -> dict[tuple[str, str], RequestRow]:
    """Return when each source of context was last asked, by subject and kind."""
    table = ContextRequest
    rows = connection.execute(sa.select(table.subject, table.kind, table.asked_at, table.failing_since, table.message))
    return {(row[0], row[1]): RequestRow(*row[2:]) for row in rows}
