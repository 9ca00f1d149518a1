"""Requests company events from Yahoo for the stocks whose prices come from there, and stores what is new.

The next report is requested once a session when it may be near, else about once a week; past ones at first and then once a month.
A failure changes no exit code: the stored events serve, and one line says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zlib import crc32

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.commit_group import CommitGroup
from tickercast.jobs.prices.company_events import new_reports
from tickercast.jobs.prices.sending import Send, send_here
from tickercast.jobs.prices.sources.base import BadSourceData, SourceError, SourceUnavailable
from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.terminal.text import counted
from tickercast.storage import queries, writes
from tickercast.storage.database import Engine

if TYPE_CHECKING:
    from tickercast.jobs.prices.sources.yahoo_events import YahooEvents

CALENDAR, HISTORY = "calendar", "history"
HISTORY_EVERY = timedelta(days=30)
NEAR = timedelta(days=21)  # companies confirm their date about as long before; forecasts read it some sessions before
FAR_DAYS = range(5, 10)  # between two requests for a report that is further ahead, by ticker, so that no day has them all
RETRY_AFTER = timedelta(minutes=15)
MOST_SILENT = 3  # tickers in a row without a response: then no request is sent for the others
SPARE_SECONDS, PACE = 60.0, 4.0  # of a run's time for events: what its requests take at the rate limit, times PACE, and a minute
LONGEST_MESSAGE = 300

Requests = Mapping[tuple[str, str], queries.RequestRow]


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """What Yahoo said of one kind of a ticker's dates. days: None where its page of past reports has no table."""

    ticker: queries.TickerRow
    kind: str
    days: list[date] | None
    failure: SourceError | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a run's requests. errors: by symbol. tickers, postponed: how many had some due, were left."""

    tickers: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    postponed: int = 0

    def note(self) -> str | None:
        """Return one line about what was not fetched, None where everything was."""
        parts = []
        if self.errors:
            first = next(iter(self.errors.values()))
            parts.append(f"company events of {len(self.errors)} of {counted(self.tickers, 'ticker')} not fetched, first {first}")
        if self.postponed:
            parts.append(f"company events of {counted(self.postponed, 'ticker')} left for the next run")
        return "; ".join([*parts, "the stored ones serve"]) if parts else None


