"""The sessions of a record: stored a year ahead, and kept where a later calendar library knows other ones.

Past sessions and their numbers stay as the record has them, because forecasts and cold starts are of them. Future sessions follow
the library.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np

from tickercast.jobs.exchanges.calendars import ExchangeCalendar, continued_calendar, exchange_calendar, holidays_end
from tickercast.jobs.exchanges.extension import Schedule
from tickercast.jobs.exchanges.numbering import RecordedSessions
from tickercast.storage import queries, writes
from tickercast.storage.database import Connection, Engine

SESSIONS_AHEAD = timedelta(days=366)
LIVE_GRACE = timedelta(hours=1)  # for a daily cycle and its first retries


class RunCalendars:
    """The calendars of one run, each built from the library and from the past sessions of the record.

    now: the run's instant, which ends the past.
    """

    def __init__(self, engine: Engine, now: datetime, run_id: int) -> None:
        self.engine, self.now, self.run_id = engine, now, run_id
        self._told: list[str] = []
        self._calendars: dict[str, ExchangeCalendar] = {}
        self._renumbered: dict[str, str | None] = {}

    def of(self, exchange: str) -> ExchangeCalendar:
        """Return the calendar of an exchange as the record knows it. Raises CalendarError for one that cannot be built."""
        if exchange not in self._calendars:
            with self.engine.connect() as connection:
                recorded = recorded_sessions(connection, exchange, self.now)
            found = continued_calendar(exchange, recorded) if recorded else (exchange_calendar(exchange), None)
            self._calendars[exchange], self._renumbered[exchange] = found
        return self._calendars[exchange]

    def store(self, exchange: str, first: date) -> None:
        """Store the sessions of an exchange from a day to a year ahead, and note what differs from what was stored."""
        calendar = self.of(exchange)
        until = self.now.date() + SESSIONS_AHEAD
        with self.engine.begin() as connection:
            changed = writes.store_sessions(connection, exchange, list(calendar.session_rows(first, until)), now=self.now)
            self._note(connection, self._renumbered[exchange])
            if changed:
                self._note(
                    connection,
                    f"the calendar of {exchange} has changed: {len(changed)} future sessions corrected, the first one "
                    f"{min(changed)}; forecasts keep their targets",
                )
            self._record(connection, calendar.end_warning(self.now))

    def warnings(self) -> list[str]:
        """Return what a run's line says of its calendars: a change once, and each time that known holidays end."""
        ending: dict[date, list[str]] = {}
        for code, calendar in self._calendars.items():
            if calendar.known_until and calendar.end_warning(self.now):
                ending.setdefault(calendar.known_until, []).append(code)
        return [*self._told, *(holidays_end(codes, until) for until, codes in sorted(ending.items()))]

    def _note(self, connection: Connection, message: str | None) -> None:
        """Record a message as an event, and keep it for this run's line, unless it was recorded before."""
        if message is not None and self._record(connection, message):
            self._told.append(message)

    def _record(self, connection: Connection, message: str | None) -> bool:
        """Record a message as an event, and return whether it is a new one."""
        if message is None or queries.has_event(connection, "calendar", message):
            return False
        writes.record_event(connection, "calendar", message, at=self.now, run_id=self.run_id)
        return True


def live_until(calendar: ExchangeCalendar, origin: date, target: date, after_close_minutes: int) -> datetime:
    """Return the instant before which a forecast is live: when its first target session opens.

    Where sessions follow each other without a break (crypto pairs, currencies, futures) the target opens as the origin closes,
    and nobody could be in time. There it is an hour after the origin's bar is complete.
    """
    complete = calendar.close_at(origin) + timedelta(minutes=after_close_minutes)
    return max(calendar.open_at(target), complete + LIVE_GRACE)


def recorded_calendar(connection: Connection, exchange: str, now: datetime) -> ExchangeCalendar:
    """Return the calendar of an exchange as a record knows it at an instant. Raises CalendarError."""
    recorded = recorded_sessions(connection, exchange, now)
    return continued_calendar(exchange, recorded)[0] if recorded else exchange_calendar(exchange)


def recorded_sessions(connection: Connection, exchange: str, now: datetime) -> RecordedSessions | None:
    """Return the sessions of an exchange that are stored and have closed, None when there is none."""
    rows = queries.closed_sessions(connection, exchange, now)
    if not rows:
        return None
    days, numbers, opens, closes = zip(*rows, strict=True)
    schedule = Schedule(np.array(days, dtype="datetime64[D]"), _instants(opens), _instants(closes))
    return RecordedSessions(schedule, np.array(numbers, dtype=np.int64))


def _instants(values: tuple[datetime, ...]) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.array([value.replace(tzinfo=None) for value in values], dtype="datetime64[us]")
