"""How wide a ticker's forecasts usually are: the measure for whether its newest ones are wide or narrow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache

YEAR_SESSIONS = 252
EVERY_SESSIONS = 5  # widths hardly differ within a week, and a fifth of the rows is read in a fifth of the time
FEWEST_WIDTHS = 10
SESSIONS = f"""SELECT session FROM sessions WHERE exchange = ? AND session <= ?
ORDER BY session DESC LIMIT {YEAR_SESSIONS}"""
EXCHANGE = "SELECT exchange FROM tickers WHERE symbol = ?"
WIDTHS = """SELECT 100.0 * (f.q95 - f.q05) / o.last_price AS width FROM origins o JOIN forecasts f ON f.origin_id = o.id
WHERE o.ticker_id = (SELECT id FROM tickers WHERE symbol = ?) AND o.config_id = ? AND f.horizon = ? AND o.origin IN ({marks})
ORDER BY width"""


def usual_widths(connection: sqlite3.Connection, newest: Iterable[tuple[str, str, str, int]]) -> dict[tuple[str, int], float]:
    """Return the median width in percent of the year before, by ticker and horizon; none for a ticker with too few forecasts.

    newest: ticker, config, newest origin and horizon of each. The year is every fifth session of the 252 up to the origin.
    """

    @cache
    def sessions(exchange: str, origin: str) -> tuple[str, ...]:
        found = connection.execute(SESSIONS, (exchange, origin)).fetchall()
        return tuple(row[0] for row in found[::EVERY_SESSIONS])

    usual: dict[tuple[str, int], float] = {}
    for ticker, config, origin, horizon in newest:
        exchange = connection.execute(EXCHANGE, (ticker,)).fetchone()[0]
        origins = sessions(exchange, origin)
        query = WIDTHS.format(marks=", ".join("?" * len(origins)))
        widths = [row[0] for row in connection.execute(query, (ticker, config, horizon, *origins))]
        if len(widths) >= FEWEST_WIDTHS:
            usual[ticker, horizon] = widths[len(widths) // 2]
    return usual
