"""Fetches a ticker's prices from its source into the store: cut to closed sessions, gated, merged, written.

A live ticker costs one request a day: it is not requested while its newest closed session is stored. A second request is made
when a price of the overlap has changed (then for the whole history) or when a recent session is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from jobs.exchanges.calendars import CalendarError, ExchangeCalendar, exchange_calendar
from jobs.prices.gates import apply_gates, notes
from jobs.prices.price_record import PriceRecord, StoredPrices
from jobs.prices.sources.base import BadSourceData, Fetch, Source, SourceError, UnknownTicker
from jobs.prices.ticker_status import is_fetched
from jobs.prices.verdicts import NOTED, REFUSED, Verdict
from storage import queries
from storage.bars import PRICE_FIELDS, BarHistory, Bars, Listing, Merge, as_known, merge_bars
from storage.database import Engine
from storage.errors import TickerSourceFixed

# Fetched again before the last stored bar, or before the first quarantined one, to see what the source changed since.
OVERLAP = timedelta(days=15)
GAPS_SHOWN = 5
FEWEST_TO_SHRINK = 4


@dataclass(frozen=True, slots=True)
class Ingested:
    """A ticker with its stored bars after a fetch, or the reason why there are none to use."""

    ticker: queries.TickerRow | None
    history: BarHistory | None
    error: SourceError | None = None
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class JudgedFetch:
    """One answer of the source, judged and merged. verdicts: of refused rows, quarantined bars and missing sessions."""

    merge: Merge
    verdicts: list[Verdict]
    missing: list[date]


class Ingest:
    """Brings the prices of tickers up to date, one call a ticker."""

    def __init__(
        self,
        engine: Engine,
        prices: Path,
        source: Source,
        now: datetime,
        after_close_minutes: int,
        run_id: int,
        *,
        include_suspended: bool = False,
    ) -> None:
        self.source, self.now, self.after_close_minutes = source, now, after_close_minutes
        self.include_suspended = include_suspended
        self.record = PriceRecord(engine, prices, source.kind, source.live, now, after_close_minutes, run_id)

    def fetch(self, symbol: str) -> Ingested:
        """Return a ticker with its merged history. A failed fetch keeps the stored bars and gives the reason."""
        stored = self.record.read(symbol)
        ticker = stored.ticker
        if ticker and not self.include_suspended and not is_fetched(ticker.status, ticker.probe_at, self.now):
            return Ingested(ticker, stored.history, is_suspended=True)
        if ticker and stored.history and self._is_complete(stored):
            return Ingested(ticker, stored.history)
        try:
            judged = self._fetch(stored)
            return Ingested(self.record.write(stored, judged.merge, judged.verdicts), judged.merge.history)
        except CalendarError as error:
            return self._failed(stored, BadSourceData(f"{symbol}: {error}"))
        except SourceError as error:
            return self._failed(stored, error)

    def _is_complete(self, stored: StoredPrices) -> bool:
        """Return whether a live source can have nothing new: the newest closed session is stored, nothing is quarantined."""
        assert stored.ticker is not None
        assert stored.file is not None
        closed = exchange_calendar(stored.ticker.exchange).last_closed_session(self.now, self.after_close_minutes)
        has_new = closed is not None and closed > stored.file.last_session
        return self.source.live and not has_new and stored.quarantined_from is None

    def _fetch(self, stored: StoredPrices) -> JudgedFetch:
        """Return the source's answer, requested a second time where the first one is in doubt."""
        start = min(filter(None, (stored.file.last_session, stored.quarantined_from))) - OVERLAP if stored.file else None
        judged = self._judge(stored, self.source.fetch(stored.symbol, start))
        if not self.source.live or start is None:
            return judged
        if any(value.field in (*PRICE_FIELDS, "split", "dividend") for value in judged.merge.restated):
            return self._judge(stored, self.source.fetch(stored.symbol, None))
        if any(day >= start for day in judged.missing):
            return self._judge(stored, self.source.fetch(stored.symbol, start))
        return judged

    def _judge(self, stored: StoredPrices, fetch: Fetch) -> JudgedFetch:
        listing = _stored_listing(stored, fetch.listing)
        calendar = exchange_calendar(listing.exchange)
        bars, outside = self._closed_sessions(calendar, fetch.bars)
        before = stored.bars
        judgement = apply_gates(before, bars, stored.dismissed)
        refused = [Verdict(r.session, REFUSED, r.code, r.reason) for r in fetch.refused]
        verdicts = [*refused, *outside, *judgement.verdicts, *_shrunken(before, bars)]
        if stored.history is None and not len(judgement.admitted):
            raise BadSourceData(f"{stored.symbol}: no bar of a closed session can be stored; {_first_reason(verdicts)}")
        merge = merge_bars(stored.history, listing, judgement.admitted, recorded_at=self.now, source=self.source.kind)
        known = as_known(merge.history)
        explained = {verdict.session for verdict in verdicts} | self.record.judged_sessions(stored)
        missing = [day for day in calendar.missing_sessions(known.session).tolist() if day not in explained]
        verdicts += _gap_notes(calendar, missing)
        verdicts += notes(known, stored.file.last_session if stored.file else None)
        return JudgedFetch(merge, verdicts, missing)

    def _closed_sessions(self, calendar: ExchangeCalendar, bars: Bars) -> tuple[Bars, list[Verdict]]:
        """Return the bars of closed sessions, and verdicts on those of days that are no session or have not started."""
        future = bars.select(bars.session >= np.datetime64(self.now.date() + timedelta(days=2)))
        last = calendar.last_closed_session(self.now, self.after_close_minutes)
        bars = bars.through(last) if last else bars.select(slice(0, 0))
        is_session = np.asarray(calendar.are_sessions(bars.session))
        verdicts = [Verdict(day, REFUSED, "future", "a session that has not started") for day in future.session.tolist()]
        verdicts += [
            Verdict(day, REFUSED, "no session", f"not a session of {calendar.code}") for day in bars.session[~is_session].tolist()
        ]
        return bars.select(is_session), verdicts

    def _failed(self, stored: StoredPrices, error: SourceError) -> Ingested:
        """Store a failed fetch and return it. A ticker that it suspends counts as suspended, not as failed."""
        shown = error
        if stored.file is not None:
            shown = type(error)(f"{error}; stored bars end {stored.file.last_session} and stay")
        ticker = stored.ticker
        if ticker is None:
            return Ingested(None, None, shown)
        if not isinstance(error, UnknownTicker) or not self.source.live:
            self.record.write_error(ticker, str(shown))
            return Ingested(ticker, None, shown)
        status = self.record.write_unknown(stored, ticker, str(shown))
        if status.status == "suspended" and not self.include_suspended:
            return Ingested(ticker, stored.history, is_suspended=True)
        return Ingested(ticker, None, shown)


