"""Brings a ticker's stored prices up to date: fetch from the source, keep closed sessions, apply the gates, merge, store.

A live ticker costs one request a day, and none while its newest closed session is stored. There is a second request where a
price of the overlap has changed (then for the whole history) or where a recent session is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from tickercast.jobs.exchanges.calendars import CalendarError, exchange_calendar
from tickercast.jobs.prices.bindings import Binding, Sources
from tickercast.jobs.prices.judging import judged_fetch
from tickercast.jobs.prices.price_record import (
    JudgedFetch,
    PriceRecord,
    StoredPrices,
    file_without_quarantine,
    read_stored_prices,
)
from tickercast.jobs.prices.sources.base import BadSourceData, Fetch, Source, SourceError, UnknownTicker
from tickercast.jobs.prices.ticker_status import is_fetched
from tickercast.storage import queries
from tickercast.storage.bars import PRICE_FIELDS, BarHistory
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt

# Fetched again before the last stored bar, or before the first quarantined one, to see what the source changed since.
OVERLAP = timedelta(days=15)
RESTATED_FIELDS = (*PRICE_FIELDS, "split", "dividend")  # a change in one of these puts the whole history in doubt


@dataclass(frozen=True, slots=True)
class Ingested:
    """A ticker with its stored bars after a fetch, and the error of a fetch that failed."""

    ticker: queries.TickerRow | None
    history: BarHistory | None
    error: SourceError | Corrupt | None = None
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """What a ticker's source has to be asked for, beside what is stored of it. start: the first day, None = all of them."""

    stored: StoredPrices
    binding: Binding
    source: Source
    start: date | None
    version: str | None

    def send(self) -> Fetch:
        """Return the source's response. Reads and writes nothing of the store, so any thread may call it. Raises SourceError."""
        return self.source.fetch(self.stored.symbol, self.start, self.stored.older_names)


Send = Callable[[Callable[[], Fetch]], Fetch]


def send_here(request: Callable[[], Fetch]) -> Fetch:
    """Send a request in this thread, and return the response."""
    return request()


