"""Brings a ticker's stored prices up to date: fetch from the source, keep closed sessions, apply the gates, merge, store.

A live ticker costs one request a day, and none while its newest closed session is stored. There is a second request where a
price of the overlap has changed (then for the whole history) or where a recent session is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from tickercast.jobs.exchanges.calendars import CalendarError, ExchangeCalendar, exchange_calendar
from tickercast.jobs.prices.bindings import Binding, Sources
from tickercast.jobs.prices.gates import apply_gates, notes
from tickercast.jobs.prices.price_record import (
    JudgedFetch,
    PriceRecord,
    StoredPrices,
    file_without_quarantine,
    read_stored_prices,
)
from tickercast.jobs.prices.sources.base import BadSourceData, Fetch, Source, SourceError, UnknownTicker
from tickercast.jobs.prices.ticker_status import is_fetched
from tickercast.jobs.prices.told import as_told
from tickercast.jobs.prices.verdicts import NOTED, REFUSED, Verdict
from tickercast.jobs.terminal.text import counted
from tickercast.storage import queries
from tickercast.storage.bars import PRICE_FIELDS, BarHistory, Bars, Listing, as_known, merge_bars
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt

# Fetched again before the last stored bar, or before the first quarantined one, to see what the source changed since.
OVERLAP = timedelta(days=15)
RESTATED_FIELDS = (*PRICE_FIELDS, "split", "dividend")  # a change in one of these puts the whole history in doubt
FUTURE_FROM = timedelta(days=2)  # from the date in UTC; an exchange can be one day ahead of it
GAPS_SHOWN = 5
FEWEST_TO_SHRINK = 4


@dataclass(frozen=True, slots=True)
class Ingested:
    """A ticker with its stored bars after a fetch, and the error of a fetch that failed."""

    ticker: queries.TickerRow | None
    history: BarHistory | None
    error: SourceError | Corrupt | None = None
    is_suspended: bool = False


class Ingest:
    """Brings the stored prices of one ticker per call up to date. include_suspended: fetch suspended tickers too."""

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
    ) -> None:
        self.engine, self.prices, self.sources, self.now = engine, prices, sources, now
        self.after_close_minutes, self.include_suspended = after_close_minutes, include_suspended
        self.record = PriceRecord(engine, prices, now, after_close_minutes, run_id)

    def fetch(self, symbol: str, binding: Binding | None = None) -> Ingested:
        """Return a ticker with its merged history. After a failed fetch the stored bars stay, and the error is returned.

        binding: where prices of a ticker that is not stored yet come from; None = as the sources say.
        """
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
            if self._is_complete(stored, source, version):
                return Ingested(ticker, stored.history)
            judged = self._fetch(stored, source)
            ticker = self.record.write(stored, judged, binding, source.live)
            self._remember(stored, judged, version)
            return Ingested(ticker, judged.merge.history)
        except CalendarError as error:
            return self._failed(stored, BadSourceData(f"{symbol}: {error}"))
        except SourceError as error:
            return self._failed(stored, error)

    def fetch_whole(self, stored: StoredPrices) -> JudgedFetch:
        """Return all that a ticker's source gives now, judged and merged with what is stored. Raises SourceError."""
        source = self.sources.open(self.sources.binding_of(stored.ticker), stored.symbol)
        try:
            return self._judge(stored, source.fetch(stored.symbol, None, stored.older_names), source.kind)
        except CalendarError as error:
            raise BadSourceData(f"{stored.symbol}: {error}") from error

    def _is_complete(self, stored: StoredPrices, source: Source, version: str | None) -> bool:
        """Return whether a source can have nothing new, with no bar in quarantine and the ticker's kind known.

        A live one: the newest closed session is stored. A file: it was read completely and is unchanged.
        """
        if stored.ticker is None or stored.file is None or stored.quarantined_from or stored.ticker.kind is None:
            return False
        if not source.live:
            return self.sources.read_files.has(stored.key, version, stored.file.sha256, stored.told)
        closed = exchange_calendar(stored.ticker.exchange).last_closed_session(self.now, self.after_close_minutes)
        return closed is None or closed <= stored.file.last_session

    def _remember(self, stored: StoredPrices, judged: JudgedFetch, version: str | None) -> None:
        """Remember a file that was read completely."""
        self.sources.read_files.forget(stored.key)
        if version is not None and judged.is_final:
            file = file_without_quarantine(self.engine, stored.symbol)
            if file is not None:
                self.sources.read_files.remember(stored.key, version, file.sha256, stored.told)

    def _fetch(self, stored: StoredPrices, source: Source) -> JudgedFetch:
        """Return the source's response, of a second request where the first response is in doubt."""
        start = None  # files are cheap: they are read whole, and what changed is restated at any age
        if source.live and stored.file:
            start = min(filter(None, (stored.file.last_session, stored.quarantined_from))) - OVERLAP
        judged = self._judge(stored, source.fetch(stored.symbol, start, stored.older_names), source.kind)
        if start is None:
            return judged
        if any(value.field in RESTATED_FIELDS for value in judged.merge.restated):
            return self._judge(stored, source.fetch(stored.symbol, None, stored.older_names), source.kind)
        if any(day >= start for day in judged.missing):
            return self._judge(stored, source.fetch(stored.symbol, start, stored.older_names), source.kind)
        return judged

    def _judge(self, stored: StoredPrices, fetch: Fetch, source: str) -> JudgedFetch:
        return _judged(stored, fetch, source, self.now, self.after_close_minutes)

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


