"""The one transaction that stores what some tickers' sources came to: files, bars, verdicts, statuses, events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.prices.answers import Answer
from tickercast.jobs.prices.bindings import Binding
from tickercast.jobs.prices.judging import JudgedFetch
from tickercast.jobs.prices.sources.base import UnknownTicker
from tickercast.jobs.prices.stored_prices import StoredPrices
from tickercast.jobs.prices.ticker_status import TickerStatus, status_after_answer, status_after_unknown
from tickercast.jobs.prices.tickers import stored_ticker
from tickercast.jobs.prices.verdicts import NOTED, QUARANTINED, REFUSED, Verdict, verdict_row
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.terminal.text import counted
from tickercast.storage import bar_files, queries, writes
from tickercast.storage.bars import BarHistory, Merge, as_known
from tickercast.storage.database import Connection, Engine
from tickercast.storage.price_store import PriceAddress

LONGEST_ERROR = 500
EVENT_STATUSES = {"suspended", "held"}  # entering or leaving one of these is an event


@dataclass(frozen=True, slots=True)
class Written:
    """A ticker after its answer is stored.

    sha256: of its file, None while a bar is quarantined and after an error. is_suspended: whether it is unknown to its source,
    which suspended it. changed: its changed columns, with its id.
    """

    ticker: queries.TickerRow | None
    sha256: str | None = None
    is_suspended: bool = False
    changed: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """Stores what one run fetched. prices: the folder of the price files."""

    engine: Engine
    prices: PriceAddress
    now: datetime
    after_close_minutes: int
    run_id: int | None

    def write(self, stored: StoredPrices, judged: JudgedFetch, binding: Binding, is_live: bool) -> None:
        """Store a fetched history, its verdicts and the ticker's status, and bind it to its source."""
        file = bar_files.encode_bars(judged.merge.history) if judged.merge.changed or stored.damage else None
        self.write_all([Answer(stored, binding, is_live, judged, file)])

    def write_all(self, answers: Sequence[Answer]) -> list[Written]:
        """Store what some answers came to, and return each ticker as it is then.

        The price files are written first. The transaction that names them, and copies their bars to SQL, is the commit.
        """
        bar_files.write_files(self.prices, [answer.file for answer in answers if answer.file is not None])
        uncopied = _uncopied(self.engine, answers)
        if not uncopied and all(answer.is_empty for answer in answers):
            return [Written(answer.stored.ticker) for answer in answers]
        with self.engine.begin() as connection:
            for ticker_id, history in uncopied.items():
                writes.copy_bars(connection, ticker_id, as_known(history))
            tickers = [_ticker(connection, answer, self.now) for answer in answers]
            self._name_files(connection, answers, tickers)
            pairs = zip(answers, tickers, strict=True)
            written = [self._written(connection, answer, ticker) for answer, ticker in pairs]
            for rows in _by_columns([one.changed for one in written if one.changed]):
                writes.update_tickers(connection, rows)
        return written

    def _name_files(self, connection: Connection, answers: Sequence[Answer], tickers: Sequence[queries.TickerRow | None]) -> None:
        """Record the files that were written, copy their bars, and enter which stored values changed."""
        merges = []
        for answer, ticker in zip(answers, tickers, strict=True):
            if answer.file is None or answer.judged is None or ticker is None:
                continue
            merge = answer.judged.merge
            if answer.stored.damage:
                merge = replace(merge, changed_from=None)  # the copy in SQL is compared as a whole
            merges.append(writes.WrittenMerge(ticker.id, answer.file.written, merge))
        writes.record_merges(connection, merges, at=self.now)
        for one in merges:
            self._record_restatement(connection, one.ticker_id, one.merge)

    def _written(self, connection: Connection, answer: Answer, ticker: queries.TickerRow | None) -> Written:
        """Store the verdicts and the events of an answer, and return the ticker with the columns that change."""
        if ticker is None or answer.is_empty:
            return Written(ticker)
        if answer.judged is not None and answer.binding is not None:
            return self._written_fetch(connection, answer, answer.judged, answer.binding, ticker)
        message = shortened(str(answer.shown_error), LONGEST_ERROR)
        if not isinstance(answer.error, UnknownTicker) or not answer.is_live:
            return Written(ticker, changed={"id": ticker.id, "last_error": message})
        file = answer.stored.file
        behind = self._sessions_behind(ticker.exchange, file.last_session) if file else 0
        status = status_after_unknown(sessions_behind=behind, before=ticker.status, failures=ticker.failures, now=self.now)
        self._record_status_change(connection, ticker, status)
        changed = {"id": ticker.id, "last_error": message, **asdict(status)}
        return Written(ticker, changed=changed, is_suspended=status.status == "suspended")

    def _written_fetch(
        self, connection: Connection, answer: Answer, judged: JudgedFetch, binding: Binding, ticker: queries.TickerRow
    ) -> Written:
        """Store the verdicts of a fetch and what they decide, and return the ticker with its status and its source."""
        stored, listing = answer.stored, judged.merge.history.listing
        writes.record_verdicts(connection, ticker.id, [verdict_row(v) for v in judged.verdicts], at=self.now)
        quarantined: list[date] = []
        if stored.quarantined_from or judged.is_in_doubt:  # else no bar is in quarantine
            _decide_stored(connection, ticker.id, judged.merge, judged.verdicts, self.now)
            quarantined = [row["session"] for row in queries.verdicts(connection, ticker.id, QUARANTINED)]
        status = self._status_after_answer(ticker, judged.merge.history, quarantined, is_live=answer.is_live)
        self._record_status_change(connection, ticker, status)
        kind = ticker.kind or listing.kind or kind_of_symbol(stored.symbol)
        changed = {
            "id": ticker.id, "currency": listing.currency, "price_basis": listing.price_basis, "exchange": listing.exchange,
            "time_zone": listing.time_zone, "last_error": None, **asdict(status), "source": binding.kind,
            "source_path": binding.path, "adjustment": binding.adjustment, "kind": kind,
        }  # fmt: skip
        now = replace(ticker, exchange=listing.exchange, status=status.status, kind=kind)
        file = answer.file.written if answer.file else stored.file
        return Written(now, sha256=file.sha256 if file and not quarantined else None, changed=changed)

    def _sessions_behind(self, exchange: str, last: date) -> int:
        """Return how many closed sessions are newer than a bar."""
        calendar = exchange_calendar(exchange)
        closed = calendar.last_closed_session(self.now, self.after_close_minutes)
        return calendar.sessions_between(last, closed) if closed else 0

    def _status_after_answer(
        self, ticker: queries.TickerRow, history: BarHistory, quarantined: Sequence[date], *, is_live: bool
    ) -> TickerStatus:
        last = history.bars.session[-1].item()
        return status_after_answer(
            is_live=is_live, sessions_behind=self._sessions_behind(history.listing.exchange, last) if is_live else 0,
            has_quarantine=any(day > last for day in quarantined), before=ticker.status, failures=ticker.failures, now=self.now,
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


def _by_columns(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the rows in groups that have the same columns."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return list(groups.values())


def _ticker(connection: Connection, answer: Answer, at: datetime) -> queries.TickerRow | None:
    """Return the ticker of an answer, added if it is new and has bars."""
    stored, judged, binding = answer.stored, answer.judged, answer.binding
    if stored.ticker is not None or judged is None or binding is None:
        return stored.ticker
    writes.add_ticker(connection, stored.symbol, judged.merge.history.listing, source=binding.kind, tracked=False, at=at)
    return stored_ticker(connection, stored.symbol)


def _uncopied(engine: Engine, answers: Sequence[Answer]) -> dict[int, BarHistory]:
    """Return the stored histories that an earlier version did not copy to SQL, by ticker id."""
    pairs = [(answer.stored.ticker, answer.stored.history) for answer in answers]
    stored = {ticker.id: history for ticker, history in pairs if ticker is not None and history is not None}
    first = {ticker_id: history.bars.session[0].item() for ticker_id, history in stored.items()}
    if not first:
        return {}
    with engine.connect() as connection:
        return {ticker_id: stored[ticker_id] for ticker_id in sorted(queries.uncopied(connection, first))}


def _decide_stored(connection: Connection, ticker_id: int, merge: Merge, verdicts: Iterable[Verdict], at: datetime) -> None:
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
            writes.decide_verdicts(connection, ticker_id, sorted(days), state=state, at=at, message=message)
