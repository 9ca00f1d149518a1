"""From fetched tickers to backlogs: the bars of each one as known, and its due sessions. Which tickers come when: feed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

import numpy as np

from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.forecasting.context import Reference
from tickercast.jobs.forecasting.prior import UNIVERSE, Member
from tickercast.jobs.prices.ingest import Ingested
from tickercast.jobs.prices.sources.base import BadSourceData, SourceError, SourceUnavailable, UnknownTicker
from tickercast.jobs.runs.backlog import TickerBacklog, due_by_exchange
from tickercast.jobs.runs.batches import Batch
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.priors import owed_cutoffs
from tickercast.jobs.runs.record import RunRecord
from tickercast.storage import queries
from tickercast.storage.bars import BarHistory, Bars, as_known
from tickercast.storage.database import Engine
from tickercast.storage.errors import Corrupt

DueSessions = Callable[[Bars, Set[date]], list[date]]


@dataclass(slots=True)
class Fetched:
    """What fetching left: the backlogs of tickers with enough bars, failures by symbol, suspended symbols, notes for people.

    members: of the universe that the config names, with all their stored bars. references: the volatility index of each exchange
    that has one, as known. left: why a ticker is left for the next run, by symbol. reached: how many tickers had their turn.
    """

    backlogs: list[TickerBacklog] = field(default_factory=list)
    failures: dict[str, SourceError | Corrupt | str] = field(default_factory=dict)
    suspended: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    reached: int = 0

    @property
    def succeeded(self) -> int:
        """Return how many tickers are up to date."""
        return self.reached - len(self.failures) - len(self.suspended)

    @property
    def reasons(self) -> dict[str, str]:
        """Return why tickers failed, by symbol."""
        return {symbol: str(error) for symbol, error in self.failures.items()}

    def add(self, other: Fetched) -> None:
        """Add what another batch left, without its bars."""
        nothing = np.array([], np.intp)  # an empty slice would be a view, which keeps all bars in memory
        self.backlogs += [replace(b, bars=b.bars.select(nothing), committed=frozenset(), events=None) for b in other.backlogs]
        self.failures |= other.failures
        self.suspended += other.suspended
        self.notes += [note for note in other.notes if note not in self.notes]
        self.left |= other.left
        self.reached += other.reached


class BacklogReader:
    """Makes backlogs of the tickers of each batch.

    due_sessions: which sessions to forecast from, given bars and committed origins. universe: symbols of the config's members.
    """

    def __init__(self, engine: Engine, record: RunRecord, options: RunOptions, due_sessions: DueSessions) -> None:
        self.engine, self.record, self.options, self.due_sessions = engine, record, options, due_sessions
        self.universe = options.config.universe if options.config.prior == UNIVERSE else ()
        self.members: list[Member] = []
        self._missing: dict[str, SourceError | Corrupt | None] = {}

    def read(self, batch: Batch, symbols: Collection[str]) -> Fetched:
        """Return the backlogs of a batch. symbols: those of the run; what is fetched beside them is for the universe alone."""
        fetched = Fetched(left={symbol: reason for symbol, reason in batch.left.items() if symbol in symbols})
        for symbol, ingested in batch.ingested.items():
            if symbol in self.universe:
                self._add_member(symbol, ingested, batch.now)
            if symbol in symbols:
                self._read_one(symbol, ingested, batch.now, fetched)
        for symbol in batch.left.keys() & set(self.universe):
            self._missing[symbol] = SourceUnavailable(batch.left[symbol])
        fetched.members.extend(self.members)
        self._tell_missing(fetched)
        return fetched

    def _add_member(self, symbol: str, ingested: Ingested, now: datetime) -> None:
        """Add a member of the universe, with its stored bars, whoever is tracked and whatever failed."""
        if ingested.history is None or ingested.ticker is None:
            self._missing[symbol] = ingested.error
            return
        ticker = ingested.ticker
        kind = ticker.kind or kind_of_symbol(ticker.symbol)
        self.members.append(Member(ticker.key, ticker.exchange, as_known(ingested.history, known_at=now), kind))

    def _tell_missing(self, fetched: Fetched) -> None:
        """Tell which members have no bars. A member is left out where its source has none.

        Where it just could not be fetched and a prior is owed, every ticker with due sessions fails: a prior without that member
        would serve for long.
        """
        due = due_by_exchange(fetched.backlogs)
        for symbol, error in self._missing.items():
            if isinstance(error, (UnknownTicker, BadSourceData)) or not self._owes_prior(due):
                fetched.notes.append(f"{symbol} of the universe has no bars ({error})")
            else:
                self._fail_due(fetched, f"no forecast before {symbol} of the universe has bars ({error})")

    def _owes_prior(self, due: Mapping[str, Sequence[date]]) -> bool:
        return any(owed_cutoffs(self.record, self.options.config, due).values())

    def _fail_due(self, fetched: Fetched, reason: str) -> None:
        """Make every ticker with due sessions a failure, and its sessions no longer due in this run."""
        for index, backlog in enumerate(fetched.backlogs):
            if backlog.due:
                fetched.failures[backlog.symbol] = f"{backlog.symbol}: {reason}"
                fetched.backlogs[index] = replace(backlog, due=())

    def _read_one(self, symbol: str, ingested: Ingested, now: datetime, fetched: Fetched) -> None:
        fetched.reached += 1
        if ingested.is_suspended:
            fetched.suspended.append(symbol)
        if ingested.error is not None:
            fetched.failures[symbol] = ingested.error
        elif ingested.history is not None and ingested.ticker is not None:
            self._add_backlog(ingested.ticker, ingested.history, now, fetched)

    def _add_backlog(self, ticker: queries.TickerRow, history: BarHistory, now: datetime, fetched: Fetched) -> None:
        """Add a ticker's backlog. Too few bars are a failure of a backfill; a daily run waits for more."""
        config = self.options.config
        bars = as_known(history, known_at=now)
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
        if self.options.is_backfill:
            with self.engine.connect() as connection:
                return queries.committed_origins(connection, ticker_id, self.options.config.id)
        newest = self._newest_origins.get(ticker_id)
        return set() if newest is None else {newest}

    @cached_property
    def _newest_origins(self) -> dict[int, date]:
        """Return each ticker's newest origin before this run, by ticker id."""
        with self.engine.connect() as connection:
            return queries.last_origins(connection, self.options.config.id)
