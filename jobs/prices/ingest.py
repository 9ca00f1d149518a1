"""Take a ticker's prices from its source into the store: cut to closed sessions, gated, merged, written, named in the database.

One request a live ticker and day: a ticker whose newest closed session is stored is not asked for again. A second one is made
where a price of the overlap has changed (the whole history is asked for) or a recent session is missing. Called by cycle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine

from jobs.exchanges.calendars import CalendarError, ExchangeCalendar, exchange_calendar
from jobs.prices.checks import HELD, NOTED, REFUSED, Verdict, judge, notes
from jobs.prices.sources.base import BadSourceData, Fetch, Source, SourceError, UnknownTicker
from jobs.prices.ticker_status import Life, after_answer, after_unknown, is_asked_for
from jobs.runs.record import RunLedger
from storage import bar_files, queries, writes
from storage.bars import PRICE_FIELDS, VALUE_FIELDS, BarHistory, Bars, Listing, Merge, as_known, make_bars, merge_bars
from storage.errors import TickerSourceFixed

# Fetched again before the last stored bar, or before the first one held, to see what the source changed since.
OVERLAP = timedelta(days=15)
KEPT_SUPERSEDED = 2
COLLECT_AFTER = timedelta(hours=24)
GAPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Ingested:
    """A ticker with its stored bars after a fetch, or why there is nothing to go on with. resting: it is suspended."""

    ticker: queries.TickerRow | None
    history: BarHistory | None
    error: SourceError | None = None
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a ticker before a fetch."""

    symbol: str
    ticker: queries.TickerRow | None
    file: queries.CurrentFile | None
    history: BarHistory | None
    held_from: date | None
    waived: Bars | None

    @property
    def bars(self) -> Bars | None:
        return as_known(self.history) if self.history else None


@dataclass(frozen=True, slots=True)
class Taken:
    """One answer of the source, judged and merged. verdicts: of rows refused, bars held, sessions missing."""

    merge: Merge
    verdicts: list[Verdict]
    gaps: list[date]


