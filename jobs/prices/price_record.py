"""What ingest reads from the record before a fetch, and the one transaction that it writes afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from jobs.exchanges.calendars import exchange_calendar
from jobs.prices.ticker_status import TickerStatus, status_after_answer, status_after_unknown
from jobs.prices.verdicts import QUARANTINED, REFUSED, Verdict, bars_of_verdicts, verdict_row
from storage import bar_files, queries, writes
from storage.bars import BarHistory, Bars, Merge, as_known
from storage.database import Connection, Engine

KEPT_SUPERSEDED = 2
COLLECT_AFTER = timedelta(hours=24)
LONGEST_ERROR = 500


@dataclass(frozen=True, slots=True)
class StoredPrices:
    """What is stored of a ticker before a fetch. dismissed: bars that were refused for good."""

    symbol: str
    ticker: queries.TickerRow | None = None
    file: queries.CurrentFile | None = None
    history: BarHistory | None = None
    quarantined_from: date | None = None
    dismissed: Bars | None = None

    @property
    def bars(self) -> Bars | None:
        """Return the stored bars, the newest record of each session."""
        return as_known(self.history) if self.history else None


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """Reads and writes one run's prices. prices: the folder of the price files. source, is_live: of the run's source."""

    engine: Engine
    prices: Path
    source: str
    is_live: bool
    now: datetime
    after_close_minutes: int
    run_id: int

    def read(self, symbol: str) -> StoredPrices:
        """Return what is stored of a ticker. Raises Corrupt for a damaged price file."""
        with self.engine.connect() as connection:
            ticker = queries.ticker_by_symbol(connection, symbol)
            if ticker is None:
                return StoredPrices(symbol)
            file = queries.current_file(connection, ticker.id)
            quarantined = queries.verdicts(connection, ticker.id, QUARANTINED)
            refused = [row for row in queries.verdicts(connection, ticker.id, REFUSED) if row["close"] is not None]
        history = bar_files.read_bars(self.prices, file.path, file.sha256) if file else None
        quarantined_from = min((row["session"] for row in quarantined), default=None)
        return StoredPrices(symbol, ticker, file, history, quarantined_from, bars_of_verdicts(refused) if refused else None)

    def judged_sessions(self, stored: StoredPrices) -> set[date]:
        """Return the sessions of a ticker that already have a verdict."""
        if stored.ticker is None:
            return set()
        with self.engine.connect() as connection:
            return queries.judged_sessions(connection, stored.ticker.id)

    def write(self, stored: StoredPrices, merge: Merge, verdicts: Sequence[Verdict]) -> queries.TickerRow:
        """Write a fetched history, its verdicts and the ticker's status, and return the ticker.

        The price file comes first; the transaction whose row names it is the commit. Old files are deleted last.
        """
        listing = merge.history.listing
        file = bar_files.write_bars(self.prices, merge.history) if merge.changed else None
        with self.engine.begin() as connection:
            ticker = stored.ticker or self._new_ticker(connection, stored.symbol, merge)
            if file is not None:
                writes.record_price_file(
                    connection, ticker.id, file, merge.restated, price_basis=listing.price_basis, at=self.now
                )
                self._note_restated(connection, ticker.id, merge)
            writes.record_verdicts(connection, ticker.id, [verdict_row(v) for v in verdicts], at=self.now)
            self._close_corrected(connection, ticker.id, merge, verdicts)
            status = self._status_after_answer(connection, ticker, merge.history)
            writes.update_ticker(
                connection, ticker.id, currency=listing.currency, price_basis=listing.price_basis,
                exchange=listing.exchange, time_zone=listing.time_zone, last_error=None, status=status.status,
                failures=status.failures, probe_at=status.probe_at,
            )  # fmt: skip
            self._note_status_change(connection, ticker, status)
            kept = queries.kept_files(connection, ticker.id, KEPT_SUPERSEDED)
        if file is not None:
            bar_files.collect_old_files(self.prices, listing.ticker, kept, datetime.now().astimezone() - COLLECT_AFTER)
        return replace(ticker, exchange=listing.exchange, status=status.status)

    def write_error(self, ticker: queries.TickerRow, message: str) -> None:
        """Store why a ticker's fetch failed."""
        with self.engine.begin() as connection:
            writes.update_ticker(connection, ticker.id, last_error=message[:LONGEST_ERROR])

    def write_unknown(self, stored: StoredPrices, ticker: queries.TickerRow, message: str) -> TickerStatus:
        """Store that a live source has no such ticker, and return the ticker's new status."""
        behind = self.sessions_behind(ticker.exchange, stored.file.last_session) if stored.file else 0
        status = status_after_unknown(sessions_behind=behind, before=ticker.status, failures=ticker.failures, now=self.now)
        with self.engine.begin() as connection:
            writes.update_ticker(
                connection, ticker.id, last_error=message[:LONGEST_ERROR], status=status.status, failures=status.failures,
                probe_at=status.probe_at,
            )  # fmt: skip
            self._note_status_change(connection, ticker, status)
        return status

    def sessions_behind(self, exchange: str, last: date) -> int:
        """Return how many closed sessions are newer than a bar."""
        calendar = exchange_calendar(exchange)
        closed = calendar.last_closed_session(self.now, self.after_close_minutes)
        return calendar.sessions_between(last, closed) if closed else 0

    def _new_ticker(self, connection: Connection, symbol: str, merge: Merge) -> queries.TickerRow:
        writes.add_ticker(connection, symbol, merge.history.listing, source=self.source, tracked=False, at=self.now)
        ticker = queries.ticker_by_symbol(connection, symbol)
        assert ticker is not None
        return ticker

    def _close_corrected(self, connection: Connection, ticker_id: int, merge: Merge, verdicts: Iterable[Verdict]) -> None:
        """Refuse the quarantined bars in whose place the source now gives one that stands."""
        standing = set(as_known(merge.history).session.tolist())
        still = {v.session for v in verdicts if v.state == QUARANTINED}
        quarantined = queries.verdicts(connection, ticker_id, QUARANTINED)
        corrected = [row["session"] for row in quarantined if row["session"] in standing - still]
        if corrected:
            message = "the source now gives another bar, which is stored"
            writes.decide_verdicts(connection, ticker_id, corrected, state=REFUSED, at=self.now, message=message)

    def _status_after_answer(self, connection: Connection, ticker: queries.TickerRow, history: BarHistory) -> TickerStatus:
        last = history.bars.session[-1].item()
        newer = any(row["session"] > last for row in queries.verdicts(connection, ticker.id, QUARANTINED))
        return status_after_answer(
            is_live=self.is_live, sessions_behind=self.sessions_behind(history.listing.exchange, last), has_quarantine=newer,
            before=ticker.status, failures=ticker.failures, now=self.now,
        )  # fmt: skip

    def _note_restated(self, connection: Connection, ticker_id: int, merge: Merge) -> None:
        if not merge.restated:
            return
        days = sorted({value.session for value in merge.restated})
        message = f"{len(merge.restated)} values of {len(days)} stored bars changed, {days[0]} to {days[-1]}"
        writes.record_event(
            connection, "restatement", message, at=self.now, run_id=self.run_id, ticker_id=ticker_id, session=days[0]
        )

    def _note_status_change(self, connection: Connection, ticker: queries.TickerRow, status: TickerStatus) -> None:
        """Record once that a ticker became suspended or quarantined, or is so no more."""
        if status.status == ticker.status or not {status.status, ticker.status} & {"suspended", "held"}:
            return
        message = f"{ticker.status} before, {status.status} now"
        if status.probe_at:
            message += f"; retried from {status.probe_at:%Y-%m-%d}"
        writes.record_event(connection, "status", message, at=self.now, run_id=self.run_id, ticker_id=ticker.id)