def refuse_other_source(engine: Engine, source: Source, symbols: Sequence[str]) -> None:
    """Raise TickerSourceFixed, before anything is fetched, when a stored ticker comes from another source."""
    with engine.connect() as connection:
        for symbol in symbols:
            ticker = queries.ticker_by_symbol(connection, symbol)
            if ticker and ticker.source != source.kind:
                raise TickerSourceFixed(
                    f"{symbol} has source {ticker.source} for life; it was not fetched from {source.kind}; "
                    "store the other prices under another symbol or in another home"
                )


def _stored_listing(stored: StoredPrices, listing: Listing) -> Listing:
    """Return an answer's listing with the stored exchange. Raises BadSourceData where it is of another security."""
    ticker = stored.ticker
    if ticker is None or stored.file is None:
        return listing
    for name, ours, theirs in (
        ("on basis", ticker.price_basis, listing.price_basis),
        ("in currency", ticker.currency, listing.currency),
    ):
        if ours and theirs and ours != theirs:
            raise BadSourceData(f"{stored.symbol}: stored prices are {name} {ours}, these are {theirs}")
    return replace(listing, exchange=ticker.exchange)


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
        noun = "session" if len(run) == 1 else "sessions"
        yield Verdict(run[0], NOTED, "gap", f"{len(run)} {noun} without a bar: {shown}")


def _shrunken(stored: Bars | None, incoming: Bars) -> Iterator[Verdict]:
    """Yield a note where the source gave fewer than half of the stored bars from its first one on."""
    if stored is None or not len(incoming):
        return
    expected = stored.select(stored.session >= incoming.session[0])
    given = int(np.isin(expected.session, incoming.session).sum())
    if len(expected) >= FEWEST_TO_SHRINK and given < len(expected) / 2:
        day = expected.session[-1].item()
        yield Verdict(day, NOTED, "shrunken", f"the source gave {given} of {len(expected)} stored bars; the stored ones stay")


def _first_reason(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "the source gave none"
    first = verdicts[0]
    return f"{len(verdicts)} were refused or quarantined, first {first.session} {first.code}: {first.message}"