class EventRequests:
    """Requests what is due at an instant. monotonic: the clock of the longest time, in seconds. outcome: of all requests so far.

    send: how a request is sent.
    """

    def __init__(
        self,
        engine: Engine,
        sources: Sources,
        now: datetime,
        after_close_minutes: int,
        monotonic: Callable[[], float] = time.monotonic,
        send: Send = send_here,
    ) -> None:
        self.engine, self.sources, self.now, self.after_close_minutes = engine, sources, now, after_close_minutes
        self.monotonic, self.send, self.outcome = monotonic, send, Outcome()
        self._answers = CommitGroup[EventAnswer](monotonic)

    def fetch(self, tickers: Sequence[queries.TickerRow], stop: threading.Event) -> str | None:
        """Request what is due of some tickers and store it. Returns the note about what was not fetched so far in this run."""
        with self.engine.connect() as connection:
            asked = queries.context_requests(connection)
            ahead = queries.next_reports(connection, self.now.date())
        due = [(ticker, kinds) for ticker in tickers if (kinds := tuple(self._due(ticker, asked, ahead.get(ticker.id))))]
        rate = self.sources.home.settings.yahoo.requests_per_second
        end = self.monotonic() + SPARE_SECONDS + PACE * sum(len(kinds) for _, kinds in due) / rate
        silent = 0
        self.outcome.tickers += len(due)
        for done, (ticker, kinds) in each_with_progress("company events", list(enumerate(due))):
            if stop.is_set() or silent == MOST_SILENT or self.monotonic() > end:
                self.outcome.postponed += len(due) - done
                break
            is_silent = self._fetch_one(ticker, kinds)
            silent = silent + 1 if is_silent else 0
            if self._answers.is_due:
                self._store(self._answers.take())
        self._store(self._answers.take())
        return self.outcome.note()

    def _due(self, ticker: queries.TickerRow, asked: Requests, report: date | None) -> Iterator[str]:
        """Yield the kinds of requests that are due of a ticker: none unless it is a stock with prices from Yahoo.

        report: the nearest day that is known of its next report.
        """
        if ticker.kind != "stock" or ticker.source != "yahoo":
            return
        if self._is_calendar_due(ticker, asked.get((ticker.key, CALENDAR)), report):
            yield CALENDAR
        history = asked.get((ticker.key, HISTORY))
        if history is None or _is_retried(history, self.now) or self.now >= history.asked_at + HISTORY_EVERY:
            yield HISTORY

    def _is_calendar_due(self, ticker: queries.TickerRow, asked: queries.RequestRow | None, report: date | None) -> bool:
        if asked is None or _is_retried(asked, self.now):
            return True
        if report is not None and report > self.now.date() + NEAR:
            return self.now >= asked.asked_at + timedelta(days=FAR_DAYS[crc32(ticker.key.encode()) % len(FAR_DAYS)])
        calendar = exchange_calendar(ticker.exchange)
        closed = calendar.last_closed_session(self.now, self.after_close_minutes)
        return closed is not None and asked.asked_at < calendar.close_at(closed)

    def _fetch_one(self, ticker: queries.TickerRow, kinds: Sequence[str]) -> bool:
        """Request some kinds of a ticker's dates, and return whether Yahoo gave no response."""
        try:
            events = self._events(ticker)
        except SourceError as error:
            self.outcome.errors[ticker.symbol] = str(error)
            return isinstance(error, SourceUnavailable)
        for kind in kinds:
            answer = self._request(ticker, kind, events)
            self._answers.add(answer)
            if isinstance(answer.failure, SourceUnavailable):
                return True
        return False

    def _events(self, ticker: queries.TickerRow) -> YahooEvents:
        from tickercast.jobs.prices.sources.yahoo import YahooSource

        source = self.sources.open(self.sources.binding_of(ticker), ticker.symbol)
        assert isinstance(source, YahooSource)
        return source.events

    def _request(self, ticker: queries.TickerRow, kind: str, events: YahooEvents) -> EventAnswer:
        """Send one request and return what it came to."""
        try:
            if kind == HISTORY:
                today = self.now.date()
                return EventAnswer(ticker, kind, self.send(lambda: events.past_dates(ticker.symbol, ticker.time_zone, today)))
            day = self.send(lambda: events.next_date(ticker.symbol, ticker.time_zone))
            return EventAnswer(ticker, kind, [day] if day else [])
        except SourceError as error:
            return EventAnswer(ticker, kind, [], error)

    def _store(self, answers: Sequence[EventAnswer]) -> None:
        """Store what some requests came to and that they were sent, in one transaction."""
        if not answers:
            return
        messages: dict[tuple[str, str], str | None] = {}
        with self.engine.begin() as connection:
            known = queries.all_company_events(connection, {answer.ticker.id for answer in answers}, self.now)
            for answer in answers:
                reports = known.setdefault(answer.ticker.id, [])
                failure = answer.failure or _form_failure(answer, reports)
                added = new_reports(reports, answer.days or [], self.now)
                writes.add_reports(connection, answer.ticker.id, added, source="yahoo")
                reports += added
                messages[answer.ticker.key, answer.kind] = shortened(str(failure), LONGEST_MESSAGE) if failure else None
                if failure is not None:
                    self.outcome.errors.setdefault(answer.ticker.symbol, str(failure))
            writes.note_context_requests(connection, messages, at=self.now)


def _form_failure(answer: EventAnswer, known: Sequence[tuple[date, datetime]]) -> SourceError | None:
    """Return the error of a page of past reports without any, of a company with reports: the page has changed its form."""
    if answer.days is not None or not known:
        return None
    return BadSourceData(f"{answer.ticker.symbol}: Yahoo's page of past reports has no table")


def _is_retried(asked: queries.RequestRow, now: datetime) -> bool:
    """Return whether a request failed and may be sent again, before its time."""
    return asked.failing_since is not None and now >= asked.asked_at + RETRY_AFTER
