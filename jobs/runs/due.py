"""When a daily cycle is due: a tracked ticker is behind, and another attempt may bring it further.

Each ticker is judged for itself, so a ticker that cannot be helped causes no cycles and delays nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from tickercast.jobs.exchanges.calendars import CalendarError, exchange_calendar
from tickercast.jobs.prices.ticker_status import is_fetched
from tickercast.jobs.runs.retry import LONGEST_WAIT, retry_wait
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries
from tickercast.storage.database import Connection, reading

# Their bars change with their next session, or when somebody decides: an attempt before that brings nothing.
WAITING_STATUSES = {"too_short", "held"}


@dataclass(frozen=True, slots=True)
class BehindTicker:
    """A tracked ticker without forecasts for its exchange's last closed session.

    since: attempts from then on count, for then that session was complete, or the ticker's price file was repaired.
    missing: closed sessions newer than its newest bar. is_in_files: its prices are in files here, which cost no request.
    """

    id: int
    status: str
    since: datetime
    missing: int
    is_in_files: bool = False


def cycle_is_due(home: Home, now: datetime) -> bool:
    """Return whether a tracked ticker has no forecasts for its exchange's last closed session, and an attempt may start.

    Attempts under an older settings file do not count, so a mended setting is tried at once.
    """
    with reading(home.database) as connection:
        return is_due_by(connection, home, now)


def is_due_by(connection: Connection, home: Home, now: datetime) -> bool:
    """Return whether a cycle is due by what one connection sees, which serves for many instants."""
    edited = home.settings_changed_at()
    behind = _behind(connection, home, now)
    if not behind:
        return False
    earliest = min(ticker.since for ticker in behind)
    attempts = queries.attempts_since(connection, max(earliest, edited) if edited <= now else earliest)
    return any(may_start(ticker, [a for a in attempts if a.started_at >= ticker.since], now) for ticker in behind)


def may_start(ticker: BehindTicker, attempts: Sequence[queries.Attempt], now: datetime) -> bool:
    """Return whether another attempt may start for a ticker, after some attempts since its session was complete.

    The first one may at once. A ticker whose source is late is retried after 15 minutes, then after twice as long each time, up
    to 8 hours. One whose source has had nothing new for two sessions waits for its next session. One that fails so long, or is in
    files that a user may fill at any time, waits for 8 hours.
    """
    if not attempts:
        return True
    outcome = attempts[-1].outcomes.get(ticker.id)
    has_long_nothing = ticker.missing > 1 and outcome == "ok"
    if ticker.status in WAITING_STATUSES or (has_long_nothing and not ticker.is_in_files):
        return False
    wait = LONGEST_WAIT if ticker.missing > 1 and outcome in ("ok", "failed") else retry_wait(len(attempts))
    return now - attempts[-1].started_at >= wait


def _behind(connection: Connection, home: Home, now: datetime) -> list[BehindTicker]:
    """Return the tracked tickers that are behind, without those whose suspension lasts or whose calendar cannot be built."""
    origins = queries.last_origins(connection, home.settings.config().id)
    bars = queries.last_bars(connection)
    repairs = {key: at for key, at in queries.last_repairs(connection).items() if at <= now}
    after_close = home.settings.schedule.after_close_minutes
    found = (
        _behind_ticker(ticker, origins.get(ticker.id), bars.get(ticker.id), now, after_close)
        for ticker in queries.list_tickers(connection)
        if ticker.tracked and is_fetched(ticker.status, ticker.probe_at, now)
    )
    return [replace(one, since=max(one.since, repairs.get(one.id, one.since))) for one in found if one is not None]


def _behind_ticker(
    ticker: queries.TickerRow, origin: date | None, last_bar: date | None, now: datetime, after_close: int
) -> BehindTicker | None:
    """Return what decides about a ticker's next attempt, None when it is not behind or has no calendar."""
    try:
        calendar = exchange_calendar(ticker.exchange)
    except CalendarError:  # the next run shows it as the ticker's failure
        return None
    closed = calendar.last_closed_session(now, after_close)
    if closed is None or (origin is not None and origin >= closed):
        return None
    missing = calendar.sessions_between(last_bar, closed) if last_bar else 0
    since = calendar.close_at(closed) + timedelta(minutes=after_close)
    return BehindTicker(ticker.id, ticker.status, since, missing, is_in_files=ticker.source == "folder")
