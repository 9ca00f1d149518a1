"""Tickers as stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.queries.shared import is_among
from tickercast.storage.schema import Model, Origin, PriceFile, Symbol, Ticker

_TICKERS = sa.select(
    Ticker.id,
    Ticker.symbol,
    Ticker.key,
    Ticker.exchange,
    Ticker.time_zone,
    Ticker.source,
    Ticker.source_path,
    Ticker.adjustment,
    Ticker.price_basis,
    Ticker.tracked,
    Ticker.status,
    Ticker.currency,
    Ticker.failures,
    Ticker.probe_at,
    Ticker.kind,
)


@dataclass(frozen=True, slots=True)
class TickerRow:
    """A stored ticker. price_basis: None before its first bar; probe_at: next retry while it is suspended.

    adjustment: empty where no source was named and no bar is stored, and in rows of earlier versions.
    kind: of security, None until it is told.
    """

    id: int
    symbol: str
    key: str
    exchange: str
    time_zone: str
    source: str
    source_path: str
    adjustment: str
    price_basis: str | None
    tracked: bool
    status: str
    currency: str
    failures: int
    probe_at: datetime | None
    kind: str | None

    @property
    def is_bound(self) -> bool:
        """Return whether a bar is stored, so that the source can no longer be another one."""
        return self.price_basis is not None


def list_tickers(connection: Connection) -> list[TickerRow]:
    """Return all tickers by symbol."""
    return [_ticker(row) for row in connection.execute(_TICKERS.order_by(Ticker.symbol))]


@dataclass(frozen=True, slots=True)
class FetchState:
    """What a ticker's place among those to fetch follows from. last_bar: None without bars. has_failed: the last time."""

    key: str
    exchange: str
    added_at: datetime
    last_bar: date | None
    has_failed: bool


def fetch_states(connection: Connection) -> dict[str, FetchState]:
    """Return what the order of fetching follows from, by symbol."""
    is_current = sa.and_(PriceFile.ticker_id == Ticker.id, PriceFile.superseded_at.is_(None))
    columns = (Ticker.symbol, Ticker.key, Ticker.exchange, Ticker.added_at, PriceFile.last_session, Ticker.last_error)
    rows = connection.execute(sa.select(*columns).outerjoin(PriceFile, is_current))
    return {row[0]: FetchState(*row[1:5], has_failed=row[5] is not None) for row in rows}


def ticker_by_symbol(connection: Connection, symbol: str) -> TickerRow | None:
    """Return the ticker whose current symbol this is, None when there is none."""
    row = connection.execute(_TICKERS.where(Ticker.symbol == symbol)).first()
    return _ticker(row) if row else None


def tickers_by_symbol(connection: Connection, symbols: Collection[str]) -> dict[str, TickerRow]:
    """Return the tickers whose current symbols these are, by symbol. A symbol without a ticker is left out."""
    return {row.symbol: _ticker(row) for row in connection.execute(_TICKERS.where(is_among(Ticker.symbol, symbols)))}


def older_symbols(connection: Connection, ticker_id: int) -> tuple[str, ...]:
    """Return the symbols that a ticker had before and that no ticker has now, newest first."""
    taken = sa.select(Ticker.symbol)
    query = sa.select(Symbol.symbol).where(Symbol.ticker_id == ticker_id, Symbol.symbol.not_in(taken))
    return tuple(dict.fromkeys(connection.scalars(query.order_by(Symbol.valid_from.desc()))))


def has_forecasts(connection: Connection, ticker_id: int) -> bool:
    """Return whether a ticker has a forecast or a model, which the record keeps."""
    found = sa.select(Origin.id).where(Origin.ticker_id == ticker_id).limit(1)
    trained = sa.select(Model.ticker_id).where(Model.ticker_id == ticker_id).limit(1)
    return connection.execute(found).first() is not None or connection.execute(trained).first() is not None


def bar_count(connection: Connection, ticker_id: int) -> int:
    """Return the number of records in a ticker's current price file."""
    query = sa.select(PriceFile.rows).where(PriceFile.ticker_id == ticker_id, PriceFile.superseded_at.is_(None))
    return int(connection.scalar(query) or 0)


def free_key(connection: Connection, symbol: str) -> str:
    """Return the key of a new ticker: its symbol, with the next number where an earlier ticker began under the same symbol."""
    same = (Ticker.key == symbol) | Ticker.key.startswith(f"{symbol}#", autoescape=True)
    keys = connection.scalars(sa.select(Ticker.key).where(same)).all()
    numbers = [int(key.rpartition("#")[2]) if "#" in key else 1 for key in keys]
    return f"{symbol}#{max(numbers) + 1}" if numbers else symbol


def rescore_from(connection: Connection, ticker_id: int) -> date | None:
    """Return the first session of a ticker whose bar changed since its scores were last revised, None without any."""
    return connection.execute(sa.select(Ticker.rescore_from).where(Ticker.id == ticker_id)).scalar_one()


def owed_revisions(connection: Connection) -> set[int]:
    """Return the ids of the tickers whose scores may need a revision."""
    return set(connection.scalars(sa.select(Ticker.id).where(Ticker.rescore_from.is_not(None))))


def _ticker(row: sa.Row[*tuple[Any, ...]]) -> TickerRow:
    return TickerRow(**{**row._mapping, "tracked": bool(row.tracked)})
