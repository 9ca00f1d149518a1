"""Tickers as stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import Symbol, Ticker

_TICKERS = sa.select(
    Ticker.id,
    Ticker.symbol,
    Ticker.key,
    Ticker.exchange,
    Ticker.source,
    Ticker.source_path,
    Ticker.adjustment,
    Ticker.price_basis,
    Ticker.tracked,
    Ticker.status,
    Ticker.currency,
    Ticker.failures,
    Ticker.probe_at,
)


@dataclass(frozen=True, slots=True)
class TickerRow:
    """A stored ticker. price_basis: None before its first bar; probe_at: next retry while it is suspended.

    adjustment: empty where no source was named and no bar is stored, and in rows of earlier versions.
    """

    id: int
    symbol: str
    key: str
    exchange: str
    source: str
    source_path: str
    adjustment: str
    price_basis: str | None
    tracked: bool
    status: str
    currency: str
    failures: int
    probe_at: datetime | None

    @property
    def is_bound(self) -> bool:
        """Return whether a bar is stored, so that the source can no longer be another one."""
        return self.price_basis is not None


def list_tickers(connection: Connection) -> list[TickerRow]:
    """Return all tickers by symbol."""
    return [_ticker(row) for row in connection.execute(_TICKERS.order_by(Ticker.symbol))]


def ticker_by_symbol(connection: Connection, symbol: str) -> TickerRow | None:
    """Return the ticker whose current symbol this is, None when there is none."""
    row = connection.execute(_TICKERS.where(Ticker.symbol == symbol)).first()
    return _ticker(row) if row else None


def older_symbols(connection: Connection, ticker_id: int) -> tuple[str, ...]:
    """Return the symbols that a ticker had before and that no ticker has now, newest first."""
    taken = sa.select(Ticker.symbol)
    query = sa.select(Symbol.symbol).where(Symbol.ticker_id == ticker_id, Symbol.symbol.not_in(taken))
    return tuple(dict.fromkeys(connection.scalars(query.order_by(Symbol.valid_from.desc()))))


def _ticker(row: sa.Row[*tuple[Any, ...]]) -> TickerRow:
    return TickerRow(**{**row._mapping, "tracked": bool(row.tracked)})
