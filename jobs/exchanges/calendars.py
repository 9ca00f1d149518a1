"""Exchange calendars: sessions, their indices, opens and closes. Only this module imports exchange_calendars.

A calendar reaches as far as it is asked: where the library knows no holidays, its weekly rule goes on (exchanges.extension).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.extension import Hours, Schedule, earlier_sessions, later_sessions, short_sessions
from tickercast.jobs.exchanges.numbering import RecordedSessions, numbers_from, with_recorded
from tickercast.jobs.exchanges.symbols import exchange_of
from tickercast.storage.days import are_among

# Session indices count from here; sessions before it have negative ones.
FIRST_DAY = date(1980, 1, 2)
# No calendar reaches further. The library's timestamps end in 2262.
EARLIEST, LATEST = date(1850, 1, 1), date(2210, 12, 31)
YEARS_AHEAD = 2  # built at once beyond the present year, so that a run builds a calendar once
ENDS_SOON = timedelta(days=60)
LONGEST_CLOSURE_DAYS = 30
SEARCHED_SESSIONS = 5  # of the sessions up to tomorrow at most the last three can still be open


class CalendarError(UsageError):
    """An exchange without a usable calendar, a day that is not a session, or a session out of reach."""


class BuiltSessions:
    """The sessions of one exchange by their position, built for more years when a day outside of them is met.

    recorded: the past sessions of a record, which stay sessions and keep their indices.
    """

    def __init__(self, code: str, recorded: RecordedSessions | None = None) -> None:
        self.code, self._recorded = code, recorded
        self._first, self._last = FIRST_DAY, date(clock.now().year + YEARS_AHEAD, 12, 31)
        self._build()

    @property
    def time_zone(self) -> str:
        """Return the name of the exchange's time zone, such as America/New_York."""
        return str(self._kind.tz)

    @property
    def known_until(self) -> date | None:
        """Return the last day for which the holidays are known, None when that has no end."""
        return _bound(self._kind.bound_max())

    def is_session(self, day: date) -> bool:
        """Return whether a day is a session."""
        position = self._position_from(day)
        return bool(position < len(self.sessions) and self.sessions[position] == np.datetime64(day))

    def _build(self) -> None:
        self._kind, self._schedule = _schedule(self.code, self._first, self._last)
        if self._recorded is None:
            zero_day = max(FIRST_DAY, _bound(self._kind.bound_min()) or FIRST_DAY)
            self._numbers = numbers_from(self._schedule, np.datetime64(zero_day))
        else:
            self._schedule, self._numbers = with_recorded(self._schedule, self._recorded)
        self.sessions = self._schedule.days

    def _cover(self, first: date, last: date) -> None:
        """Build the calendar for more years where a day lies outside of those that are built."""
        first, last = max(first, EARLIEST), min(last, LATEST)
        if self._first <= first and last <= self._last:
            return
        if first < self._first:
            self._first = date(max(EARLIEST.year, first.year - 1), 1, 1)
        if last > self._last:
            self._last = date(min(LATEST.year, last.year + YEARS_AHEAD), 12, 31)
        self._build()

    def _position(self, session: date) -> int:
        """Return the position of a session. Raises CalendarError for a day that is not one."""
        if not self.is_session(session):
            raise CalendarError(f"{session} is not a session of {self.code}")
        return self._position_from(session)

    def _session(self, position: int) -> date:
        if not 0 <= position < len(self.sessions):
            raise CalendarError(f"the calendar of {self.code} reaches from {EARLIEST} to {LATEST}")
        session: date = self.sessions[position].item()
        return session

    def _position_from(self, day: date) -> int:
        """Return the position of the first session on a day or after it."""
        self._cover(day, day)
        return int(np.searchsorted(self.sessions, np.datetime64(day)))

    def _position_after(self, day: date) -> int:
        """Return the position of the first session after a day."""
        self._cover(day, day)
        return int(np.searchsorted(self.sessions, np.datetime64(day), side="right"))


