"""A ticker's stored prices before a fetch, and the one transaction that stores the outcome of the fetch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.prices.bindings import Binding
from tickercast.jobs.prices.ticker_status import TickerStatus, status_after_answer, status_after_unknown
from tickercast.jobs.prices.tickers import stored_ticker
from tickercast.jobs.prices.told import Told, told_actions
from tickercast.jobs.prices.verdicts import NOTED, QUARANTINED, REFUSED, Verdict, bars_of_verdicts, verdict_row
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.terminal.text import counted
from tickercast.storage import bar_files, queries, writes
from tickercast.storage.bars import BarHistory, Bars, Merge, as_known
from tickercast.storage.database import Connection, Engine
from tickercast.storage.errors import Corrupt

LONGEST_ERROR = 500
EVENT_STATUSES = {"suspended", "held"}  # entering or leaving one of these is an event


@dataclass(frozen=True, slots=True)
class StoredPrices:
    """What is stored of a ticker before a fetch.

    quarantined_from: the first quarantined session. dismissed: bars that were refused. judged: sessions with a verdict.
    older_names: symbols that were the ticker's and are nobody's now, newest first. key: of the ticker, stored or to be stored.
    told: splits and dividends that the source does not report and somebody told. damage: why the file cannot be read.
    """

    symbol: str
    ticker: queries.TickerRow | None = None
    file: queries.CurrentFile | None = None
    history: BarHistory | None = None
    quarantined_from: date | None = None
    dismissed: Bars | None = None
    judged: frozenset[date] = frozenset()
    older_names: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    key: str = ""
    damage: Corrupt | None = None

    @property
    def bars(self) -> Bars | None:
        """Return the newest record of each stored session, None before the first."""
        return as_known(self.history) if self.history else None


def read_stored_prices(engine: Engine, prices: Path, symbol: str) -> StoredPrices:
    """Return what is stored of a ticker. prices: the folder of the price files. A damaged file is stated."""
    with engine.connect() as connection:
        ticker = queries.ticker_by_symbol(connection, symbol)
        if ticker is None:
            return StoredPrices(symbol, key=queries.free_key(connection, symbol))
        file = queries.current_file(connection, ticker.id)
        quarantined = queries.verdicts(connection, ticker.id, QUARANTINED)
        refused = [row for row in queries.verdicts(connection, ticker.id, REFUSED) if row["close"] is not None]
        judged = frozenset(queries.judged_sessions(connection, ticker.id))
        older_names = queries.older_symbols(connection, ticker.id)
        told = told_actions(connection, ticker.id)
    history, damage = _history(prices, file) if file else (None, None)
    return StoredPrices(
        symbol,
        ticker,
        file,
        history=history,
        quarantined_from=min((row["session"] for row in quarantined), default=None),
        dismissed=bars_of_verdicts(refused) if refused else None,
        judged=judged,
        older_names=older_names,
        told=told,
        key=ticker.key,
        damage=damage,
    )


def _history(prices: Path, file: queries.CurrentFile) -> tuple[BarHistory | None, Corrupt | None]:
    """Return the history in a price file, or why the file cannot be read."""
    try:
        return bar_files.read_bars(prices, file.path, file.sha256), None
    except Corrupt as error:
        return None, error


def file_without_quarantine(engine: Engine, symbol: str) -> queries.CurrentFile | None:
    """Return a ticker's current file, None while one of its bars is quarantined."""
    with engine.connect() as connection:
        ticker = stored_ticker(connection, symbol)
        has_quarantine = queries.verdicts(connection, ticker.id, QUARANTINED)
        return None if has_quarantine else queries.current_file(connection, ticker.id)


