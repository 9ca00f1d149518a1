"""Exchange calendars: sessions, their numbers, opens and closes. The only door to exchange_calendars."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A session's number counts from here, so that it never moves with the library's default range.
FIRST_DAY = "1980-01-02"
YEARS_AHEAD = 1
ENDS_SOON = timedelta(days=60)
# The calendar of an exchange that a symbol does not name, by the time zone that its prices are quoted in.
ZONES = {
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
    """An exchange that no calendar is known for, a day that is no session, or a calendar that ends too soon."""


class ExchangeCalendar:
    """The sessions of one exchange as dates. Numbers count sessions since 1980, or since its calendar begins."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._calendar: Any = _library_calendar(code)
        self.sessions: NDArray[np.datetime64] = self._calendar.sessions.to_numpy().astype("datetime64[D]")

    @property
    def time_zone(self) -> str:
        """Return the exchange's time zone by its name."""
        return str(self._calendar.tz)

    @property
    def last_session(self) -> date:
        """Return the last session the calendar knows."""
        last: date = self.sessions[-1].item()
        return last

    def is_session(self, day: date) -> bool:
        place = self._place(day)
        return bool(place < len(self.sessions) and self.sessions[place] == np.datetime64(day))

    def are_sessions(self, days: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Return which of some days are sessions."""
        return np.isin(days, self.sessions)

    def number(self, session: date) -> int:
        """Return a session's place in the calendar, counted from its fixed first day."""
        if not self.is_session(session):
            raise CalendarError(f"{session} is no session of {self.code}")
        return self._place(session)

    def session_at(self, number: int) -> date:
        """Return the session of a number."""
        session: date = self.sessions[number].item()
        return session

    def shift(self, session: date, by: int) -> date:
        """Return the session `by` sessions later. Raises CalendarError where the calendar ends before it."""
        place = self.number(session) + by
        if place >= len(self.sessions):
            raise CalendarError(f"the calendar of {self.code} ends on {self.last_session}; upgrade exchange-calendars")
        later: date = self.sessions[place].item()
        return later

    def sessions_between(self, first: date, last: date) -> int:
        """Return how many sessions are later than one day and not later than another."""
        return max(0, self._place(last + timedelta(days=1)) - self._place(first + timedelta(days=1)))

    def missing(self, days: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
        """Return the sessions between the first and the last of some days that are none of them."""
        span = self.sessions[self._place(days[0].item()) : self._place(days[-1].item()) + 1]
        return span[~np.isin(span, days)]

    def ends_soon(self, now: datetime) -> str | None:
        """Return a warning where the calendar's holidays are known for less than 60 days more."""
        if self.last_session - now.date() >= ENDS_SOON:
            return None
        return f"the calendar of {self.code} ends on {self.last_session}: upgrade exchange-calendars before that"

    def close_at(self, session: date) -> datetime:
        """Return the instant a session closes, UTC."""
        return _instant(self._calendar.session_close(session.isoformat()))

    def last_closed_session(self, now: datetime, after_close_minutes: int) -> date | None:
        """Return the newest session whose close lies at least so many minutes before an instant."""
        until = now.astimezone(UTC) - timedelta(minutes=after_close_minutes)
        place = min(self._place(until.date() + timedelta(days=2)), len(self.sessions))
        for day in self.sessions[max(0, place - 15) : place][::-1].tolist():
            if self.close_at(day) <= until:
                return day  # type: ignore[no-any-return]
        return None

    def rows(self, first: date, last: date) -> Iterator[dict[str, Any]]:
        """Yield rows of the `sessions` table for the sessions of a span."""
        begin, end = self._place(first), self._place(last + timedelta(days=1))
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

    def open_at(self, session: date) -> datetime:
        """Return the instant a session opens, UTC."""
        return _instant(self._calendar.session_open(session.isoformat()))

    def _place(self, day: date) -> int:
        return int(np.searchsorted(self.sessions, np.datetime64(day)))


@cache
def exchange_calendar(code: str) -> ExchangeCalendar:
    """Return the calendar of an exchange. Raises CalendarError when none is known."""
    return ExchangeCalendar(code)


def exchange_of_zone(zone: str) -> str:
    """Return the calendar that a time zone's name stands for; New York's where it is not known."""
    return ZONES.get(zone, "XNYS")


def _instant(stamp: Any) -> datetime:
    instant: datetime = stamp.to_pydatetime().astimezone(UTC)
    return instant


def _library_calendar(code: str) -> Any:
    import exchange_calendars  # costs a second: only where a calendar is asked

    ahead = (date.today() + timedelta(days=366 * YEARS_AHEAD)).isoformat()
    try:
        return exchange_calendars.get_calendar(code, start=FIRST_DAY, end=ahead)
    except exchange_calendars.errors.InvalidCalendarName as error:
        raise CalendarError(f"{code}: no calendar is known for this exchange") from error
    except ValueError:
        # Its holidays are written down for fewer years than we ask: take those.
        kind = type(exchange_calendars.get_calendar(code))
        first, last = kind.bound_min(), kind.bound_max()
        start = max(FIRST_DAY, first.date().isoformat()) if first is not None else FIRST_DAY
        end = min(ahead, last.date().isoformat()) if last is not None else ahead
        return exchange_calendars.get_calendar(code, start=start, end=end)
