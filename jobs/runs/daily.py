"""The daily cycle: fetch, then forecast every closed session that the record lacks. Called by `run` and by the daemon."""

from __future__ import annotations

import threading
from collections.abc import Set
from datetime import date, datetime, timedelta

from sqlalchemy import Engine

from jobs import clock
from jobs.errors import UsageError
from jobs.exchanges.calendars import exchange_calendar
from jobs.prices.ticker_status import is_asked_for
from jobs.runs.run import Cycle
from jobs.workspace.home import Home
from storage import queries
from storage.bars import Bars
from storage.database import reading

FIRST_RETRY_MINUTES = 15
MOST_DOUBLINGS = 5


def run_once(
    home: Home,
    engine: Engine,
    *,
    now: datetime | None = None,
    workers: int | None = None,
    anew: bool = False,
    kind: str = "run",
    stop: threading.Event | None = None,
) -> str:
    """Do one daily cycle over the tracked tickers and return its closing line. now: the instant to rehearse.

    Raises UsageError when nobody is tracked or `now` lies before the last run, SomeTickersFailed and NothingFetched.
    """
    if now is not None:
        _refuse_going_back(engine, now)
    cycle = Cycle(
        home,
        engine,
        kind=kind,
        now=now or clock.now(),
        config=home.settings.config(),
        workers=workers,
        anew=anew,
        stop=stop,
    )
    symbols = cycle.tracked()
    if not symbols:
        raise UsageError("no ticker is tracked; `tickercast track MSFT` follows one")
    fewest = cycle.config.fewest_sessions
    return cycle.run(symbols, lambda bars, committed: missing_sessions(bars, committed, fewest)).message


def missing_sessions(bars: Bars, committed: Set[date], fewest: int) -> list[date]:
    """Return the sessions after the newest committed one, oldest first; of a new ticker, the newest session alone."""
    days: list[date] = bars.session.tolist()[fewest - 1 :]
    if not committed:
        return days[-1:]
    newest = max(committed)
    return [day for day in days if day > newest]


def cycle_is_due(home: Home, now: datetime) -> bool:
    """Return whether a tracked ticker lacks forecasts for its exchange's last closed session, and a try is in place.

    After each try that left it lacking, the wait doubles, from 15 minutes to 8 hours.
    """
    config_id = home.settings.config().id
    wait_minutes = home.settings.schedule.after_close_minutes
    with reading(home.database) as connection:
        tracked = [
            ticker
            for ticker in queries.list_tickers(connection)
            if ticker.tracked and is_asked_for(ticker.status, ticker.probe_at, now)
        ]
        newest = queries.last_origins(connection, config_id)
        lacking = [
            closed
            for ticker in tracked
            if (closed := exchange_calendar(ticker.exchange).last_closed_session(now, wait_minutes)) is not None
            and (newest.get(ticker.id) is None or newest[ticker.id] < closed)
        ]
        if not lacking:
            return False
        tries = queries.runs_started_since(connection, _first_chance(tracked, now, wait_minutes))
    if not tries:
        return True
    return now - max(tries) >= timedelta(minutes=FIRST_RETRY_MINUTES * 2 ** min(len(tries) - 1, MOST_DOUBLINGS))


def _first_chance(tracked: list[queries.TickerRow], now: datetime, wait_minutes: int) -> datetime:
    """Return the latest instant at which a tracked exchange's session became complete."""
    chances = []
    for exchange in {ticker.exchange for ticker in tracked}:
        calendar = exchange_calendar(exchange)
        closed = calendar.last_closed_session(now, wait_minutes)
        if closed is not None:
            chances.append(calendar.close_at(closed) + timedelta(minutes=wait_minutes))
    return max(chances)


def _refuse_going_back(engine: Engine, now: datetime) -> None:
    with engine.connect() as connection:
        last = queries.last_run_started(connection)
    if last is not None and now < last:
        raise UsageError(f"--now {now.isoformat()} is before the last run, {last.isoformat()}; nothing was done")
