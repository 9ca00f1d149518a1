"""One run from prices to forecasts: fetch each ticker, walk over what it owes, sum up. backfill and daily differ only in
which sessions they owe; everything else is here, so that both leave the same record."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from types import FrameType

from sqlalchemy import Engine

from jobs.errors import Interrupted, NothingFetched, SomeTickersFailed, UsageError
from jobs.exchanges.calendars import exchange_calendar
from jobs.exchanges.symbols import parse_symbol
from jobs.forecasting.inputs import Market
from jobs.prices.ingest import Ingest, Ingested
from jobs.prices.sources import open_source
from jobs.prices.sources.base import SourceError, SourceUnavailable
from jobs.runs.record import RunLedger
from jobs.runs.stacks import Owing, walk
from jobs.terminal.progress import progress_bar
from jobs.workspace.config import Config
from jobs.workspace.home import Home
from storage import queries
from storage.bars import Bars, as_known

SHOWN = 5
Chooser = Callable[[Bars, Set[date]], list[date]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: counts, and one line that says so."""

    tickers: int
    failed: dict[str, str]
    forecasts: int
    message: str


class Cycle:
    """One run over some tickers. Opened with the writer lock held; run() may be called once."""

    def __init__(
        self,
        home: Home,
        engine: Engine,
        *,
        kind: str,
        now: datetime,
        config: Config,
        source: str | None = None,
        adjustment: str | None = None,
        workers: int | None = None,
        with_twins: bool = False,
        anew: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self.with_twins, self.anew = with_twins, anew
        self.home, self.engine, self.config, self.now, self.kind = home, engine, config, now, kind
        self.source = open_source(home, source, adjustment)
        self.workers = workers or home.settings.compute.workers or os.cpu_count() or 1
        self.stop = stop
        self.ledger = RunLedger(engine, kind=kind, now=now, config=config, settings_config=home.settings.config())
        self.ingest = Ingest(
            engine, home.prices, self.source, now, home.settings.schedule.after_close_minutes, self.ledger,
            probing=kind == "backfill",
        )  # fmt: skip
        self.resting: list[str] = []

    def tracked(self) -> tuple[str, ...]:
        """Return the symbols that the daily run follows."""
        with self.engine.connect() as connection:
            return tuple(t.symbol for t in queries.list_tickers(connection) if t.tracked)

    def run(self, symbols: Sequence[str], choose: Chooser) -> Outcome:
        """Fetch, forecast, commit. Raises SomeTickersFailed, NothingFetched or Interrupted after committing the rest."""
        self.ingest.refuse_other_source(symbols)
        self.ledger.begin()
        with _stop_on_signals(self.stop) as stopping:
            try:
                failed, owing = self._fetch(symbols, choose, stopping)
                done = self._walk(owing, stopping)
            except BaseException as error:
                self.ledger.finish("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", str(error))
                raise
        return self._close(symbols, failed, done, stopping)

    def _fetch(
        self, symbols: Sequence[str], choose: Chooser, stopping: _Stopping
    ) -> tuple[dict[str, SourceError | str], list[Owing]]:
        failed: dict[str, SourceError | str] = {}
        owing: list[Owing] = []
        with progress_bar("prices") as progress:
            for done, symbol in enumerate(symbols, start=1):
                if stopping.event.is_set():
                    break
                ingested = self.ingest.take(symbol)
                if ingested.resting:
                    self.resting.append(symbol)
                if ingested.history is None and ingested.resting:
                    progress(done, len(symbols))
                    continue
                if ingested.error is not None:
                    failed[symbol] = ingested.error
                elif (reason := self._owe(ingested, choose, owing)) is not None and self.kind == "backfill":
                    failed[symbol] = reason  # the daily run waits for more bars; `status` says too_short
                progress(done, len(symbols))
        return failed, owing

    def _twins(self) -> str:
        """Return what warm starts gained or lost against their cold twins, over the whole record of this config."""
        with self.engine.connect() as connection:
            found = queries.crps_against_twins(connection, self.config.id)
        if found is None:
            return ""
        ours, twins = found
        word = "better" if ours < twins else "worse"
        return f"; warm starts are {abs(1 - ours / twins):.2%} {word} than cold twins in CRPS one session ahead"

    def _warnings(self) -> str:
        """Return what will go wrong soon unless somebody acts: calendars that end."""
        exchanges = sorted({owing.exchange for owing in self.ledger.owing.values()})
        found = [warning for code in exchanges if (warning := exchange_calendar(code).ends_soon(self.now))]
        return "".join(f"; {warning}" for warning in found)

    def _owe(self, ingested: Ingested, choose: Chooser, owing: list[Owing]) -> str | None:
        """Add what a ticker owes; return why it can owe nothing at all, when it has too few bars."""
        ticker, history = ingested.ticker, ingested.history
        assert ticker is not None
        assert history is not None
        bars = as_known(history, known_at=self.now)
        with self.engine.connect() as connection:
            committed = queries.committed_origins(connection, ticker.id, self.config.id)
        due = tuple(day for day in choose(bars, committed) if day not in committed)
        if len(bars) < self.config.fewest_sessions:
            self.ledger.mark_too_short(ticker.id)
            return f"{len(bars)} bars, a forecast needs {self.config.fewest_sessions}; the bars are kept"
        owing.append(
            Owing(
                ticker.id,
                ticker.symbol,
                ticker.first_symbol,
                ticker.exchange,
                history.listing.price_basis,
                bars,
                due,
                frozenset(committed),
            )
        )
        return None

    def _market(self) -> Market | None:
        """Return the market ticker's bars as known, fetched though nobody may track it. Raises UsageError where it has none."""
        if not self.config.market_ticker:
            return None
        symbol = parse_symbol(self.config.market_ticker)
        ingested = self.ingest.take(symbol)
        if ingested.history is None or ingested.ticker is None:
            raise UsageError(f"model.market_ticker {symbol}: {ingested.error}; no forecast was made")
        return Market(as_known(ingested.history, known_at=self.now), ingested.ticker.exchange)

    def _walk(self, owing: Sequence[Owing], stopping: _Stopping) -> bool:
        self.ledger.watch(owing)
        market = self._market()
        with progress_bar("forecasts") as progress:
            return walk(
                owing,
                self.config,
                self.ledger,
                workers=self.workers,
                market=market,
                with_twins=self.with_twins,
                anew=self.anew,
                stack_size=self.home.settings.compute.stack,
                stop=stopping.event,
                progress=progress,
            )

    def _close(self, symbols: Sequence[str], failed: dict[str, SourceError | str], done: bool, stopping: _Stopping) -> Outcome:
        self.ledger.revise_scores()
        self.ledger.refresh_skill()
        reasons = {symbol: str(error) for symbol, error in failed.items()}
        succeeded = len(symbols) - len(failed) - len(self.resting)
        message = f"{succeeded} of {len(symbols)} tickers, {self.ledger.forecasts} new forecasts"
        if self.source.live:
            message += f", {self.source.requests} requests"
        if self.resting:
            message += f"; suspended, asked for again later: {_some(self.resting)}"
        message += self._warnings()
        if self.with_twins:
            message += self._twins()
        if failed:
            first = next(iter(reasons.items()))
            message += f"; {len(failed)} failed, first {_told(*first)}; what is stored stays"
        status = "interrupted" if not done else "done" if not failed else "partial" if succeeded else "failed"
        self.ledger.finish(status, message, reasons)
        if stopping.signal_number is not None:
            raise Interrupted(f"stopped by a signal; {message}; the same command goes on", stopping.signal_number)
        if failed and not succeeded and all(isinstance(e, SourceUnavailable) for e in failed.values()):
            raise NothingFetched(message)
        if failed:
            raise SomeTickersFailed(message)
        return Outcome(len(symbols), reasons, self.ledger.forecasts, message)


def _some(symbols: Sequence[str]) -> str:
    return ", ".join(symbols[:SHOWN]) + (f" and {len(symbols) - SHOWN} more" if len(symbols) > SHOWN else "")


def _told(symbol: str, reason: str) -> str:
    return reason if reason.startswith(symbol) else f"{symbol}: {reason}"


class _Stopping:
    """Whether to stop at the next unit of work, and the signal that asked for it."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.signal_number: int | None = None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        if self.event.is_set():
            raise KeyboardInterrupt  # the second one ends at once; the open transaction rolls back
        self.signal_number = number
        self.event.set()


class _stop_on_signals:
    """While it lasts SIGINT and SIGTERM stop at the next unit; with a daemon's own event its handlers stay."""

    def __init__(self, event: threading.Event | None) -> None:
        self.stopping = _Stopping(event or threading.Event())
        self.own = event is None and threading.current_thread() is threading.main_thread()
        self.before: dict[int, object] = {}

    def __enter__(self) -> _Stopping:
        if self.own:
            self.before = {n: signal.signal(n, self.stopping.handle) for n in (signal.SIGINT, signal.SIGTERM)}
        return self.stopping

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
