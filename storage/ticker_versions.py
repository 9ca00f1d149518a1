"""Which state a ticker's rows of a view are in: a hash that changes with each of these rows, found without reading them.

It is made of the digests that every insert keeps (storage.digests), of the number of scores, which are only ever added, and of
what the views join to them. So a second export reads only the tickers that have something new. sqlite3 alone.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tickercast.storage.connection import Reader
from tickercast.storage.views import View

# The sources of each view with many rows of a ticker. Other views are compared as a whole.
SOURCES: dict[str, tuple[str, ...]] = {
    "forecast_history": ("origins",),
    "outcome": ("origins", "scores", "price_files"),
    "scored_forecast": ("origins", "scores"),
    "loss_curve": ("models",),
    "model_lineage": ("models",),
    "bar": ("price_files",),
}
OF_NO_TICKER = 0  # as in digests: rows such as a prior's
DIGESTS = "SELECT ticker_id, table_name, config_id, rows, sha256 FROM digests ORDER BY 1, 2, 3"
SCORES = """SELECT o.ticker_id, count(*), sum(s.revision) FROM scores s JOIN origins o ON o.id = s.origin_id
GROUP BY o.ticker_id"""
TICKERS = "SELECT id, symbol, currency, price_basis FROM tickers ORDER BY symbol"
SHARED = "SELECT id, preset, field FROM configs ORDER BY id"
REVISION = "SELECT version_num FROM alembic_version"


@dataclass(frozen=True, slots=True)
class TickerVersions:
    """The versions of all tickers as one transaction sees them. symbols: of each stored ticker; None = rows of no ticker."""

    symbols: tuple[str | None, ...]
    _shared: str
    _parts: dict[str | None, dict[str, str]]

    def version(self, view: View, symbol: str | None) -> str:
        """Return the hash of a ticker's rows of a view in SOURCES, 64 hexadecimal digits."""
        parts = self._parts[symbol]
        columns = [(column.name, column.kind) for column in view.columns]
        content = (self._shared, columns, view.create_statement, parts["ticker"], [parts[name] for name in SOURCES[view.name]])
        return hashlib.sha256(repr(content).encode()).hexdigest()


def ticker_versions(connection: Reader) -> TickerVersions:
    """Return the versions of all tickers, and of the rows that belong to none."""
    tickers: list[tuple[Any, ...]] = [*connection.execute(TICKERS), (OF_NO_TICKER, None)]
    digests: dict[tuple[int, str], list[Any]] = defaultdict(list)
    for ticker_id, table, *values in connection.execute(DIGESTS):
        digests[ticker_id, table].append(values)
    scores = {ticker_id: counts for ticker_id, *counts in connection.execute(SCORES)}
    tables = {name for names in SOURCES.values() for name in names} - {"scores"}
    parts = {
        symbol: {
            "ticker": repr((ticker_id, symbol, *rest)),
            "scores": repr(scores.get(ticker_id)),
            **{table: repr(digests[ticker_id, table]) for table in tables},
        }
        for ticker_id, symbol, *rest in tickers
    }
    shared = repr([connection.execute(query).fetchall() for query in (REVISION, SHARED)])
    return TickerVersions(tuple(parts), shared, parts)
