"""One run from prices to forecasts: fetch each ticker, forecast its backlog, sum up.

backfill and daily differ only in which sessions are due. Everything else is here, so that both leave the same record.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from tickercast.jobs import clock
from tickercast.jobs.errors import Interrupted, NothingFetched, SettingsError, SomeTickersFailed
from tickercast.jobs.prices.bindings import Sources, refuse_other_source
from tickercast.jobs.prices.event_files import EventFile
from tickercast.jobs.prices.events import EventIngest
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.sources.base import SourceSettings, SourceUnavailable
from tickercast.jobs.runs.backlog import due_by_exchange
from tickercast.jobs.runs.context import ContextFetcher
from tickercast.jobs.runs.fetch import BacklogFetcher, DueSessions, Fetched
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.priors import prior_line
from tickercast.jobs.runs.record import RunRecord, begin_run
from tickercast.jobs.runs.signals import StopRequest, stop_on_signals
from tickercast.jobs.runs.stacks import run_stacks
from tickercast.jobs.runs.summary import closing_line, plan_line
from tickercast.jobs.terminal.progress import progress_bar, show_line
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.bars import Bars
from tickercast.storage.database import Engine
from tickercast.storage.errors import ServerUnreachable
from tickercast.storage.price_folder import collect_old_files, register_database


def run_options(
    home: Home,
    *,
    kind: str,
    now: datetime,
    config: Config,
    workers: int | None,
    through: date | None = None,
    with_twins: bool = False,
    force_cold: bool = False,
) -> RunOptions:
    """Return a run's options, with what the settings decide filled in. Without a number of workers it is one a core."""
    compute = home.settings.compute
    if compute.scheduler and compute.engine == "processes":
        raise SettingsError("compute.scheduler names a Dask cluster, but compute.engine is processes; set it to dask")
    count = workers or compute.workers or os.cpu_count() or 1
    after_close = home.settings.schedule.after_close_minutes
    kept = home.settings.retention.checkpoints
    return RunOptions(
        kind, now, config, count, compute.stack, through, with_twins, force_cold, after_close, kept,
        compute.engine, compute.scheduler,
    )  # fmt: skip


def tracked_symbols(engine: Engine) -> tuple[str, ...]:
    """Return the symbols that the daily run follows."""
    with engine.connect() as connection:
        return tuple(ticker.symbol for ticker in queries.list_tickers(connection) if ticker.tracked)


def run_over(
    home: Home,
    engine: Engine,
    sources: Sources,
    options: RunOptions,
    symbols: Sequence[str],
    due_sessions: DueSessions,
    *,
    event_file: EventFile | None = None,
    stop: threading.Event | None = None,
) -> str:
    """Fetch, forecast and commit, with the writer lock held, and return the closing line.

    event_file: company events to store. stop: a daemon's own event, used in place of signals. Raises SomeTickersFailed,
    NothingFetched or Interrupted after committing the rest.
    """
    with engine.connect() as connection:
        tickers = {ticker.symbol: ticker for ticker in queries.list_tickers(connection)}
    refuse_other_source(sources, [tickers.get(symbol) for symbol in symbols])
    register_database(home.prices, home.database)
    record = begin_run(engine, options, home.settings.config())
    ingest = Ingest(
        engine, home.prices, sources, options.now, home.settings.schedule.after_close_minutes, record.run_id,
        include_suspended=options.is_backfill,
    )  # fmt: skip
    events = EventIngest(engine, sources, options.now, ingest.after_close_minutes, given=event_file)
    context = ContextFetcher(engine, ingest, events, options)
    fetcher = BacklogFetcher(engine, ingest, record, options, due_sessions)
    with stop_on_signals(stop) as request:
        fetched, is_complete = _compute(fetcher, context, symbols, options, record, request)
    sources.read_files.save()
    _collect_price_files(home)
    record.update_scores(fetched.backlogs)
    succeeded = len(symbols) - len(fetched.failures) - len(fetched.suspended)
    message = closing_line(
        engine, options, sources, fetched, forecasts=record.forecasts, succeeded=succeeded, symbols=symbols,
        prior=prior_line(record, options.config, due_by_exchange(fetched.backlogs)),
        warnings=[*record.calendars.warnings(), *home.retired_settings()],
    )  # fmt: skip
    status = _status(fetched, succeeded) if is_complete else "interrupted"
    failures = {symbol: str(error) for symbol, error in fetched.failures.items()}
    record.finish(status, message, ticker_ids=list(fetched.bars), failures=failures)
    _raise_unless_done(fetched, succeeded, message, request)
    return message


def _compute(
    fetcher: BacklogFetcher,
    context: ContextFetcher,
    symbols: Sequence[str],
    options: RunOptions,
    record: RunRecord,
    stop: StopRequest,
) -> tuple[Fetched, bool]:
    """Return what was fetched, and whether its whole backlog was forecast. A failure is entered in the run's row."""
    bars: dict[int, Bars] = {}
    try:
        fetched = fetcher.fetch(symbols, stop.event)
        bars = fetched.bars
        record.store_sessions(fetched.backlogs)
        fetcher.fetch_universe(fetched, stop.event)
        context.fetch(fetched, stop.event)
        fetcher.ingest.sources.forget_rows()
        if options.is_backfill and (plan := plan_line(options, fetched)):
            show_line(plan)
        with progress_bar("forecasts") as progress:
            done = run_stacks(
                fetched.backlogs, options, record, members=fetched.members, references=fetched.references,
                stop=stop.event, progress=progress,
            )  # fmt: skip
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt | ServerUnreachable) else "failed"
        record.finish(status, str(error), ticker_ids=list(bars))
        raise
    fetched.failures.update(done.damaged)
    return fetched, done.is_complete


def _collect_price_files(home: Home) -> None:
    """Remove the price files that the settings no longer keep. Files have the wall clock's times, also in a run with --now."""
    kept = home.settings.retention
    collect_old_files(home.prices, home.database, clock.now() - timedelta(hours=kept.price_hours), kept.price_files)


def _status(fetched: Fetched, succeeded: int) -> str:
    if not fetched.failures:
        return "done"
    return "partial" if succeeded else "failed"


def _raise_unless_done(fetched: Fetched, succeeded: int, message: str, stop: StopRequest) -> None:
    """Raise what a run came to that was stopped, or in which some tickers failed."""
    if stop.signal_number is not None:
        raise Interrupted(f"stopped by a signal; {message}; run the same command to resume", stop.signal_number)
    if not fetched.failures:
        return
    errors = list(fetched.failures.values())
    if not succeeded and isinstance(errors[0], SourceSettings) and all(isinstance(error, SourceSettings) for error in errors):
        raise errors[0]
    if not succeeded and all(isinstance(error, SourceUnavailable) for error in errors):
        raise NothingFetched(message)
    raise SomeTickersFailed(message)
