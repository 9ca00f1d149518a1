"""Exchange calendars: sessions, their indices, opens and closes. Only this module imports exchange_calendars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Session indices count from here, because the library's default range moves with the present day.
FIRST_DAY = "1980-01-02"
AHEAD = timedelta(days=366)  # how far beyond today a calendar reaches
ENDS_SOON = timedelta(days=60)
SEARCHED_SESSIONS = 5  # of the sessions up to tomorrow at most the last three can still be open
NEW_YORK = "XNYS"
# Where a symbol does not name its exchange: the calendar, by the time zone that its prices are quoted in.
TIME_ZONE_EXCHANGES = {
    "America/New_York": "XNYS", "America/Chicago": "XNYS", "America/Toronto": "XTSE", "America/Sao_Paulo": "BVMF",
    "America/Mexico_City": "XMEX", "Europe/London": "XLON", "Europe/Berlin": "XETR", "Europe/Paris": "XPAR",
    "Europe/Amsterdam": "XAMS", "Europe/Brussels": "XBRU", "Europe/Zurich": "XSWX", "Europe/Rome": "XMIL",
    "Europe/Madrid": "XMAD", "Europe/Stockholm": "XSTO", "Europe/Oslo": "XOSL", "Europe/Copenhagen": "XCSE",
    "Europe/Helsinki": "XHEL", "Europe/Vienna": "XWBO", "Europe/Warsaw": "XWAR", "Asia/Tokyo": "XTKS",
    "Asia/Hong_Kong": "XHKG", "Asia/Kolkata": "XBOM", "Asia/Calcutta": "XBOM", "Asia/Shanghai": "XSHG",
    "Asia/Seoul": "XKRX", "Asia/Taipei": "XTAI", "Asia/Singapore": "XSES", "Asia/Jakarta": "XIDX",
    "Australia/Sydney": "XASX", "Pacific/Auckland": "XNZE", "UTC": "24/7",
}  # fmt: skip


class CalendarError(Exception):
    """An exchange without a known calendar, a day that is not a session, or a session beyond the calendar."""


class ExchangeCalendar:
    """The sessions of one exchange as dates. A session's index counts from 1980, or from the calendar's first day if later."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._calendar: Any = _library_calendar(code)
        self.sessions: NDArray[np.datetime64] = self._calendar.sessions.to_numpy().astype("datetime64[D]")

    @property
    def time_zone(self) -> str:
        """Return the name of the exchange's time zone, such as America/New_York."""
        return str(self._calendar.tz)

    @property
    def last_session(self) -> date:
        """Return the last session of the calendar."""
        last: date = self.sessions[-1].item()
        return last

    def is_session(self, day: date) -> bool:
        """Return whether a day is a session."""
        index = self._first_index_from(day)
        return bool(index < len(self.sessions) and self.sessions[index] == np.datetime64(day))

    def are_sessions(self, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Return (n,): which of some days (n,) are sessions."""
        return np.isin(days, self.sessions)

    def session_index(self, session: date) -> int:
        """Return the index of a session. Raises CalendarError for a day that is not one."""
        if not self.is_session(session):
            raise CalendarError(f"{session} is not a session of {self.code}")
        return self._first_index_from(session)

    def session_at(self, index: int) -> date:
        """Return the session with an index."""
        session: date = self.sessions[index].item()
        return session

    def session_offset(self, session: date, count: int) -> date:
        """Return the session `count` sessions after another, before it if negative. Raises CalendarError outside the calendar."""
        index = self.session_index(session) + count
        if index < 0:
            raise CalendarError(f"the calendar of {self.code} begins on {self.session_at(0)}")
        if index >= len(self.sessions):
            raise CalendarError(f"the calendar of {self.code} ends on {self.last_session}; upgrade exchange-calendars")
        return self.session_at(index)

    def sessions_between(self, first: date, last: date) -> int:
        """Return the number of sessions after the first day, up to the last day inclusive."""
        return max(0, self._first_index_after(last) - self._first_index_after(first))

    def missing_sessions(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Return the sessions from the first to the last of some sorted days that are not among them."""
        span = self.sessions[self._first_index_from(days[0].item()) : self._first_index_after(days[-1].item())]
        return span[~np.isin(span, days)]

    def end_warning(self, now: datetime) -> str | None:
        """Return a warning when the calendar ends in less than 60 days, else None."""
        if self.last_session - now.date() >= ENDS_SOON:
            return None
        return f"the calendar of {self.code} ends on {self.last_session}: upgrade exchange-calendars before that"

    def open_at(self, session: date) -> datetime:
        """Return the instant when a session opens, UTC."""
        return _utc(self._calendar.session_open(session.isoformat()))

    def close_at(self, session: date) -> datetime:
        """Return the instant when a session closes, UTC."""
        return _utc(self._calendar.session_close(session.isoformat()))

    def last_closed_session(self, now: datetime, after_close_minutes: int) -> date | None:
        """Return the newest session that closed at least so many minutes before an instant, None when there is none."""
        until = now.astimezone(UTC) - timedelta(minutes=after_close_minutes)
        end = self._first_index_after(until.date() + timedelta(days=1))
        newest: list[date] = self.sessions[max(0, end - SEARCHED_SESSIONS) : end][::-1].tolist()
        return next((session for session in newest if self.close_at(session) <= until), None)

    def session_rows(self, first: date, last: date) -> Iterator[dict[str, Any]]:
        """Yield the rows of table `sessions` for the sessions from first to last, inclusive. number: the session's index."""
        begin, end = self._first_index_from(first), self._first_index_after(last)
        span = self._calendar.schedule.iloc[begin:end]
        opens, closes = span["open"].dt.to_pydatetime(), span["close"].dt.to_pydatetime()
        for offset, (open_at, close_at) in enumerate(zip(opens, closes, strict=True)):
            yield {
                "exchange": self.code,
                "session": self.sessions[begin + offset].item(),
                "number": begin + offset,
                "open_at": open_at.astimezone(UTC),
                "close_at": close_at.astimezone(UTC),
            }

    def _first_index_from(self, day: date) -> int:
        """Return the index of the first session on a day or after it."""
        return int(np.searchsorted(self.sessions, np.datetime64(day)))

    def _first_index_after(self, day: date) -> int:
        """Return the index of the first session after a day."""
        return int(np.searchsorted(self.sessions, np.datetime64(day), side="right"))


@cache
def exchange_calendar(code: str) -> ExchangeCalendar:
    """Return the calendar of an exchange by its code, such as XNYS. Raises CalendarError for an unknown one."""
    return ExchangeCalendar(code)


def exchange_of_zone(zone: str) -> str:
    """Return the code of the calendar to use for a time zone; New York's for an unknown one."""
    return TIME_ZONE_EXCHANGES.get(zone, NEW_YORK)


def _utc(stamp: Any) -> datetime:
    instant: datetime = stamp.to_pydatetime().astimezone(UTC)
    return instant


def _library_calendar(code: str) -> Any:
    import exchange_calendars  # takes a second, so only when a calendar is needed

    ahead = (date.today() + AHEAD).isoformat()
    try:
        return exchange_calendars.get_calendar(code, start=FIRST_DAY, end=ahead)
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise CalendarError(f"{code}: no calendar is known for this exchange") from error
    except ValueError:
        return _bounded_calendar(code, ahead)


def _bounded_calendar(code: str, ahead: str) -> Any:
    """Return the library's calendar for the years whose holidays it knows."""
    import exchange_calendars

    try:
        kind = type(exchange_calendars.get_calendar(code))
        first, last = kind.bound_min(), kind.bound_max()
        start = max(FIRST_DAY, first.date().isoformat()) if first is not None else FIRST_DAY
        end = min(ahead, last.date().isoformat()) if last is not None else ahead
        return exchange_calendars.get_calendar(code, start=start, end=end)
    except ValueError as error:
        raise CalendarError(f"{code}: exchange-calendars cannot build the calendar of this exchange") from error
