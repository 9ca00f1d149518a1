"""Forget a ticker that has no forecasts: its row, bars, files and verdicts, as if it had never been named."""

from __future__ import annotations

from collections.abc import Callable

from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.prices.tickers import stored_ticker
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries, writes
from tickercast.storage.database import Engine
from tickercast.storage.price_cleanup import remove_unneeded
from tickercast.storage.price_registry import register_database


def forget(home: Home, engine: Engine, symbol: str, agree: Callable[[str], bool]) -> str:
    """Remove a ticker that has no forecasts, and return what was done. agree: asked when bars are stored.

    Raises UnknownStoredTicker, and UsageError for a ticker with forecasts and where nobody agreed.
    """
    symbol = parse_symbol(symbol)
    with engine.connect() as connection:
        ticker = stored_ticker(connection, symbol)
        if queries.has_forecasts(connection, ticker.id):
            raise UsageError(
                f"{symbol} has forecasts, and the record keeps them; `tickercast untrack {symbol}` stops following it"
            )
        bars = queries.bar_count(connection, ticker.id)
    stored = counted(bars, "stored bar") if bars else "no stored bar"
    if bars and not agree(f"{symbol} has {stored}. Remove them?"):
        raise UsageError(f"{symbol} has {stored}; nothing was removed; add --yes to remove them")
    register_database(home.prices, home.database)
    with engine.begin() as connection:
        paths = writes.forget_ticker(connection, ticker.id)
    remove_unneeded(home.prices, paths, home.database)
    return f"{symbol} is forgotten; it had {stored} and no forecast"
