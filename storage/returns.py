"""The newest returns of many tickers at once: a query for each ticker would take a server a way there and back each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tickercast.storage.connection import Reader
from tickercast.storage.many_values import marks_of

# Of each ticker the bars after the one that is too many, which is looked up once. CROSS JOIN has SQLite begin with the tickers.
NEWEST = """WITH n AS MATERIALIZED (
    SELECT t.id, t.symbol, coalesce((SELECT s.session FROM bars s WHERE s.ticker_id = t.id AND s.session <= ?
        ORDER BY s.session DESC LIMIT 1 OFFSET ?), '') AS before FROM tickers t WHERE t.symbol IN ({symbols}))
SELECT n.symbol, b.adjusted_return FROM n CROSS JOIN bars b
WHERE b.ticker_id = n.id AND b.session > n.before AND b.session <= ? ORDER BY n.symbol, b.session DESC"""


def newest_returns(connection: Reader, origins: Iterable[tuple[str, str]], most: int) -> dict[str, list[float | None]]:
    """Return the adjusted returns of each ticker's newest sessions up to its origin, newest first, at most so many.

    origins: ticker and session. A ticker without a bar by then is left out.
    """
    tickers: dict[str, list[str]] = defaultdict(list)
    for ticker, origin in origins:
        tickers[origin].append(ticker)
    found: dict[str, list[float | None]] = defaultdict(list)
    for origin, symbols in tickers.items():
        marks, values = marks_of(symbols)
        for symbol, value in connection.execute(NEWEST.format(symbols=marks), (origin, most, *values, origin)):
            found[symbol].append(value)
    return dict(found)
