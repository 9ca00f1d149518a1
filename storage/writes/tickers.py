"""Write tickers, their symbols, and the sessions of their exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage import digests
from tickercast.storage.bars import Listing
from tickercast.storage.queries import free_key
from tickercast.storage.schema import (
    Bar,
    CompanyEvent,
    ContextRequest,
    Event,
    ExchangeSession,
    GateVerdict,
    PriceFile,
    Restatement,
    RunTicker,
    Symbol,
    Ticker,
)
from tickercast.storage.writes.inserts import Row, insert_mappings


def add_ticker(
    connection: Connection,
    symbol: str,
    listing: Listing,
    *,
    source: str,
    tracked: bool,
    at: datetime,
    source_path: str = "",
    adjustment: str = "",
) -> int:
    """Add a ticker with its first symbol and return its id."""
    row = {
        "symbol": symbol,
        "key": free_key(connection, symbol),
        "exchange": listing.exchange,
        "currency": listing.currency,
        "time_zone": listing.time_zone,
        "source": source,
        "source_path": source_path,
        "adjustment": adjustment,
        "price_basis": listing.price_basis or None,
        "tracked": int(tracked),
        "status": "active",
        "last_error": None,
        "added_at": at,
    }
    key = connection.execute(sa.insert(Ticker).values(**row)).inserted_primary_key
    assert key is not None
    name = {"ticker_id": key[0], "symbol": symbol, "valid_from": date(1, 1, 1), "valid_to": None}
    connection.execute(sa.insert(Symbol), [name])
    digests.add_mappings(connection, Symbol.__tablename__, [name])
    digests.add_mappings(connection, Ticker.__tablename__, [{"id": key[0], **row}])
    return int(key[0])


def update_ticker(connection: Connection, ticker_id: int, **values: Any) -> None:
    """Change columns of a ticker."""
    update_tickers(connection, [{"id": ticker_id, **values}])


def update_tickers(connection: Connection, rows: Sequence[Row]) -> None:
    """Change columns of some tickers. rows: the id of each and its new values, of the same columns in each row."""
    if not rows:
        return
    changed = rows[0].keys() - {"id"}
    before = _digested(connection, [row["id"] for row in rows]) if changed & digests.OF_TICKERS else {}
    statement = sa.update(Ticker).where(Ticker.id == sa.bindparam("of"))
    connection.execute(statement, [{"of": row["id"], **{name: row[name] for name in changed}} for row in rows])
    after = {row["id"]: before[row["id"]] | {name: row[name] for name in changed & digests.OF_TICKERS} for row in rows if before}
    other = [ticker_id for ticker_id, row in after.items() if row != before[ticker_id]]
    if other:
        digests.exchange_mappings(connection, Ticker.__tablename__, *([rows[i] for i in other] for rows in (before, after)))


def _digested(connection: Connection, tickers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return the digested columns of some tickers by id."""
    columns = [Ticker.__table__.c[name] for name in sorted(digests.OF_TICKERS)]
    found = connection.execute(sa.select(*columns).where(Ticker.id.in_(tickers))).mappings()
    return {row["id"]: dict(row) for row in found}


def rescore(connection: Connection, ticker_id: int, session: date) -> None:
    """Note that a stored bar changed: the scores from its session on may need a revision."""
    earlier = Ticker.rescore_from.is_(None) | (Ticker.rescore_from > session)
    connection.execute(sa.update(Ticker).where(Ticker.id == ticker_id, earlier).values(rescore_from=session))


def rename_ticker(connection: Connection, ticker_id: int, symbol: str, *, on: date) -> None:
    """Give a ticker another symbol from a day on; `symbols` keeps the old one with its dates."""
    open_span = (Symbol.ticker_id == ticker_id) & (Symbol.valid_to.is_(None))
    connection.execute(sa.delete(Symbol).where(open_span & (Symbol.valid_from == on)))
    connection.execute(sa.update(Symbol).where(open_span).values(valid_to=on))
    connection.execute(sa.insert(Symbol).values(ticker_id=ticker_id, symbol=symbol, valid_from=on, valid_to=None))
    digests.recount(connection, Symbol.__tablename__)
    update_ticker(connection, ticker_id, symbol=symbol)


def forget_ticker(connection: Connection, ticker_id: int) -> set[str]:
    """Remove a ticker without forecasts and all that is stored of it, and return the paths of its price files."""
    paths = set(connection.scalars(sa.select(PriceFile.path).where(PriceFile.ticker_id == ticker_id)))
    key = sa.select(Ticker.key).where(Ticker.id == ticker_id).scalar_subquery()
    connection.execute(sa.delete(ContextRequest).where(ContextRequest.subject == key))
    for table in (Bar, CompanyEvent, PriceFile, Restatement, GateVerdict, Event, RunTicker, Symbol):
        connection.execute(sa.delete(table).where(table.ticker_id == ticker_id))
    connection.execute(sa.delete(Ticker).where(Ticker.id == ticker_id))
    for changed in (Ticker, CompanyEvent, PriceFile, Restatement, Symbol):
        digests.recount(connection, changed.__tablename__)
    return paths


def store_sessions(connection: Connection, exchange: str, rows: Sequence[Row], *, now: datetime) -> list[date]:
    """Store sessions of an exchange, one row for each of a span, and return the stored future ones that they change or drop.

    Sessions that have closed by an instant stay as they are stored.
    """
    if not rows:
        return []
    table, given = ExchangeSession, {row["session"]: row for row in rows}
    query = sa.select(table.session, table.number, table.open_at, table.close_at).where(
        table.exchange == exchange, table.session >= min(given), table.session <= max(given)
    )
    stored = {row.session: dict(row._mapping) for row in connection.execute(query)}
    same = {day for day, row in stored.items() if row["close_at"] <= now or (day in given and row.items() <= given[day].items())}
    changed = sorted(stored.keys() - same)
    for day in changed:
        connection.execute(sa.delete(table).where(table.exchange == exchange, table.session == day))
    insert_mappings(connection, table, [row for day, row in given.items() if day not in same])
    if changed:
        digests.recount(connection, table.__tablename__)
    return changed