@dataclass(frozen=True, slots=True)
class Ingest:
    """Where prices go, from where, and by when they must be known. probing: ask for suspended tickers too."""

    engine: Engine
    prices: Path
    source: Source
    now: datetime
    after_close_minutes: int
    ledger: RunLedger
    probing: bool = False

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
        stored = self._stored(symbol)
        ticker = stored.ticker
        if ticker and not self.probing and not is_asked_for(ticker.status, ticker.probe_at, self.now):
            return Ingested(ticker, stored.history, resting=True)
        if ticker and stored.history and self._is_complete(stored):
            return Ingested(ticker, stored.history)
        try:
            return self._store(stored, self._ask(stored))
        except (SourceError, CalendarError) as error:
            return self._failed(stored, error if isinstance(error, SourceError) else BadSourceData(f"{symbol}: {error}"))

    def _stored(self, symbol: str) -> Stored:
        with self.engine.connect() as connection:
            ticker = queries.ticker_by_symbol(connection, symbol)
            if ticker is None:
                return Stored(symbol, None, None, None, None, None)
            file = queries.current_file(connection, ticker.id)
            held = queries.verdicts(connection, ticker.id, HELD)
            refused = [row for row in queries.verdicts(connection, ticker.id, REFUSED) if row["close"] is not None]
        history = bar_files.read_bars(self.prices, file.path, file.sha256) if file else None
        held_from = min((row["session"] for row in held), default=None)
        return Stored(symbol, ticker, file, history, held_from, bars_of(refused) if refused else None)

    def _is_complete(self, stored: Stored) -> bool:
        """Return whether a live source can have nothing new: the newest closed session is stored, and nothing is held."""
        assert stored.ticker is not None
        assert stored.file is not None
        closed = exchange_calendar(stored.ticker.exchange).last_closed_session(self.now, self.after_close_minutes)
        new = closed is not None and closed > stored.file.last_session
        return self.source.live and not new and stored.held_from is None

    def _ask(self, stored: Stored) -> Taken:
        """Return what the source gives, asked again where that is in doubt."""
        start = min(filter(None, (stored.file.last_session, stored.held_from))) - OVERLAP if stored.file else None
        taken = self._judged(stored, self.source.fetch(stored.symbol, start))
        if not self.source.live or start is None:
            return taken
        if any(r.field in (*PRICE_FIELDS, "split", "dividend") for r in taken.merge.restated):
            return self._judged(stored, self.source.fetch(stored.symbol, None))
        if any(day >= start for day in taken.gaps):
            return self._judged(stored, self.source.fetch(stored.symbol, start))
        return taken

    def _judged(self, stored: Stored, fetch: Fetch) -> Taken:
        listing = self._listing(stored, fetch.listing)
        calendar = exchange_calendar(listing.exchange)
        bars, outside = self._closed(calendar, fetch.bars)
        before = stored.bars
        judgement = judge(before, bars, stored.waived)
        refused = [Verdict(r.session, REFUSED, r.code, r.reason) for r in fetch.refused]
        verdicts = [*refused, *outside, *judgement.verdicts, *_shrunken(before, bars)]
        if stored.history is None and not len(judgement.admitted):
            raise BadSourceData(f"{stored.symbol}: no bar of a closed session can be stored; {_first(verdicts)}")
        merge = merge_bars(stored.history, listing, judgement.admitted, recorded_at=self.now, source=self.source.kind)
        known = as_known(merge.history)
        explained = {v.session for v in verdicts} | self._explained(stored)
        gaps = [day for day in calendar.missing(known.session).tolist() if day not in explained]
        verdicts += _gap_verdicts(calendar, gaps)
        verdicts += notes(known, stored.file.last_session if stored.file else None)
        return Taken(merge, verdicts, gaps)

    def _listing(self, stored: Stored, listing: Listing) -> Listing:
        """Return an answer's listing with the stored exchange. Raises BadSourceData where it is another paper's."""
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

    def _explained(self, stored: Stored) -> set[date]:
        if stored.ticker is None:
            return set()
        with self.engine.connect() as connection:
            return queries.judged_sessions(connection, stored.ticker.id)

    def _store(self, stored: Stored, taken: Taken) -> Ingested:
        listing = taken.merge.history.listing
        file = bar_files.write_bars(self.prices, taken.merge.history) if taken.merge.changed else None
        with self.engine.begin() as connection:
            ticker = stored.ticker
            if ticker is None:
                writes.add_ticker(connection, stored.symbol, listing, source=self.source.kind, tracked=False, at=self.now)
                ticker = queries.ticker_by_symbol(connection, stored.symbol)
                assert ticker is not None
            if file is not None:
                writes.record_price_file(
                    connection, ticker.id, file, taken.merge.restated, price_basis=listing.price_basis, at=self.now
                )
                self._note_restated(connection, ticker.id, taken.merge)
            writes.record_verdicts(connection, ticker.id, [_row_of(v) for v in taken.verdicts], at=self.now)
            self._settle_mended(connection, ticker.id, taken)
            life = self._life(connection, ticker, taken.merge.history)
            writes.update_ticker(
                connection, ticker.id, currency=listing.currency, price_basis=listing.price_basis,
                exchange=listing.exchange, time_zone=listing.time_zone, last_error=None, status=life.status,
                failures=life.failures, probe_at=life.probe_at,
            )  # fmt: skip
            self._tell_change(connection, ticker, life)
            kept = queries.kept_files(connection, ticker.id, KEPT_SUPERSEDED)
            ticker = replace(ticker, exchange=listing.exchange, status=life.status)
        if file is not None:
            bar_files.collect_old_files(self.prices, listing.ticker, kept, datetime.now().astimezone() - COLLECT_AFTER)
        return Ingested(ticker, taken.merge.history)

    def _settle_mended(self, connection: Connection, ticker_id: int, taken: Taken) -> None:
        """Refuse the held bars in whose place the source gives one that stands by now."""
        standing = set(as_known(taken.merge.history).session.tolist())
        still = {v.session for v in taken.verdicts if v.state == HELD}
        mended = [r["session"] for r in queries.verdicts(connection, ticker_id, HELD) if r["session"] in standing - still]
        if mended:
            message = "the source gives another bar now, which is stored"
            writes.decide_verdicts(connection, ticker_id, mended, state=REFUSED, at=self.now, message=message)

    def _note_restated(self, connection: Connection, ticker_id: int, merge: Merge) -> None:
        if not merge.restated:
            return
        days = sorted({r.session for r in merge.restated})
        text = f"{len(merge.restated)} values of {len(days)} stored bars changed, {days[0]} to {days[-1]}"
        writes.record_event(
            connection, "restatement", text, at=self.now, run_id=self.ledger.run_id, ticker_id=ticker_id, session=days[0]
        )

    def _life(self, connection: Connection, ticker: queries.TickerRow, history: BarHistory) -> Life:
        last = history.bars.session[-1].item()
        held = any(row["session"] > last for row in queries.verdicts(connection, ticker.id, HELD))
        return after_answer(
            live=self.source.live, behind=self._behind(history.listing.exchange, last), held=held,
            failures=ticker.failures, was=ticker.status, now=self.now,
        )  # fmt: skip

    def _behind(self, exchange: str, last: date) -> int:
        """Return how many closed sessions are newer than a bar."""
        calendar = exchange_calendar(exchange)
        closed = calendar.last_closed_session(self.now, self.after_close_minutes)
        return calendar.sessions_between(last, closed) if closed else 0

    def _failed(self, stored: Stored, error: SourceError) -> Ingested:
        told = error
        if stored.file is not None:
            told = type(error)(f"{error}; stored bars end {stored.file.last_session} and stay")
        ticker = stored.ticker
        if ticker is None:
            return Ingested(None, None, told)
        with self.engine.begin() as connection:
            writes.update_ticker(connection, ticker.id, last_error=str(told)[:500])
            if isinstance(error, UnknownTicker) and self.source.live:
                behind = self._behind(ticker.exchange, stored.file.last_session) if stored.file else 0
                life = after_unknown(behind=behind, failures=ticker.failures, was=ticker.status, now=self.now)
                writes.update_ticker(connection, ticker.id, status=life.status, failures=life.failures, probe_at=life.probe_at)
                self._tell_change(connection, ticker, life)
                if life.status == "suspended" and not self.probing:
                    return Ingested(ticker, stored.history, resting=True)
        return Ingested(ticker, None, told)

    def _tell_change(self, connection: Connection, ticker: queries.TickerRow, life: Life) -> None:
        """Record once that a ticker was suspended or held, or is so no more."""
        if life.status == ticker.status or not {life.status, ticker.status} & {"suspended", "held"}:
            return
        text = f"{ticker.status} before, {life.status} now"
        if life.probe_at:
            text += f"; asked for again from {life.probe_at:%Y-%m-%d} on"
        writes.record_event(
            connection, "status", text, at=self.now, run_id=self.ledger.run_id, ticker_id=ticker.id
        )  # fmt: skip

    def _closed(self, calendar: ExchangeCalendar, bars: Bars) -> tuple[Bars, list[Verdict]]:
        """Return the bars of sessions that have closed, and those refused: of days that are none, or to come."""
        tomorrow = np.datetime64(self.now.date() + timedelta(days=2))
        future = bars.select(bars.session >= tomorrow)
        last = calendar.last_closed_session(self.now, self.after_close_minutes)
        bars = bars.through(last) if last else bars.select(slice(0, 0))
        sessions = calendar.are_sessions(bars.session)
        verdicts = [Verdict(day, REFUSED, "future", "a session that has not begun") for day in future.session.tolist()]
        for day in bars.session[~sessions].tolist():
            verdicts.append(Verdict(day, REFUSED, "no session", f"not a session of {calendar.code}"))
        return bars.select(np.asarray(sessions)), verdicts


