"""One run from prices to forecasts: fetch each ticker, forecast its backlog, sum up.

backfill and daily differ only in which sessions are due. Everything else is here, so that both leave the same record.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from tickercast.jobs import clock
from tickercast.jobs.errors import Interrupted, NothingFetched, SettingsError, SomeTickersFailed
from tickercast.jobs.prices.bindings import Sources, refuse_other_source
from tickercast.jobs.prices.event_files import EventFile
from tickercast.jobs.prices.events import EventIngest
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.sources.base import SourceSettings, SourceUnavailable
from tickercast.jobs.runs.backlog import due_by_exchange
from tickercast.jobs.runs.backlog_reader import BacklogReader, DueSessions, Fetched
from tickercast.jobs.runs.batch_work import BatchWork
from tickercast.jobs.runs.batches import BatchLimits
from tickercast.jobs.runs.context import ContextFetcher
from tickercast.jobs.runs.feed import Feed, Told
from tickercast.jobs.runs.fetch_order import by_waiting_time
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.priors import prior_line
from tickercast.jobs.runs.record import RunRecord, begin_run
from tickercast.jobs.runs.request_thread import RequestThread
from tickercast.jobs.runs.signals import StopRequest, stop_on_signals
from tickercast.jobs.runs.summary import closing_line
from tickercast.jobs.runs.turns import Order
from tickercast.jobs.terminal.progress import Work
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.database import Engine
from tickercast.storage.price_cleanup import collect_old_files
from tickercast.storage.price_registry import kept_for_others, register_database


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
    at_pace = BatchLimits.at_pace(home.settings.yahoo.requests_per_second)
    batch = replace(at_pace, seconds=None, tickers=None) if kind == "backfill" else at_pace
    return RunOptions(
        kind, now, config, workers=count, stack_size=compute.stack, through=through, with_twins=with_twins, force_cold=force_cold,
        after_close_minutes=after_close, kept_checkpoints=kept, engine=compute.engine, scheduler=compute.scheduler, batch=batch,
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
    moment: Callable[[], datetime] | None = None,
) -> str:
    """Fetch, forecast and commit, with the writer lock held, and return the closing line.

    event_file: company events to store. stop: a daemon's own event, used in place of signals. moment: gives the instants of
    batches after the first one; None = all are made at the run's. Raises SomeTickersFailed, NothingFetched or Interrupted after
    committing the rest.
    """
    _refuse_other_sources(engine, sources, symbols)
    register_database(home.prices, home.database)
    record = begin_run(engine, options, home.settings.config())
    with stop_on_signals(stop) as request, RequestThread(request.event) as requests:
        ingest = Ingest(
            engine, home.prices, sources, options.now, options.after_close_minutes, record.run_id,
            include_suspended=options.is_backfill, send=requests.now,
        )  # fmt: skip
        events = EventIngest(engine, sources, options.now, options.after_close_minutes, given=event_file, send=requests.now)
        reader = BacklogReader(engine, record, options, due_sessions)
        feed = Feed(
            symbols, ingest, requests, first=reader.universe, order=_order(engine, options), limits=options.batch,
            clock=moment or (lambda: options.now), stop=request.event, told=_progress_of(record), workers=options.workers,
        )  # fmt: skip
        work = BatchWork(feed, reader, ContextFetcher(engine, ingest, events, options), record, options)
        fetched, is_complete = work.do_all(frozenset(symbols))
    sources.read_files.save()
    _collect_price_files(home)
    record.refresh_skill_and_risk()
    message = closing_line(
        engine, options, sources, fetched, forecasts=record.forecasts, symbols=symbols,
        prior=prior_line(record, options.config, due_by_exchange(fetched.backlogs)),
        warnings=[*record.calendars.warnings(), *home.retired_settings(), *kept_for_others(home.prices)],
    )  # fmt: skip
    record.finish(_status(fetched) if is_complete else "interrupted", message, failures=fetched.reasons)
    _raise_unless_done(fetched, message, request)
    return message


def _refuse_other_sources(engine: Engine, sources: Sources, symbols: Sequence[str]) -> None:
    with engine.connect() as connection:
        tickers = {ticker.symbol: ticker for ticker in queries.list_tickers(connection)}
    refuse_other_source(sources, [tickers.get(symbol) for symbol in symbols])


def _order(engine: Engine, options: RunOptions) -> Order:
    """Return how tickers are ordered: as a backfill names them, else by how long they have waited for a bar."""
    return list if options.is_backfill else lambda symbols: by_waiting_time(engine, symbols, options.after_close_minutes)


def _progress_of(record: RunRecord) -> Told:
    """Return what writes how many of all tickers are fetched, and about how long the rest takes, into the run's row."""
    work = Work("fetched")

    def tell(done: int, total: int) -> None:
        work.done, work.total = done, total
        record.write_progress(f"fetched {done:,} of {total:,} tickers, {work.left(time.monotonic())}")

    return tell


def _collect_price_files(home: Home) -> None:
    """Remove the price files that the settings no longer keep. Files have the wall clock's times, also in a run with --now."""
    kept = home.settings.retention
    collect_old_files(home.prices, home.database, clock.now() - timedelta(hours=kept.price_hours), kept.price_files)


def _status(fetched: Fetched) -> str:
    if not fetched.failures and not fetched.left:
        return "done"
    return "partial" if fetched.succeeded else "failed"


def _raise_unless_done(fetched: Fetched, message: str, stop: StopRequest) -> None:
    """Raise what a run came to that was stopped, or in which some tickers failed or were left."""
    if stop.signal_number is not None:
        raise Interrupted(f"stopped by a signal; {message}; run the same command to resume", stop.signal_number)
    if not fetched.failures and not fetched.left:
        return
    errors = [] if fetched.succeeded else list(fetched.failures.values())
    if errors and isinstance(errors[0], SourceSettings) and all(isinstance(error, SourceSettings) for error in errors):
        raise errors[0]
    if not fetched.succeeded and all(isinstance(error, SourceUnavailable) for error in errors):
        raise NothingFetched(message)
    raise SomeTickersFailed(message)
