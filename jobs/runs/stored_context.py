"""What forecasts read beside a ticker's own bars, as stored: references of exchanges, and reports of companies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime

import numpy as np

from tickercast.jobs.exchanges.references import reference_of
from tickercast.jobs.forecasting.context import Events, Reference
from tickercast.storage import bar_files, queries
from tickercast.storage.bars import as_known
from tickercast.storage.database import Connection, Engine
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_store import PriceAddress


def stored_references(engine: Engine, prices: PriceAddress, exchanges: Iterable[str], known_at: datetime) -> dict[str, Reference]:
    """Return the reference of each exchange whose reference has stored bars, as known at an instant."""
    with engine.connect() as connection:
        found = {exchange: stored_reference(connection, prices, exchange, known_at) for exchange in exchanges}
    return {exchange: reference for exchange, reference in found.items() if reference is not None}


def stored_events(connection: Connection, ticker_id: int, known_at: datetime) -> Events | None:
    """Return a company's reports as recorded by an instant, None without any."""
    rows = queries.company_events(connection, ticker_id, known_at)
    return _events(rows) if rows else None


def all_stored_events(connection: Connection, tickers: Collection[int], known_at: datetime) -> dict[int, Events]:
    """Return what stored_events returns of some companies, by ticker id. One without reports is left out."""
    return {ticker_id: _events(rows) for ticker_id, rows in queries.all_company_events(connection, tickers, known_at).items()}


def _events(rows: Sequence[tuple[date, datetime]]) -> Events:
    instants = [recorded_at.astimezone(UTC).replace(tzinfo=None) for _, recorded_at in rows]
    return Events(np.array([day for day, _ in rows], "datetime64[D]"), np.array(instants, "datetime64[us]"))


def stored_reference(connection: Connection, prices: PriceAddress, exchange: str, known_at: datetime) -> Reference | None:
    """Return the reference of an exchange as known at an instant, None where it has no stored bars."""
    symbol = reference_of(exchange)
    ticker = queries.ticker_by_symbol(connection, symbol) if symbol else None
    file = queries.current_file(connection, ticker.id) if ticker else None
    if file is None:
        return None
    try:
        bars = as_known(bar_files.read_bars(prices, file.path, file.sha256), known_at=known_at)
    except Corrupt:  # update_reference has noted it
        return None
    return Reference(bars.session, bars.close) if len(bars) else None
