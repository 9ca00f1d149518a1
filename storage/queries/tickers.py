"""Tickers as stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import Ticker

_TICKERS = sa.select(
    Ticker.id,
    Ticker.symbol,
    Ticker.key,
    Ticker.exchange,
    Ticker.source,
    Ticker.price_basis,
    Ticker.tracked,
    Ticker.status,
    Ticker.currency,
    Ticker.failures,
    Ticker.probe_at,
)


@dataclass(frozen=True, slots=True)
class TickerRow:
    """A stored ticker. price_basis: None before its first bar; probe_at: next retry while it is suspended."""

    id: int
    symbol: str
    key: str
    exchange: str
    source: str
    price_basis: str | None
    tracked: bool
    status: str
    currency: str
    failures: int
    probe_at: datetime | None


def list_tickers(connection: Connection) -> list[TickerRow]:
    """Return all tickers by symbol."""
    return [_ticker(row) for row in connection.execute(_TICKERS.order_by(Ticker.symbol))]


def ticker_by_symbol(connection: Connection, symbol: str) -> TickerRow | None:
    """Return the ticker whose current symbol this is, None when there is none."""
    row = connection.execute(_TICKERS.where(Ticker.symbol == symbol)).first()
    return _ticker(row) if row else None


def _ticker(row: sa.Row[*tuple[Any, ...]]) -> TickerRow:
    return TickerRow(**{**row._mapping, "tracked": bool(row.tracked)})
