"""What a model reads beside a ticker's own bars: a volatility index of its market, the calendar, and the company's reports.

Plain data as stored, and the rules of what of it an origin may know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.context import AHEAD, CALENDAR_NAMES

Days = NDArray[np.datetime64]
Instants = NDArray[np.datetime64]
Knowledge = Literal["recorded", "assumed", "none"]

# Two dates closer than this speak of one report: it was moved, or a source has it wrong.
SAME_REPORT_DAYS = 30
SAME_REPORT = np.timedelta64(SAME_REPORT_DAYS, "D")
# Companies report each quarter. Where the newest known report is older, dates are missing, and the next one may be too.
STALE_AFTER = np.timedelta64(110, "D")
OLDEST_REFERENCE = np.timedelta64(7, "D")
DECEMBER, LAST_WEEK_FROM = 12, 24
SATURDAY = 5
EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class Reference:
    """A volatility index: the close (n,) of each of its sessions (n,), in percent a year, known when that session has closed."""

    session: Days
    close: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Events:
    """A company's reports as its sources gave them: dates (n,) and the instants (n,), UTC, at which each was recorded."""

    date: Days
    recorded_at: Instants


@dataclass(frozen=True, slots=True)
class SessionDays:
    """An exchange's sessions (n,) in order, AHEAD more than are read: when each closes, UTC, and which are shorter than usual."""

    day: Days
    closes: Instants
    is_short: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class KnownReports:
    """The days (n,) of a company's reports that an origin may know, in order, and how it knows them."""

    day: Days
    knowledge: Knowledge


NOTHING_KNOWN = KnownReports(np.empty(0, "datetime64[D]"), "none")


def known_reports(
    events: Events | None, first: np.datetime64, closed_at: np.datetime64, last_assumed: np.datetime64
) -> KnownReports:
    """Return the reports that an origin may know.

    first: the first day that is read. closed_at: when the origin's session closed. What was recorded by then is known. Before a
    company's first recording its reports up to last_assumed count as announced, because nobody recorded when they were. Of two
    dates within 30 days the one recorded later counts. Nothing is known where the newest known report is older than a quarter.
    """
    if events is None or not len(events.date):
        return NOTHING_KNOWN
    is_recorded = bool(events.recorded_at.min() <= closed_at)
    visible = events.recorded_at <= closed_at if is_recorded else events.date <= last_assumed
    visible &= events.date >= first - SAME_REPORT
    days = _without_repeats(events.date[visible], events.recorded_at[visible])
    if not len(days) or days[-1] < closed_at.astype("datetime64[D]") - STALE_AFTER:
        return NOTHING_KNOWN
    return KnownReports(days, "recorded" if is_recorded else "assumed")


def report_positions(reports: KnownReports, sessions: Days) -> NDArray[np.int64] | None:
    """Return the positions among some sessions (n,) of reports, None where nothing is known of them.

    A report on a day without a session counts on the next one.
    """
    if reports.knowledge == "none":
        return None
    positions = np.searchsorted(sessions, reports.day[reports.day >= sessions[0]])
    return np.unique(positions[positions < len(sessions)]).astype(np.int64)


def reference_levels(reference: Reference | None, sessions: Days) -> NDArray[np.float64]:
    """Return the index (n,) as each session's close knew it, NaN where its newest close is older than a week."""
    levels = np.full(len(sessions), np.nan)
    if reference is None or not len(reference.session):
        return levels
    index = np.searchsorted(reference.session, sessions, side="right") - 1
    known = (index >= 0) & (sessions - reference.session[index] <= OLDEST_REFERENCE)
    levels[known] = reference.close[index[known]]
    return levels


def calendar_columns(calendar: SessionDays) -> NDArray[np.float64]:
    """Return (n - AHEAD, 6) in the order of CALENDAR_NAMES: what each session knows of the sessions that follow it."""
    month, day_of_month = _month_and_day(calendar.day)
    late = (month == DECEMBER) & (day_of_month >= LAST_WEEK_FROM)
    weekend = (calendar.day.astype(np.int64) + EPOCH_WEEKDAY) % 7 >= SATURDAY
    shorts, lates, weekends = (_following(flags) for flags in (calendar.is_short, late, weekend))  # (n - AHEAD, AHEAD) each
    columns = [shorts[:, 0], shorts[:, 1:].sum(1), lates[:, 0], lates.mean(1), weekends[:, 0], weekends.mean(1)]
    assert len(columns) == len(CALENDAR_NAMES)
    return np.stack(columns, axis=-1)


def _following(flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (n - AHEAD, AHEAD): the flags of the sessions after each session."""
    windows = np.lib.stride_tricks.sliding_window_view(flags[1:], AHEAD)
    following: NDArray[np.float64] = windows.astype(np.float64)
    return following


def _month_and_day(days: Days) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    months = days.astype("datetime64[M]")
    return months.astype(np.int64) % 12 + 1, (days - months.astype("datetime64[D]")).astype(np.int64) + 1


def _without_repeats(days: Days, recorded_at: Instants) -> Days:
    """Return days in order, of those less than 30 days apart the one that was recorded last, the later one of a tie."""
    kept: list[tuple[int, int]] = []
    for day, instant in sorted(zip(days.astype(np.int64).tolist(), recorded_at.astype(np.int64).tolist(), strict=True)):
        if kept and day - kept[-1][0] <= SAME_REPORT_DAYS:
            if instant >= kept[-1][1]:
                kept[-1] = (day, instant)
        else:
            kept.append((day, instant))
    return np.array([day for day, _ in kept], np.int64).astype("datetime64[D]")
