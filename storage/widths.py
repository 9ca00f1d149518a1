"""How wide a ticker's forecasts usually are: the measure for whether its newest ones are wide or narrow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tickercast.storage.connection import Reader

YEAR_SESSIONS = 252
EVERY_SESSIONS = 5  # widths hardly differ within a week, and a fifth of the rows is read in a fifth of the time
FEWEST_WIDTHS = 10
MANY_TICKERS = 40  # from so many on, reading whole sessions costs less than reading the sessions of each ticker
SESSIONS = f"""SELECT session FROM sessions WHERE exchange = ? AND session <= ?
ORDER BY session DESC LIMIT {YEAR_SESSIONS}"""
EXCHANGES = "SELECT symbol, id, exchange FROM tickers"
WIDTHS = """SELECT o.ticker_id, 100.0 * (f.q95 - f.q05) / o.last_price FROM origins o JOIN forecasts f ON f.origin_id = o.id
WHERE o.config_id = ? AND f.horizon = ? AND o.origin IN ({sessions})"""
OF_TICKERS = " AND o.ticker_id IN ({tickers})"

Newest = tuple[str, str, str, int]


def usual_widths(connection: Reader, newest: Iterable[Newest]) -> dict[tuple[str, int], float]:
    """Return the median width in percent of the year before, by ticker and horizon; none for a ticker with too few forecasts.

    newest: ticker, config, newest origin and horizon of each. The year is every fifth session of the 252 up to the origin.
    """
    tickers = {symbol: (key, exchange) for symbol, key, exchange in connection.execute(EXCHANGES)}
    groups: dict[tuple[str, str, str, int], dict[int, str]] = defaultdict(dict)
    for ticker, config, origin, horizon in newest:
        key, exchange = tickers[ticker]
        groups[exchange, origin, config, horizon][key] = ticker

    usual: dict[tuple[str, int], float] = {}
    for (exchange, origin, config, horizon), symbols in groups.items():
        sessions = [row[0] for row in connection.execute(SESSIONS, (exchange, origin)).fetchall()[::EVERY_SESSIONS]]
        for key, widths in _widths(connection, config, horizon, sessions, list(symbols)).items():
            if len(widths) >= FEWEST_WIDTHS:
                usual[symbols[key], horizon] = sorted(widths)[len(widths) // 2]
    return usual


def _widths(connection: Reader, config: str, horizon: int, sessions: list[str], tickers: list[int]) -> dict[int, list[float]]:
    """Return the widths at some sessions by the number of the ticker, of some tickers."""
    query = WIDTHS.format(sessions=", ".join("?" * len(sessions)))
    values = [config, horizon, *sessions]
    if len(tickers) < MANY_TICKERS:
        query += OF_TICKERS.format(tickers=", ".join("?" * len(tickers)))
        values += tickers
    found: dict[int, list[float]] = {key: [] for key in tickers}
    for key, width in connection.execute(query, values):
        if key in found:
            found[key].append(width)
    return found