def _judged(stored: StoredPrices, fetch: Fetch, source: str, now: datetime, after_close_minutes: int) -> JudgedFetch:
    """Return a fetch after gates and merge. Raises BadSourceData where a first fetch has no bar to store."""
    listing = _stored_listing(stored, fetch.listing)
    calendar = exchange_calendar(listing.exchange)
    bars, outside = _closed_sessions(calendar, fetch.bars, now, after_close_minutes)
    before = stored.bars
    bars = as_told(bars, before, stored.told)
    judgement = apply_gates(before, bars, stored.dismissed)
    refused = [Verdict(row.session, REFUSED, row.code, row.reason) for row in fetch.refused]
    verdicts = [*refused, *outside, *judgement.verdicts, *_shrunken(before, bars)]
    if stored.history is None and not len(judgement.admitted):
        raise BadSourceData(f"{stored.symbol}: no bar of a closed session can be stored; {_first_reason(verdicts)}")
    merge = merge_bars(stored.history, listing, judgement.admitted, recorded_at=now, source=source)
    known = as_known(merge.history)
    explained = {verdict.session for verdict in verdicts} | stored.judged
    missing = _new_gaps(calendar, known, before, explained)
    verdicts += _gap_notes(calendar, missing)
    verdicts += notes(known, stored.file.last_session if stored.file else None)
    confirmed = int(np.isin(before.session, judgement.admitted.session).sum()) if before is not None else 0
    unopened = len(fetch.bars) - len(bars) - sum(verdict.code == "no session" for verdict in outside)
    return JudgedFetch(merge, verdicts, missing, confirmed, is_final=not unopened)


def _stored_listing(stored: StoredPrices, listing: Listing) -> Listing:
    """Return a response's listing with the stored exchange. Raises BadSourceData for another price basis or currency."""
    ticker = stored.ticker
    if ticker is None or stored.file is None:
        return replace(listing, ticker=stored.key)
    for name, ours, theirs in (
        ("on basis", ticker.price_basis, listing.price_basis),
        ("in currency", ticker.currency, listing.currency),
    ):
        if ours and theirs and ours != theirs:
            raise BadSourceData(f"{stored.symbol}: stored prices are {name} {ours}, these are {theirs}")
    return replace(listing, ticker=stored.key, exchange=ticker.exchange)


def _closed_sessions(
    calendar: ExchangeCalendar, bars: Bars, now: datetime, after_close_minutes: int
) -> tuple[Bars, list[Verdict]]:
    """Return the bars of closed sessions, and verdicts on those of days that are no session or have not started.

    A bar from after the last closed session up to tomorrow is left out without a verdict. It is judged once a session of its
    day or later has closed: a verdict now would stand beside a bar that is stored tomorrow.
    """
    future = bars.select(bars.session >= np.datetime64(now.date() + FUTURE_FROM))
    last = calendar.last_closed_session(now, after_close_minutes)
    closed = bars.through(last) if last else bars.select(slice(0, 0))
    is_session = calendar.are_sessions(closed.session)
    verdicts = [Verdict(day, REFUSED, "future", "a session that has not started") for day in future.session.tolist()]
    for day in closed.session[~is_session].tolist():
        verdicts.append(Verdict(day, REFUSED, "no session", f"not a session of {calendar.code}"))
    return closed.select(is_session), verdicts


def _new_gaps(calendar: ExchangeCalendar, known: Bars, before: Bars | None, explained: Set[date]) -> list[date]:
    """Return the sessions without a bar and without a verdict, outside of the span that was stored before.

    A gap inside of it was requested again and noted when it came about.
    """
    missing: list[date] = [day for day in calendar.missing_sessions(known.session).tolist() if day not in explained]
    if before is None or not len(before):
        return missing
    first, last = before.session[0].item(), before.session[-1].item()
    return [day for day in missing if not first < day < last]


def _gap_notes(calendar: ExchangeCalendar, missing: Sequence[date]) -> Iterator[Verdict]:
    """Yield one note for each run of consecutive missing sessions."""
    runs: list[list[date]] = []
    for day in missing:
        if runs and calendar.session_index(day) == calendar.session_index(runs[-1][-1]) + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    for run in runs:
        shown = ", ".join(str(day) for day in run[:GAPS_SHOWN]) + (", ..." if len(run) > GAPS_SHOWN else "")
        yield Verdict(run[0], NOTED, "gap", f"{counted(len(run), 'session')} without a bar: {shown}")


def _shrunken(stored: Bars | None, incoming: Bars) -> Iterator[Verdict]:
    """Yield a note where the source delivered fewer than half of the bars that are stored from its first session on."""
    if stored is None or not len(incoming):
        return
    expected = stored.select(stored.session >= incoming.session[0])
    delivered = int(np.isin(expected.session, incoming.session).sum())
    if len(expected) >= FEWEST_TO_SHRINK and delivered < len(expected) / 2:
        message = f"the source delivered {delivered} of {len(expected)} stored bars; the stored ones stay"
        yield Verdict(expected.session[-1].item(), NOTED, "shrunken", message)


def _first_reason(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "the source delivered none"
    first = verdicts[0]
    were = "was" if len(verdicts) == 1 else "were"
    return f"{counted(len(verdicts), 'bar')} {were} refused or quarantined, first {first.session} {first.code}: {first.message}"