class ExchangeCalendar(BuiltSessions):
    """The sessions of one exchange as dates. A session's index counts from 1980, or from the first known session if later."""

    def are_sessions(self, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Return (n,): which of some days (n,) are sessions."""
        if len(days):
            self._cover(days.min().item(), days.max().item())
        return are_among(days, self.sessions)

    def session_index(self, session: date) -> int:
        """Return the index of a session. Raises CalendarError for a day that is not one."""
        return int(self._numbers[self._position(session)])

    def indices(self, sessions: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Return the indices (n,) of some sessions (n,), which must be ones."""
        return self._numbers[np.searchsorted(self.sessions, sessions)]

    def session_at(self, index: int) -> date:
        """Return the session with an index, the first one of several. Raises CalendarError out of reach."""
        while index < self._numbers[0] and self._first > EARLIEST:
            self._cover(self._first - timedelta(days=1), self._last)
        while index > self._numbers[-1] and self._last < LATEST:
            self._cover(self._first, self._last + timedelta(days=1))
        position = int(np.searchsorted(self._numbers, index))
        return self._session(position) if index >= self._numbers[0] else self._session(-1)

    def session_offset(self, session: date, count: int) -> date:
        """Return the session `count` sessions after another, before it if negative. Raises CalendarError out of reach."""
        if self._position(session) + count < 0:
            self._cover(session + timedelta(days=2 * count - LONGEST_CLOSURE_DAYS), session)
        if self._position(session) + count >= len(self.sessions):
            self._cover(session, session + timedelta(days=2 * count + LONGEST_CLOSURE_DAYS))
        return self._session(self._position(session) + count)

    def sessions_between(self, first: date, last: date) -> int:
        """Return the number of sessions after the first day, up to the last day inclusive."""
        self._cover(min(first, last), max(first, last))
        return max(0, self._position_after(last) - self._position_after(first))

    def missing_sessions(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Return the sessions from the first to the last of some sorted days that are not among them.

        Of the years before the known ones there are none: the weekly rule does not tell a holiday from a gap.
        """
        first, last = days[0].item(), days[-1].item()
        self._cover(first, last)
        begin = max(first, _bound(self._kind.bound_min()) or first)
        span = self.sessions[self._position_from(begin) : self._position_after(last)]
        return span[~are_among(span, days)]

    def end_warning(self, now: datetime) -> str | None:
        """Return a warning when the known holidays end in less than 60 days or have ended, else None."""
        until = self.known_until
        if until is None or until - now.date() >= ENDS_SOON:
            return None
        return holidays_end([self.code], until)

    def open_at(self, session: date) -> datetime:
        """Return the instant when a session opens, UTC."""
        return _utc(self._schedule.opens[self._position(session)])

    def close_at(self, session: date) -> datetime:
        """Return the instant when a session closes, UTC."""
        return _utc(self._schedule.closes[self._position(session)])

    def last_closed_session(self, now: datetime, after_close_minutes: int) -> date | None:
        """Return the newest session that closed at least so many minutes before an instant, None when there is none."""
        until = now.astimezone(UTC) - timedelta(minutes=after_close_minutes)
        end = self._position_after(until.date() + timedelta(days=1))
        newest: list[date] = self.sessions[max(0, end - SEARCHED_SESSIONS) : end][::-1].tolist()
        return next((session for session in newest if self.close_at(session) <= until), None)

    def span(self, first: date, last: date, ahead: int) -> tuple[Schedule, NDArray[np.bool_]]:
        """Return the sessions from a first to a last day and some more after them, and which of them are shorter than usual."""
        self._cover(first, last + timedelta(days=2 * ahead + LONGEST_CLOSURE_DAYS))
        part = slice(self._position_from(first), self._position_after(last) + ahead)
        return self._schedule.select(np.arange(len(self.sessions))[part]), short_sessions(self._schedule)[part]

    def session_rows(self, first: date, last: date) -> Iterator[dict[str, Any]]:
        """Yield the rows of table `sessions` for the sessions from first to last, inclusive. number: the session's index."""
        self._cover(first, last)
        for position in range(self._position_from(first), self._position_after(last)):
            yield {
                "exchange": self.code,
                "session": self.sessions[position].item(),
                "number": int(self._numbers[position]),
                "open_at": _utc(self._schedule.opens[position]),
                "close_at": _utc(self._schedule.closes[position]),
            }


def exchange_calendar(code: str) -> ExchangeCalendar:
    """Return the calendar of an exchange by its code, such as XNYS. Raises CalendarError for one that cannot be built."""
    found = _calendar_or_reason(code)
    if isinstance(found, str):
        raise CalendarError(found)
    return found


@cache
def _calendar_or_reason(code: str) -> ExchangeCalendar | str:
    """Return a calendar, or why it cannot be built: a second attempt would take as long."""
    try:
        return ExchangeCalendar(code)
    except CalendarError as error:
        return str(error)


def continued_calendar(code: str, recorded: RecordedSessions) -> tuple[ExchangeCalendar, str | None]:
    """Return the calendar that keeps a record's past sessions, and a warning where the library counts otherwise now."""
    plain, days = exchange_calendar(code), recorded.schedule.days
    differs = ~plain.are_sessions(days)
    differs[~differs] = plain.indices(days[~differs]) != recorded.numbers[~differs]
    if not differs.any():
        return plain, None
    return ExchangeCalendar(code, recorded), (
        f"exchange-calendars {version('exchange-calendars')} counts past sessions of {code} otherwise than the record, "
        "which keeps its sessions and their numbers"
    )


def holidays_end(codes: Iterable[str], until: date) -> str:
    """Return the warning that the known holidays of some exchanges end on a day."""
    names = ", ".join(sorted(codes))
    return f"the holidays of {names} are known until {until}; later sessions follow the weekly rule; upgrade exchange-calendars"


def require_calendars(symbols: Iterable[str]) -> None:
    """Raise CalendarError, which names the symbol, for one whose exchange has no calendar that can be built."""
    for symbol in symbols:
        try:
            exchange_calendar(exchange_of(symbol))
        except CalendarError as error:
            raise CalendarError(f"{symbol}: {error}; nothing was done") from error


def _utc(instant: np.datetime64) -> datetime:
    plain: datetime = instant.astype(datetime)
    return plain.replace(tzinfo=UTC)


def _bound(stamp: Any) -> date | None:
    bound: date | None = None if stamp is None else stamp.date()
    return bound


@cache
def _schedule(code: str, first: date, last: date) -> tuple[Any, Schedule]:
    """Return the library's calendar, and the sessions of a span: the library's where it knows the holidays, else by the week."""
    calendar = _library_calendar(code, first, last)
    begin, end = _bound(calendar.bound_min()) or first, _bound(calendar.bound_max()) or last
    opens, closes = (
        calendar.schedule[name].dt.tz_localize(None).to_numpy().astype("datetime64[us]") for name in ("open", "close")
    )
    schedule = Schedule(calendar.sessions.to_numpy().astype("datetime64[D]"), opens, closes)
    if last > end:
        later = later_sessions(schedule.days, calendar.weekmask, end + timedelta(days=1), last, _hours(calendar, -1))
        schedule = schedule.joined(later)
    if first < begin:
        earlier = earlier_sessions(calendar.weekmask, first, begin - timedelta(days=1), _hours(calendar, 0))
        schedule = earlier.joined(schedule)
    return calendar, schedule


def _hours(calendar: Any, period: int) -> Hours:
    """Return the usual hours of an exchange in a period: 0 = the first one that the library knows, -1 = the last one."""
    opens, closes = calendar.open_times[period][1], calendar.close_times[period][1]
    return Hours(calendar.tz, opens, calendar.open_offset, closes, calendar.close_offset)


def _library_calendar(code: str, first: date, last: date) -> Any:
    """Return the library's calendar for a span, or for the part of it whose holidays it knows. Raises CalendarError."""
    import exchange_calendars  # takes a second, so only when a calendar is needed

    try:
        return exchange_calendars.get_calendar(code, start=first.isoformat(), end=last.isoformat())
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise CalendarError(f"{code}: no calendar is known for this exchange") from error
    except ValueError:
        return _bounded_calendar(code, first, last)


def _bounded_calendar(code: str, first: date, last: date) -> Any:
    import exchange_calendars

    try:
        kind = type(exchange_calendars.get_calendar(code))
        begin, end = _bound(kind.bound_min()) or first, _bound(kind.bound_max()) or last
        return exchange_calendars.get_calendar(code, start=max(first, begin).isoformat(), end=min(last, end).isoformat())
    except ValueError as error:
        raise CalendarError(f"{code}: exchange-calendars cannot build the calendar of this exchange") from error
