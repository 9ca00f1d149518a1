"""What forecasts read beside a ticker's own bars: references of exchanges, and reports of companies. Fetched after all bars.

No fault here stops or fails a run: what is stored serves, and a note says so.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from jobs.exchanges.references import reference_of
from jobs.forecasting.context import Events, Reference
from jobs.prices.events import EventIngest
from jobs.prices.ingest import Ingest
from jobs.prices.references import update_reference
from jobs.runs.fetch import Fetched
from jobs.runs.options import RunOptions
from storage import bar_files, queries
from storage.bars import as_known
from storage.database import Connection, Engine
from storage.errors import Corrupt


class ContextFetcher:
    """Brings the context of a run's tickers up to date and adds it to what was fetched."""

    def __init__(self, engine: Engine, ingest: Ingest, events: EventIngest, options: RunOptions) -> None:
        self.engine, self.ingest, self.events, self.options = engine, ingest, events, options

    def fetch(self, fetched: Fetched, stop: threading.Event) -> None:
        """Add the exchanges' references, and each ticker's company events."""
        if self.options.config.preset == "density":
            self._update_references(fetched, stop)
            fetched.notes.extend(self.events.update([backlog.symbol for backlog in fetched.backlogs], stop))
        exchanges = {backlog.exchange for backlog in fetched.backlogs if backlog.due}
        fetched.references.update(stored_references(self.engine, self.ingest.prices, exchanges, self.options.now))
        with self.engine.connect() as connection:
            for index, backlog in enumerate(fetched.backlogs):
                events = stored_events(connection, backlog.ticker_id, self.options.now)
                fetched.backlogs[index] = replace(backlog, events=events)

    def _update_references(self, fetched: Fetched, stop: threading.Event) -> None:
        readers = {backlog.symbol: backlog.exchange for backlog in fetched.backlogs if backlog.due}
        with self.engine.connect() as connection:
            tickers = [ticker for ticker in queries.list_tickers(connection) if ticker.symbol in readers]
        for exchange in sorted(set(readers.values())):
            symbol = reference_of(exchange)
            if symbol is None or symbol in readers or stop.is_set():  # a reference that is followed was fetched with the others
                continue
            note = update_reference(self.ingest, symbol, [t for t in tickers if readers[t.symbol] == exchange])
            fetched.notes.extend([note] if note else [])


def stored_references(engine: Engine, prices: Path, exchanges: Iterable[str], known_at: datetime) -> dict[str, Reference]:
    """Return the reference of each exchange whose reference has stored bars, as known at an instant."""
    with engine.connect() as connection:
        found = {exchange: _reference(connection, prices, exchange, known_at) for exchange in exchanges}
    return {exchange: reference for exchange, reference in found.items() if reference is not None}


def stored_events(connection: Connection, ticker_id: int, known_at: datetime) -> Events | None:
    """Return a company's reports as recorded by an instant, None without any."""
    rows = queries.company_events(connection, ticker_id, known_at)
    if not rows:
        return None
    instants = [recorded_at.astimezone(UTC).replace(tzinfo=None) for _, recorded_at in rows]
    return Events(np.array([day for day, _ in rows], "datetime64[D]"), np.array(instants, "datetime64[us]"))


def _reference(connection: Connection, prices: Path, exchange: str, known_at: datetime) -> Reference | None:
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
