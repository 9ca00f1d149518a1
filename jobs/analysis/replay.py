"""Replay: compute stored forecasts again, from bars and context as they were known when each was made, and compare the numbers.

A chain is followed from the nearest stored checkpoint before a forecast, one session after the other. Nothing is written.
Not here: which rows were changed since they were inserted (storage.digests), which needs no computation.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np

from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import ExchangeCalendar
from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.forecasting.chains import FIRST_ORIGIN
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.forecasting.tasks import Parent, Prior, StackResult, StackTask, TickerTask
from tickercast.jobs.runs.backlog import bars_of_block
from tickercast.jobs.runs.lineage import parent_at
from tickercast.jobs.runs.prior_plan import end_of_service
from tickercast.jobs.runs.sessions import recorded_calendar
from tickercast.jobs.runs.spans import origin_of, session_days
from tickercast.jobs.runs.stored_context import stored_events, stored_reference
from tickercast.jobs.terminal.progress import each_with_progress
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import BarHistory, as_known
from tickercast.storage.database import Connection, reading
from tickercast.storage.errors import Corrupt

TOLERANCE = 1e-5  # relative, where the forecast was made on another fingerprint
EQUAL, CLOSE, DIFFERS, IMPOSSIBLE = "equal", "close", "differs", "cannot be replayed"

LONGEST_ID = 64  # characters


@dataclass(frozen=True, slots=True)
class Replayed:
    """The replay of one ticker's forecasts at one origin.

    result: equal (every number has the same bytes), close (made on another fingerprint, within the tolerance), differs, or cannot
    be replayed, with the reason in detail. steps: sessions that were computed.
    """

    ticker: str
    origin: str
    model_id: str
    steps: int
    result: str
    detail: str


COLUMNS = tuple(field.name for field in fields(Replayed))


def replay_model(home: Home, beginning: str) -> list[Replayed]:
    """Return the replays of all forecasts of the model whose id begins with some digits. Raises UsageError without any."""
    with reading(home.database) as connection:
        keys = queries.origins_of_model(connection, beginning) if beginning.isascii() and len(beginning) <= LONGEST_ID else []
        if not keys:
            raise UsageError(f"{beginning}: no model of a stored forecast has such an id; see model_id of latest_forecast")
        return _replayed(home, connection, keys)


def replay_sample(home: Home, count: int | None, seed: int) -> list[Replayed]:
    """Return the replays of some stored origins, drawn at random, or of all of them (None)."""
    with reading(home.database) as connection:
        keys = queries.all_origins(connection)
        if count is not None and count < len(keys):
            keys = random.Random(seed).sample(keys, count)
        return _replayed(home, connection, keys)


def _replayed(home: Home, connection: Connection, keys: Sequence[queries.OriginKey]) -> list[Replayed]:
    replayer = _Replayer(home, connection)
    return [replayer.replay(key) for key in each_with_progress("replaying sessions", keys)]


def summary_of(found: Sequence[Replayed]) -> str:
    """Return a closing line. Raises Corrupt where a replay differs from what is stored."""
    if not found:
        return "no session to replay: there are no forecasts yet; `tickercast backfill` makes some"
    counts = Counter(row.result for row in found)
    parts = [f"{counts[result]} {result}" for result in (EQUAL, CLOSE, DIFFERS, IMPOSSIBLE) if counts[result]]
    line = f"{counted(len(found), 'session')} replayed: {', '.join(parts)}"
    if counts[DIFFERS]:
        raise Corrupt(f"{line}; `tickercast verify --deep` tells whether rows were changed")
    return line


class CannotReplay(Exception):
    """Why a stored forecast cannot be computed again."""


class _Replayer:
    """Reads what replays need, each price file and config once."""

    def __init__(self, home: Home, connection: Connection) -> None:
        self.home, self.connection = home, connection
        self.tickers = {ticker.id: ticker for ticker in queries.list_tickers(connection)}
        self.histories: dict[int, BarHistory] = {}
        self.calendars: dict[tuple[str, int], ExchangeCalendar] = {}
        self.here = fingerprint()

    def replay(self, key: queries.OriginKey) -> Replayed:
        """Return the replay of one origin."""
        ticker = self.tickers[key.ticker_id]
        chain = self._chain(key)
        target = chain[-1]
        try:
            result = self._computed(key, ticker, chain)
            outcome, detail = self._compared(target, result)
        except CannotReplay as error:
            outcome, detail = IMPOSSIBLE, str(error)
        return Replayed(ticker.symbol, key.origin.isoformat(), target.model_id, len(chain), outcome, detail)

    def _chain(self, key: queries.OriginKey) -> list[queries.StoredOrigin]:
        """Return the origins to compute, oldest first: after the nearest kept checkpoint, or from where the chain began."""
        chain: list[queries.StoredOrigin] = []
        for stored in queries.origins_until(self.connection, key):
            if chain and (stored.has_checkpoint or chain[-1].reason == FIRST_ORIGIN):
                break
            chain.append(stored)
        return chain[::-1]

    def _computed(self, key: queries.OriginKey, ticker: queries.TickerRow, chain: Sequence[queries.StoredOrigin]) -> StackResult:
        """Return what the last origin of a chain gives, each computed from what was known when it was made."""
        config = self._config(key.config_id)
        history = self._history(ticker)
        sessions: list[date] = as_known(history, known_at=chain[0].made_at).session.tolist()
        before = sessions.index(chain[0].origin) - 1
        has_parent = before >= 0 and chain[0].reason != FIRST_ORIGIN
        parent = parent_at(self.connection, config, ticker.id, sessions[before]) if has_parent else None
        for stored in chain:
            task = self._task(config, ticker, history, stored, parent)
            result = forecast_stack(task)
            parent = result.parents.get(ticker.id)
        return result

    def _task(
        self, config: Config, ticker: queries.TickerRow, history: BarHistory, stored: queries.StoredOrigin, parent: Parent | None
    ) -> StackTask:
        calendar = self._calendar(ticker.exchange, stored)
        known = as_known(history, known_at=stored.made_at)
        bars = bars_of_block(known, stored.origin, stored.origin, config)
        task = TickerTask(
            ticker.id, ticker.key, history.listing.price_basis, bars, frozenset({stored.origin}), parent,
            kind=ticker.kind or kind_of_symbol(ticker.symbol),
            events=stored_events(self.connection, ticker.id, stored.made_at),
        )  # fmt: skip
        return StackTask(
            config,
            ticker.exchange,
            session_days(calendar, bars.session[0].item(), stored.origin),
            (origin_of(calendar, stored.origin, config.horizons),),
            (task,),
            priors=self._priors(config, calendar),
            reference=stored_reference(self.connection, self.home.prices, ticker.exchange, stored.made_at),
            force_cold=frozenset({ticker.id}) if stored.reason == "command" else frozenset(),
        )

    def _priors(self, config: Config, calendar: ExchangeCalendar) -> tuple[Prior, ...]:
        """Return the priors of the record that cold starts of a config may begin from."""
        if config.prior == "bundled":
            bundled = queries.bundled_priors_of(self.connection, config.id)
            return tuple(Prior(p.model_id, p.cutoff + timedelta(days=1), p.content, family=p.family) for p in bundled)
        return tuple(
            Prior(p.model_id, p.cutoff, p.content, end_of_service(config, calendar, p.cutoff))
            for p in queries.universe_priors(self.connection, config.id, calendar.code)
            if p.content is not None
        )

    def _calendar(self, exchange: str, stored: queries.StoredOrigin) -> ExchangeCalendar:
        """Return the calendar of an exchange as the run of a stored origin knew it."""
        if (exchange, stored.run_id) not in self.calendars:
            self.calendars[exchange, stored.run_id] = recorded_calendar(self.connection, exchange, stored.made_at)
        return self.calendars[exchange, stored.run_id]

    def _config(self, config_id: str) -> Config:
        settings = json.loads(queries.config_settings(self.connection, config_id))
        try:
            config = Config(**{**settings, "universe": tuple(settings.get("universe", ()))})
        except TypeError as error:
            raise CannotReplay("an earlier version made it, with other inputs and settings") from error
        if config.id != config_id:
            raise CannotReplay("an earlier version made it, with other settings")
        return config

    def _history(self, ticker: queries.TickerRow) -> BarHistory:
        if ticker.id not in self.histories:
            file = queries.current_file(self.connection, ticker.id)
            if file is None:
                raise CannotReplay("its bars are no longer stored")
            self.histories[ticker.id] = read_bars(self.home.prices, file.path, file.sha256)
        return self.histories[ticker.id]

    def _compared(self, stored: queries.StoredOrigin, result: StackResult) -> tuple[str, str]:
        """Return the result of a replay and its detail."""
        if not result.origins:
            return DIFFERS, "the replay made no forecast"
        row = result.origins[-1]
        ours, theirs = (
            np.array(numbers, np.float64) for numbers in (row.numbers, queries.stored_numbers(self.connection, stored.id))
        )
        if ours.shape == theirs.shape and np.array_equal(ours, theirs, equal_nan=True) and row.model_id == stored.model_id:
            return EQUAL, ""
        made_on = queries.fingerprint_of(self.connection, stored.run_id)
        if ours.shape == theirs.shape and made_on != self.here and np.allclose(ours, theirs, rtol=TOLERANCE, equal_nan=True):
            return CLOSE, f"within {TOLERANCE:g}, made on {made_on}"
        what = "its numbers" if row.model_id == stored.model_id else "its model"
        return DIFFERS, f"{what} differ from the stored ones"
