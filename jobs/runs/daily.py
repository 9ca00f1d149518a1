"""The daily cycle: fetch, then forecast every closed session that has no forecasts; and when a cycle is due."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from jobs import clock
from jobs.errors import UsageError
from jobs.exchanges.calendars import exchange_calendar
from jobs.prices.bindings import Sources
from jobs.prices.ticker_status import is_fetched
from jobs.runs.backlog import daily_due_sessions
from jobs.runs.instants import refuse_instant, refuse_record_ahead
from jobs.runs.retry import retry_wait
from jobs.runs.run import run_options, run_over, tracked_symbols
from jobs.workspace.home import Home
from storage import queries
from storage.database import Engine, reading


def run_once(
    home: Home,
    engine: Engine,
    *,
    now: datetime | None = None,
    workers: int | None = None,
    force_cold: bool = False,
    kind: str = "run",
    stop: threading.Event | None = None,
) -> str:
    """Do one daily cycle over the tracked tickers and return its closing line. now: a past instant to act as at.

    Raises UsageError for `now` after the clock or before the last run, RecordAhead, and what run_cycle raises.
    """
    with engine.connect() as connection:
        refuse_record_ahead(connection)
        if now is not None:
            refuse_instant(connection, now)
    return run_cycle(home, engine, now or clock.now(), workers=workers, force_cold=force_cold, kind=kind, stop=stop)


def run_cycle(
    home: Home,
    engine: Engine,
    now: datetime,
    *,
    workers: int | None = None,
    force_cold: bool = False,
    kind: str = "run",
    stop: threading.Event | None = None,
) -> str:
    """Do one daily cycle as at an instant, whatever the clock says, and return its closing line.

    Raises UsageError when no ticker is tracked, SomeTickersFailed, NothingFetched or Interrupted.
    """
    config = home.settings.config()
    options = run_options(home, kind=kind, now=now, config=config, workers=workers, force_cold=force_cold)
    symbols = tracked_symbols(engine)
    if not symbols:
        raise UsageError("no ticker is tracked; `tickercast track MSFT` follows one")
    fewest = config.fewest_sessions
    return run_over(
        home, engine, Sources(home), options, symbols,
        lambda bars, committed: daily_due_sessions(bars, committed, fewest), stop=stop,
    )  # fmt: skip


def cycle_is_due(home: Home, now: datetime) -> bool:
    """Return whether a tracked ticker has no forecasts for its exchange's last closed session, and a retry may start.

    After each attempt that left one behind the wait doubles, from 15 minutes to 8 hours. Attempts under an older settings file
    do not count, so a mended setting is tried at once.
    """
    config_id = home.settings.config().id
    wait_minutes = home.settings.schedule.after_close_minutes
    with reading(home.database) as connection:
        tracked = [
            ticker
            for ticker in queries.list_tickers(connection)
            if ticker.tracked and is_fetched(ticker.status, ticker.probe_at, now)
        ]
        newest = queries.last_origins(connection, config_id)
        if not any(_is_behind(ticker, newest.get(ticker.id), now, wait_minutes) for ticker in tracked):
            return False
        first_chance, edited = _first_chance(tracked, now, wait_minutes), home.settings_changed_at()
        attempts = queries.runs_started_since(connection, max(first_chance, edited) if edited <= now else first_chance)
    if not attempts:
        return True
    return now - max(attempts) >= retry_wait(len(attempts))


def _is_behind(ticker: queries.TickerRow, newest_origin: date | None, now: datetime, wait_minutes: int) -> bool:
    closed = exchange_calendar(ticker.exchange).last_closed_session(now, wait_minutes)
    return closed is not None and (newest_origin is None or newest_origin < closed)


def _first_chance(tracked: Sequence[queries.TickerRow], now: datetime, wait_minutes: int) -> datetime:
    """Return the latest instant at which a tracked exchange's session became complete."""
    chances = []
    for exchange in {ticker.exchange for ticker in tracked}:
        calendar = exchange_calendar(exchange)
        closed = calendar.last_closed_session(now, wait_minutes)
        if closed is not None:
            chances.append(calendar.close_at(closed) + timedelta(minutes=wait_minutes))
    return max(chances)
