"""Sessions outside the years whose holidays a calendar knows, by its weekly rule and by the holidays that come back. No I/O.

Holidays that move with the moon are not known there: such a day counts as a session that gets no bar.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

# A day is a returning holiday when it was one in each of so many years.
YEARS_OF_EVIDENCE = 10
FEWEST_TIMES = 3
# Holidays that move with Easter: from Good Friday to Corpus Christi.
EASTER_OFFSETS = range(-2, 61)
MONDAY, SUNDAY = 0, 6


@dataclass(frozen=True, slots=True)
class Schedule:
    """Sessions in order: their days (n,) and the instants (n,) when they open and close, in UTC."""

    days: NDArray[np.datetime64]
    opens: NDArray[np.datetime64]
    closes: NDArray[np.datetime64]

    def select(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Schedule:
        """Return some of the sessions, by a mask or by places."""
        return Schedule(self.days[which], self.opens[which], self.closes[which])

    def joined(self, later: Schedule) -> Schedule:
        """Return this schedule followed by a later one."""
        names = ("days", "opens", "closes")
        return Schedule(*(np.concatenate([getattr(self, name), getattr(later, name)]) for name in names))


@dataclass(frozen=True, slots=True)
class Hours:
    """The usual hours of an exchange: local times, each with the number of days that it lies after the session's day."""

    zone: ZoneInfo
    open_at: time
    open_days: int
    close_at: time
    close_days: int


def short_sessions(schedule: Schedule) -> NDArray[np.bool_]:
    """Return (n,): which sessions are shorter than the usual one of their year."""
    length = (schedule.closes - schedule.opens).astype(np.int64)
    years = schedule.days.astype("datetime64[Y]")
    _, begins = np.unique(years, return_index=True)
    usual = [np.median(part) for part in np.split(length, begins[1:])]
    return length < np.repeat(usual, np.diff([*begins, len(length)]))


def later_sessions(known: NDArray[np.datetime64], week: str, first: date, last: date, hours: Hours) -> Schedule:
    """Return the sessions from a first to a last day that follow the known ones: the week's days without returning holidays.

    known: (n,) days, the sessions of all years up to the first day. week: seven digits from Monday on, 1 = open, as in 1111100.
    """
    holidays = list(returning_holidays(known, week, first, last))
    days = _days(first, last)
    return _with_hours(days[np.is_busday(days, week, holidays)], hours)


def earlier_sessions(week: str, first: date, last: date, hours: Hours) -> Schedule:
    """Return the sessions from a first to a last day before the known ones: all of the week's days.

    No holiday is guessed: a day of those years that has a bar was a session.
    """
    days = _days(first, last)
    return _with_hours(days[np.is_busday(days, week)], hours)


def returning_holidays(known: NDArray[np.datetime64], week: str, first: date, last: date) -> Iterator[date]:
    """Yield the days of a span that were closed, by their date or their distance from Easter, in each of the last ten years.

    A date whose Sundays were made up for on the Monday after is so again.
    """
    begin = date(first.year - YEARS_OF_EVIDENCE, first.month, 1)
    days = _days(begin, first - timedelta(days=1))
    closed = set(days[np.is_busday(days, week) & ~np.isin(days, known)].tolist())
    by_date: dict[tuple[int, int], list[date]] = defaultdict(list)
    for day in days.tolist():
        by_date[day.month, day.day].append(day)
    fixed = {key for key, same in by_date.items() if _all_closed([day for day in same if week[day.weekday()] == "1"], closed)}
    made_up = {key for key in fixed if _sundays_made_up(by_date[key], closed)}
    years = range(begin.year + 1, first.year)
    moving = [k for k in EASTER_OFFSETS if _all_closed([easter_sunday(y) + timedelta(days=k) for y in years], closed)]
    for day in _days(first, last).tolist():
        before = day - timedelta(days=1)
        is_made_up = day.weekday() == MONDAY and (before.month, before.day) in made_up
        if (day.month, day.day) in fixed or is_made_up or (day - easter_sunday(day.year)).days in moving:
            yield day


@cache
def easter_sunday(year: int) -> date:
    """Return Easter Sunday of a year, by the Gregorian rule (Meeus, Astronomical Algorithms, 1991, chapter 8)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _days(first: date, last: date) -> NDArray[np.datetime64]:
    """Return the days from a first to a last one, inclusive."""
    return np.arange(np.datetime64(first), np.datetime64(last) + 1)


def _all_closed(days: list[date], closed: set[date]) -> bool:
    return len(days) >= FEWEST_TIMES and closed.issuperset(days)


def _sundays_made_up(days: list[date], closed: set[date]) -> bool:
    sundays = [day for day in days if day.weekday() == SUNDAY]
    return bool(sundays) and closed.issuperset(day + timedelta(days=1) for day in sundays)


def _with_hours(days: NDArray[np.datetime64], hours: Hours) -> Schedule:
    opens = [_instant(day, hours.open_days, hours.open_at, hours.zone) for day in days.tolist()]
    closes = [_instant(day, hours.close_days, hours.close_at, hours.zone) for day in days.tolist()]
    return Schedule(days, np.array(opens, dtype="datetime64[us]"), np.array(closes, dtype="datetime64[us]"))


def _instant(day: date, days_after: int, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant of a local time in UTC, without a zone as NumPy wants it."""
    return datetime.combine(day + timedelta(days=days_after), at, zone).astimezone(UTC).replace(tzinfo=None)