class Ingest:
    """Brings the stored prices of one ticker per call up to date. include_suspended: fetch suspended tickers too.

    send: how a request is sent that is waited for at once.
    """

    def __init__(
        self,
        engine: Engine,
        prices: Path,
        sources: Sources,
        now: datetime,
        after_close_minutes: int,
        run_id: int | None,
        *,
        include_suspended: bool = False,
        send: Send = send_here,
    ) -> None:
        self.engine, self.prices, self.sources, self.now = engine, prices, sources, now
        self.after_close_minutes, self.include_suspended, self.send = after_close_minutes, include_suspended, send
        self.record = PriceRecord(engine, prices, now, after_close_minutes, run_id)

    def at(self, now: datetime) -> Ingest:
        """Return the ingest of a later instant of the same run."""
        return Ingest(
            self.engine, self.prices, self.sources, now, self.after_close_minutes, self.record.run_id,
            include_suspended=self.include_suspended, send=self.send,
        )  # fmt: skip

    def fetch(self, symbol: str, binding: Binding | None = None) -> Ingested:
        """Return a ticker with its merged history. After a failed fetch the stored bars stay, and the error is returned.

        binding: where prices of a ticker that is not stored yet come from; None = as the sources say.
        """
        begun = self.begin(symbol, binding)
        return begun if isinstance(begun, Ingested) else self.finish(begun, lambda: self.send(begun.send))

    def begin(self, symbol: str, binding: Binding | None = None) -> Ingested | PriceRequest:
        """Return the request that a ticker needs, or the ticker as it is stored where it needs none. binding: as for fetch."""
        stored = read_stored_prices(self.engine, self.prices, symbol)
        ticker = stored.ticker
        if ticker and not self.include_suspended and not is_fetched(ticker.status, ticker.probe_at, self.now):
            return Ingested(ticker, stored.history, is_suspended=True)
        if ticker and stored.damage:
            return self._damaged(ticker, stored.damage)
        if ticker and stored.history:
            self.record.copy_missing_bars(ticker, stored.history)
        try:
            binding = binding or self.sources.binding_of(ticker)
            source = self.sources.open(binding, symbol)
            version = source.version(symbol, stored.older_names)
            if _is_complete(self, stored, source, version):
                return Ingested(ticker, stored.history)
            return PriceRequest(stored, binding, source, _first_day(stored, source), version)
        except CalendarError as error:
            return self._failed(stored, BadSourceData(f"{symbol}: {error}"))
        except SourceError as error:
            return self._failed(stored, error)

    def finish(self, request: PriceRequest, response: Callable[[], Fetch]) -> Ingested:
        """Store what a ticker's source responded and return the ticker. response: returns it, or raises SourceError."""
        stored = request.stored
        try:
            judged = self._judge_response(request, response())
            ticker = self.record.write(stored, judged, request.binding, request.source.live)
            _remember(self, stored, judged, request.version)
            return Ingested(ticker, judged.merge.history)
        except CalendarError as error:
            return self._failed(stored, BadSourceData(f"{stored.symbol}: {error}"))
        except SourceError as error:
            return self._failed(stored, error)

    def fetch_whole(self, stored: StoredPrices) -> JudgedFetch:
        """Return all that a ticker's source gives now, judged and merged with what is stored. Raises SourceError."""
        source = self.sources.open(self.sources.binding_of(stored.ticker), stored.symbol)
        try:
            return self._judge(stored, source.fetch(stored.symbol, None, stored.older_names), source.kind)
        except CalendarError as error:
            raise BadSourceData(f"{stored.symbol}: {error}") from error

    def _judge_response(self, request: PriceRequest, fetch: Fetch) -> JudgedFetch:
        """Return a response after gates and merge; that of a second request where the first response is in doubt."""
        stored, source, start = request.stored, request.source, request.start
        judged = self._judge(stored, fetch, source.kind)
        if start is None:
            return judged
        if any(value.field in RESTATED_FIELDS for value in judged.merge.restated):
            return self._judge(stored, self.send(replace(request, start=None).send), source.kind)
        if any(day >= start for day in judged.missing):
            return self._judge(stored, self.send(request.send), source.kind)
        return judged

    def _judge(self, stored: StoredPrices, fetch: Fetch, source: str) -> JudgedFetch:
        return judged_fetch(stored, fetch, source, self.now, self.after_close_minutes)

    def _damaged(self, ticker: queries.TickerRow, damage: Corrupt) -> Ingested:
        """Store that a ticker's price file cannot be read, and return it. The other tickers go on."""
        error = Corrupt(f"{ticker.symbol}: {damage}; its forecasts stay; mend it with `tickercast repair {ticker.symbol}`")
        self.record.write_error(ticker, str(error))
        return Ingested(ticker, None, error)

    def _failed(self, stored: StoredPrices, error: SourceError) -> Ingested:
        """Store a failed fetch and return it. A ticker that it suspends counts as suspended, not as failed."""
        shown = error
        if stored.file is not None:
            shown = type(error)(f"{error}; stored bars end {stored.file.last_session} and stay")
        self.sources.read_files.forget(stored.key)
        ticker = stored.ticker
        if ticker is None:
            return Ingested(None, None, shown)
        if not isinstance(error, UnknownTicker) or not self.sources.is_live(ticker):
            self.record.write_error(ticker, str(shown))
            return Ingested(ticker, stored.history, shown)
        status = self.record.write_unknown(stored, ticker, str(shown))
        if status.status == "suspended" and not self.include_suspended:
            return Ingested(ticker, stored.history, is_suspended=True)
        return Ingested(ticker, stored.history, shown)


def _first_day(stored: StoredPrices, source: Source) -> date | None:
    """Return the first day to request. Files are cheap: they are read whole, and what changed is restated at any age."""
    if not source.live or stored.file is None:
        return None
    return min(filter(None, (stored.file.last_session, stored.quarantined_from))) - OVERLAP


def _is_complete(ingest: Ingest, stored: StoredPrices, source: Source, version: str | None) -> bool:
    """Return whether a source can have nothing new, with no bar in quarantine and the ticker's kind known.

    A live one: the newest closed session is stored. A file: it was read completely and is unchanged.
    """
    if stored.ticker is None or stored.file is None or stored.quarantined_from or stored.ticker.kind is None:
        return False
    if not source.live:
        return ingest.sources.read_files.has(stored.key, version, stored.file.sha256, stored.told)
    closed = exchange_calendar(stored.ticker.exchange).last_closed_session(ingest.now, ingest.after_close_minutes)
    return closed is None or closed <= stored.file.last_session


def _remember(ingest: Ingest, stored: StoredPrices, judged: JudgedFetch, version: str | None) -> None:
    """Remember a file that was read completely."""
    read_files = ingest.sources.read_files
    read_files.forget(stored.key)
    if version is not None and judged.is_final:
        file = file_without_quarantine(ingest.engine, stored.symbol)
        if file is not None:
            read_files.remember(stored.key, version, file.sha256, stored.told)
