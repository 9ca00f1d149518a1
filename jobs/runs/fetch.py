"""The first half of a run: bring each ticker's prices up to date and list its due sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date

from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.forecasting.context import Reference
from tickercast.jobs.forecasting.prior import UNIVERSE, Member
from tickercast.jobs.prices.ingest import Ingest, Ingested
from tickercast.jobs.prices.sources.base import BadSourceData, SourceError, UnknownTicker
from tickercast.jobs.runs.backlog import TickerBacklog, due_by_exchange
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.priors import owed_cutoffs
from tickercast.jobs.runs.record import RunRecord
from tickercast.jobs.runs.workers import worker_pool
from tickercast.jobs.terminal.progress import each_with_progress, progress_bar
from tickercast.storage import queries
from tickercast.storage.bars import BarHistory, Bars, as_known
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt

DueSessions = Callable[[Bars, Set[date]], list[date]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What fetching left: the backlogs of tickers with enough bars, failures by symbol, suspended symbols, notes for people.

    members: of the universe that the config names, with all their stored bars. references: the volatility index of each exchange
    that has one, as known.
    """

    backlogs: list[TickerBacklog] = field(default_factory=list)
    failures: dict[str, SourceError | Corrupt | str] = field(default_factory=dict)
    suspended: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)

    @property
    def bars(self) -> dict[int, Bars]:
        """Return the bars as known, by ticker id."""
        return {backlog.ticker_id: backlog.bars for backlog in self.backlogs}


class BacklogFetcher:
    """Fetches tickers one after the other. due_sessions: which sessions to forecast from, given bars and committed origins."""

    def __init__(self, engine: Engine, ingest: Ingest, record: RunRecord, options: RunOptions, due_sessions: DueSessions) -> None:
        self.engine, self.ingest, self.record, self.options, self.due_sessions = engine, ingest, record, options, due_sessions
        self._ingested: dict[str, Ingested] = {}

    def fetch(self, symbols: Sequence[str], stop: threading.Event) -> Fetched:
        """Return the backlogs of some tickers, as far as fetching got before it was stopped."""
        fetched = Fetched()
        with ExitStack() as stack:
            progress = stack.enter_context(progress_bar("prices"))
            if self.options.workers > 1 and self.ingest.has_work_for_workers(symbols):
                submit = stack.enter_context(worker_pool(self.options.workers))
                found = self.ingest.fetch_by_workers(symbols, submit, stop)
            else:
                found = self.ingest.fetch_all(symbols, stop)
            for done, ingested in enumerate(found, start=1):
                if ingested.symbol in self.options.config.universe:
                    self._ingested[ingested.symbol] = ingested
                self._take(ingested, fetched)
                self.record.heart.beat()
                progress(done, len(symbols))
        return fetched

    def fetch_universe(self, fetched: Fetched, stop: threading.Event) -> None:
        """Add the members of the config's universe, each with its stored bars, whoever is tracked and whatever failed.

        A member without bars is left out where its source has none. Where it just could not be fetched and a prior is owed,
        every ticker with due sessions fails: a prior without that member would serve for long.
        """
        due = due_by_exchange(fetched.backlogs)
        members = self.options.config.universe if self.options.config.prior == UNIVERSE else ()
        for symbol in each_with_progress("prices of the universe", members):
            if stop.is_set():
                return
            ingested = self._ingest(symbol)
            if ingested.history is not None and ingested.ticker is not None:
                bars = as_known(ingested.history, known_at=self.options.now)
                ticker = ingested.ticker
                kind = ticker.kind or kind_of_symbol(ticker.symbol)
                fetched.members.append(Member(ticker.key, ticker.exchange, bars, kind))
            elif isinstance(ingested.error, (UnknownTicker, BadSourceData)) or not self._owes_prior(due):
                fetched.notes.append(f"{symbol} of the universe has no bars ({ingested.error})")
            else:
                self._fail_due(fetched, f"no forecast before {symbol} of the universe has bars ({ingested.error})")

    def _owes_prior(self, due: Mapping[str, Sequence[date]]) -> bool:
        return any(owed_cutoffs(self.record, self.options.config, due).values())

    def _ingest(self, symbol: str) -> Ingested:
        """Return a ticker with its history, fetched at most once in a run."""
        if symbol not in self._ingested:
            self._ingested[symbol] = self.ingest.fetch(symbol)
        return self._ingested[symbol]

    def _fail_due(self, fetched: Fetched, reason: str) -> None:
        """Make every ticker with due sessions a failure, and its sessions no longer due in this run."""
        for index, backlog in enumerate(fetched.backlogs):
            if backlog.due:
                fetched.failures[backlog.symbol] = f"{backlog.symbol}: {reason}"
                fetched.backlogs[index] = replace(backlog, due=())

    def _take(self, ingested: Ingested, fetched: Fetched) -> None:
        """Add what a ticker's fetch came to."""
        if ingested.is_suspended:
            fetched.suspended.append(ingested.symbol)
        if ingested.error is not None:
            fetched.failures[ingested.symbol] = ingested.error
        elif ingested.history is not None and ingested.ticker is not None:
            self._add_backlog(ingested.ticker, ingested.history, fetched)

    def _add_backlog(self, ticker: queries.TickerRow, history: BarHistory, fetched: Fetched) -> None:
        """Add a ticker's backlog. Too few bars are a failure of a backfill; a daily run waits for more."""
        config = self.options.config
        bars = as_known(history, known_at=self.options.now)
        if len(bars) < config.fewest_sessions:
            self.record.mark_too_short(ticker.id)
            if self.options.is_backfill:
                reason = f"{len(bars)} bars, a forecast needs {config.fewest_sessions}; the bars are kept"
                fetched.failures[ticker.symbol] = reason
            return
        committed = self._committed(ticker.id)
        due = tuple(day for day in self.due_sessions(bars, committed) if day not in committed)
        calendar = self.record.calendars.of(ticker.exchange)
        if (odd := next((day for day in due if not calendar.is_session(day)), None)) is not None:
            fetched.failures[ticker.symbol] = f"{ticker.symbol}: {odd} is not a session of {ticker.exchange}; its bars are kept"
            due = ()
        fetched.backlogs.append(
            TickerBacklog(
                ticker.id,
                ticker.symbol,
                ticker.key,
                ticker.exchange,
                history.listing.price_basis,
                bars,
                due,
                frozenset(committed),
                ticker.kind or kind_of_symbol(ticker.symbol),
            )
        )

    def _committed(self, ticker_id: int) -> set[date]:
        """Return the sessions of a ticker that have forecasts. A daily run needs the newest alone: it forecasts what is after."""
        config_id = self.options.config.id
        with self.engine.connect() as connection:
            if self.options.is_backfill:
                return queries.committed_origins(connection, ticker_id, config_id)
            newest = queries.newest_origin(connection, ticker_id, config_id)
        return set() if newest is None else {newest}