def bars_of(rows: Sequence[dict[str, Any]]) -> Bars:
    """Return the bars that verdict rows keep apart, in session order."""
    unique = {row["session"]: row for row in rows}
    ordered = [unique[day] for day in sorted(unique)]
    values = {name: np.array([row[name] for row in ordered], np.float64) for name in VALUE_FIELDS}
    return make_bars(np.array([row["session"] for row in ordered], dtype="datetime64[D]"), values)


def _row_of(verdict: Verdict) -> dict[str, Any]:
    values: dict[str, Any] = dict.fromkeys(VALUE_FIELDS)
    if verdict.bars is not None:
        values = {name: getattr(verdict.bars, name)[0].item() for name in VALUE_FIELDS}
    return {
        "session": verdict.session, "code": verdict.code, "state": verdict.state, "message": verdict.message,
        "decided_at": None, **values,
    }  # fmt: skip


def _gap_verdicts(calendar: ExchangeCalendar, gaps: Sequence[date]) -> Iterator[Verdict]:
    """Yield one note for each stretch of missing sessions."""
    stretch: list[date] = []
    for day in [*gaps, None]:
        if stretch and (day is None or calendar.number(day) != calendar.number(stretch[-1]) + 1):
            shown = ", ".join(str(d) for d in stretch[:GAPS_SHOWN]) + (", ..." if len(stretch) > GAPS_SHOWN else "")
            yield Verdict(stretch[0], NOTED, "gap", f"{len(stretch)} sessions without a bar: {shown}")
            stretch = []
        if day is not None:
            stretch.append(day)


def _shrunken(stored: Bars | None, incoming: Bars) -> Iterator[Verdict]:
    """Yield a note where the source gives fewer than half of the stored bars since its first one, or hardly any at all."""
    if stored is None or not len(incoming):
        return
    due = stored.select(stored.session >= incoming.session[0])
    given = int(np.isin(due.session, incoming.session).sum())
    if len(due) >= 4 and given < len(due) / 2:
        day = due.session[-1].item()
        yield Verdict(day, NOTED, "shrunken", f"the source gave {given} of {len(due)} stored bars; the stored ones stay")


def _first(verdicts: Sequence[Verdict]) -> str:
    if not verdicts:
        return "it gave none"
    first = verdicts[0]
    return f"{len(verdicts)} are not, the first: {first.session} {first.code}: {first.message}"