@dataclass(frozen=True, slots=True)
class JudgedFetch:
    """One response of the source, judged and merged.

    verdicts: of refused rows, quarantined bars and missing sessions. confirmed: stored bars that it gave again and that passed.
    is_final: no bar of it waits for its session to close.
    """

    merge: Merge
    verdicts: list[Verdict]
    missing: list[date]
    confirmed: int = 0
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """Stores what one run fetched. prices: the folder of the price files."""

    engine: Engine
    prices: Path
    now: datetime
    after_close_minutes: int
    run_id: int | None

    def write(self, stored: StoredPrices, judged: JudgedFetch, binding: Binding, is_live: bool) -> queries.TickerRow:
        """Store a fetched history, its verdicts and the ticker's status, bind it to its source, and return the ticker.

        The price file is written first. The transaction that names it, and copies its bars to SQL, is the commit.
        """
        merge, verdicts = judged.merge, judged.verdicts
        if stored.damage:
            merge = replace(merge, changed_from=None)  # the copy in SQL is compared as a whole
        listing = merge.history.listing
        file = bar_files.write_bars(self.prices, merge.history) if merge.changed or stored.damage else None
        with self.engine.begin() as connection:
            ticker = stored.ticker or self._add_ticker(connection, stored.symbol, merge, binding)
            if file is not None:
                writes.record_merge(connection, ticker.id, file, merge, at=self.now)
                self._record_restatement(connection, ticker.id, merge)
            writes.record_verdicts(connection, ticker.id, [verdict_row(v) for v in verdicts], at=self.now)
            self._decide_stored(connection, ticker.id, merge, verdicts)
            status = self._status_after_answer(connection, ticker, merge.history, is_live=is_live)
            kind = ticker.kind or listing.kind or kind_of_symbol(stored.symbol)
            writes.update_ticker(
                connection, ticker.id, currency=listing.currency, price_basis=listing.price_basis,
                exchange=listing.exchange, time_zone=listing.time_zone, last_error=None, status=status.status,
                failures=status.failures, probe_at=status.probe_at, source=binding.kind, source_path=binding.path,
                adjustment=binding.adjustment, kind=kind,
            )  # fmt: skip
            self._record_status_change(connection, ticker, status)
        return replace(ticker, exchange=listing.exchange, status=status.status, kind=kind)

    def copy_missing_bars(self, ticker: queries.TickerRow, history: BarHistory) -> None:
        """Copy a ticker's bars to SQL where an earlier version stored them without a copy."""
        with self.engine.connect() as connection:
            if queries.is_copied(connection, ticker.id, history.bars.session[0].item()):
                return
        with self.engine.begin() as connection:
            writes.copy_bars(connection, ticker.id, as_known(history))

    def write_error(self, ticker: queries.TickerRow, message: str) -> None:
        """Store why a ticker's fetch failed."""
        with self.engine.begin() as connection:
            writes.update_ticker(connection, ticker.id, last_error=shortened(message, LONGEST_ERROR))

    def write_unknown(self, stored: StoredPrices, ticker: queries.TickerRow, message: str) -> TickerStatus:
        """Store that a live source has no such ticker, and return the ticker's new status."""
        behind = self._sessions_behind(ticker.exchange, stored.file.last_session) if stored.file else 0
        status = status_after_unknown(sessions_behind=behind, before=ticker.status, failures=ticker.failures, now=self.now)
        with self.engine.begin() as connection:
            writes.update_ticker(
                connection, ticker.id, last_error=shortened(message, LONGEST_ERROR), status=status.status,
                failures=status.failures, probe_at=status.probe_at,
            )  # fmt: skip
            self._record_status_change(connection, ticker, status)
        return status

    def _sessions_behind(self, exchange: str, last: date) -> int:
        """Return how many closed sessions are newer than a bar."""
        calendar = exchange_calendar(exchange)
        closed = calendar.last_closed_session(self.now, self.after_close_minutes)
        return calendar.sessions_between(last, closed) if closed else 0

    def _add_ticker(self, connection: Connection, symbol: str, merge: Merge, binding: Binding) -> queries.TickerRow:
        writes.add_ticker(connection, symbol, merge.history.listing, source=binding.kind, tracked=False, at=self.now)
        return stored_ticker(connection, symbol)

    def _decide_stored(self, connection: Connection, ticker_id: int, merge: Merge, verdicts: Iterable[Verdict]) -> None:
        """Decide the quarantined bars of sessions that have a stored bar now: noted if it is the same one, else refused."""
        known = as_known(merge.history)
        values = zip(known.close.tolist(), known.split.tolist(), known.dividend.tolist(), strict=True)
        stored = dict(zip(known.session.tolist(), values, strict=True))
        decided = stored.keys() - {verdict.session for verdict in verdicts if verdict.state == QUARANTINED}
        rows = [row for row in queries.verdicts(connection, ticker_id, QUARANTINED) if row["session"] in decided]
        same = {row["session"] for row in rows if (row["close"], row["split"], row["dividend"]) == stored[row["session"]]}
        for days, state, message in (
            (same, NOTED, "stored, since the bars before it are decided"),
            ({row["session"] for row in rows} - same, REFUSED, "the source now has another bar, which is stored"),
        ):
            if days:
                writes.decide_verdicts(connection, ticker_id, sorted(days), state=state, at=self.now, message=message)

    def _status_after_answer(
        self, connection: Connection, ticker: queries.TickerRow, history: BarHistory, *, is_live: bool
    ) -> TickerStatus:
        last = history.bars.session[-1].item()
        has_newer = any(row["session"] > last for row in queries.verdicts(connection, ticker.id, QUARANTINED))
        return status_after_answer(
            is_live=is_live, sessions_behind=self._sessions_behind(history.listing.exchange, last),
            has_quarantine=has_newer, before=ticker.status, failures=ticker.failures, now=self.now,
        )  # fmt: skip

    def _record_restatement(self, connection: Connection, ticker_id: int, merge: Merge) -> None:
        """Record the event that values of stored bars changed, if any did."""
        if not merge.restated:
            return
        days = sorted({value.session for value in merge.restated})
        changed = f"{counted(len(merge.restated), 'value')} of {counted(len(days), 'stored bar')} changed"
        writes.record_event(
            connection, "restatement", f"{changed}, {days[0]} to {days[-1]}", at=self.now, run_id=self.run_id,
            ticker_id=ticker_id, session=days[0],
        )  # fmt: skip

    def _record_status_change(self, connection: Connection, ticker: queries.TickerRow, status: TickerStatus) -> None:
        """Record the event that a ticker became suspended or quarantined, or is so no longer."""
        if status.status == ticker.status or not {status.status, ticker.status} & EVENT_STATUSES:
            return
        message = f"{ticker.status} before, {status.status} now"
        if status.probe_at:
            message += f"; retried from {status.probe_at:%Y-%m-%d}"
        writes.record_event(connection, "status", message, at=self.now, run_id=self.run_id, ticker_id=ticker.id)
