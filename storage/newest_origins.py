"""Which origins of a ticker are its newest, looked up before their forecasts are read.

A view finds a ticker by its symbol, and so PostgreSQL knows no order of the ticker's origins: it reads all of them and sorts, or
goes through the origins of all tickers. By the ticker's number it finds the newest in the index.
"""

from __future__ import annotations

from tickercast.storage.connection import Reader

OF_TICKER = "SELECT o.origin FROM origins o WHERE o.ticker_id = (SELECT t.id FROM tickers t WHERE t.symbol = ?)"
# Of the config of another table c.
NEWEST_ORIGIN = f"{OF_TICKER} AND o.config_id = c.id ORDER BY o.origin DESC LIMIT 1"
NTH_NEWEST = f"{OF_TICKER} AND o.config_id = ? ORDER BY o.origin DESC LIMIT 1 OFFSET ?"


def first_of_newest(connection: Reader, ticker: str, config: str, most: int) -> str:
    """Return the first of a ticker's newest origins under a config, which are at most so many; "" where it has no more."""
    row = connection.execute(NTH_NEWEST, (ticker, config, most - 1)).fetchone()
    return str(row[0]) if row else ""
