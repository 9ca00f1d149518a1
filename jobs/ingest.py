"""Take a ticker's prices from its source into the store: cut, merged, written, and named in the database.

Only closed sessions of the ticker's own exchange are let in. Called by cycle before it walks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from jobs.calendars import exchange_calendar
from jobs.ledger import RunLedger
from jobs.sources.base import BadSourceData, Fetch, Source, SourceError
from storage import bar_files, queries, writes
from storage.bars import BarHistory, Bars, Merge, Refusal, merge_bars
from storage.errors import TickerSourceFixed

# Fetched again before the last stored bar, to see what the source changed since.
OVERLAP = timedelta(days=15)
KEPT_SUPERSEDED = 2
COLLECT_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Ingested:
    """A ticker with its stored bars after a fetch, or why there is nothing to go on with."""

    ticker: queries.TickerRow | None
    history: BarHistory | None
    error: SourceError | None = None


@dataclass(frozen=True, slots=True)
class Ingest:
    """Where prices go, from where, and by when they must be known."""

    engine: Engine
    prices: Path
    source: Source
    now: datetime
    after_close_minutes: int
    ledger: RunLedger

    def refuse_other_source(self, symbols: Sequence[str]) -> None:
        """Raise TickerSourceFixed, before anything is fetched, when a stored ticker comes from another source."""
        with self.engine.connect() as connection:
            for symbol in symbols:
                ticker = queries.ticker_by_symbol(connection, symbol)
                if ticker and ticker.source != self.source.kind:
                    raise TickerSourceFixed(
                        f"{symbol} comes from source {ticker.source} for life; it was not fetched from "
                        f"{self.source.kind}; store the other prices under another symbol or in another home"
                    )

    def take(self, symbol: str) -> Ingested:
        """Return a ticker with its merged history. A failed fetch keeps what is stored, and says why."""
        with self.engine.connect() as connection:
            ticker = queries.ticker_by_symbol(connection, symbol)
            current = queries.current_file(connection, ticker.id) if ticker else None
        try:
            start = current.last_session - OVERLAP if current else None
            return self._store(symbol, ticker, current, self.source.fetch(symbol, start))
        except SourceError as error:
            told = error
            if current is not None:
                told = type(error)(f"{error}; stored bars end {current.last_session} and stay")
            if ticker is not None:
                with self.engine.begin() as connection:
                    writes.update_ticker(connection, ticker.id, last_error=str(told)[:500])
            return Ingested(ticker, None, told)

    def _store(
        self, symbol: str, ticker: queries.TickerRow | None, current: queries.CurrentFile | None, fetch: Fetch
    ) -> Ingested:
        listing = fetch.listing
        if ticker and ticker.price_basis and ticker.price_basis != listing.price_basis:
            raise BadSourceData(f"{symbol}: stored prices are {ticker.price_basis}, these are {listing.price_basis}")
        bars, cut = self._closed(listing.exchange, fetch.bars)
        stored = bar_files.read_bars(self.prices, current.path, current.sha256) if current else None
        if not len(bars) and stored is None:
            raise BadSourceData(f"{symbol}: no bar of a closed session; {len(fetch.refused) + len(cut)} rows were refused")
        merge = merge_bars(stored, listing, bars, recorded_at=self.now, source=self.source.kind)
        ticker = self._commit(symbol, ticker, merge, (*fetch.refused, *cut))
        return Ingested(ticker, merge.history)

    def _commit(
        self, symbol: str, ticker: queries.TickerRow | None, merge: Merge, refused: Sequence[Refusal]
    ) -> queries.TickerRow:
        listing = merge.history.listing
        file = bar_files.write_bars(self.prices, merge.history) if merge.changed else None
        with self.engine.begin() as connection:
            if ticker is None:
                writes.add_ticker(connection, symbol, listing, source=self.source.kind, tracked=False, at=self.now)
                ticker = queries.ticker_by_symbol(connection, symbol)
                assert ticker is not None
            values = {"currency": listing.currency, "price_basis": listing.price_basis, "exchange": listing.exchange}
            status = "active" if ticker.status == "too_short" else ticker.status
            writes.update_ticker(connection, ticker.id, **values, status=status, last_error=None)
            if file is not None:
                writes.record_price_file(
                    connection, ticker.id, file, merge.restated, price_basis=listing.price_basis, at=self.now
                )
                self._note_refused(connection, ticker.id, refused)
            kept = queries.kept_files(connection, ticker.id, KEPT_SUPERSEDED)
        if file is not None:
            bar_files.collect_old_files(self.prices, listing.ticker, kept, datetime.now().astimezone() - COLLECT_AFTER)
        return ticker

    def _note_refused(self, connection: queries.Connection, ticker_id: int, refused: Sequence[Refusal]) -> None:
        """Record refused rows: each of a few, else one line a reason."""
        for reason, count in Counter(r.reason for r in refused).items():
            days = [r.session for r in refused if r.reason == reason]
            shown = ", ".join(str(day) for day in days[:5]) + (", ..." if count > 5 else "")
            writes.record_event(
                connection,
                "bars refused",
                f"{count} refused: {reason} ({shown})",
                at=self.now,
                run_id=self.ledger.run_id,
                ticker_id=ticker_id,
                session=days[0],
            )

    def _closed(self, exchange: str, bars: Bars) -> tuple[Bars, list[Refusal]]:
        """Return the bars of sessions that have closed, and those refused: of days that are no session."""
        calendar = exchange_calendar(exchange)
        last: date | None = calendar.last_closed_session(self.now, self.after_close_minutes)
        bars = bars.through(last) if last else bars.rows(slice(0, 0))
        sessions = calendar.are_sessions(bars.session)
        outside = [Refusal(day, f"not a session of {exchange}") for day in bars.session[~sessions].tolist()]
        return bars.rows(np.asarray(sessions)), outside
