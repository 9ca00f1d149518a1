"""Sessions of an exchange as forecasts take them: as origins with their targets, and as a span with what lies ahead.

Calendars alone are read here, so a program without a database loads none.
"""

from __future__ import annotations

from datetime import date

from tickercast.jobs.exchanges.calendars import ExchangeCalendar
from tickercast.jobs.forecasting.context import SessionDays
from tickercast.jobs.forecasting.tasks import Origin
from tickercast.rnn.context import AHEAD


def origin_of(calendar: ExchangeCalendar, session: date, horizons: int) -> Origin:
    """Return a session as an origin, with its targets: the next sessions of its exchange."""
    targets = tuple(calendar.session_offset(session, horizon) for horizon in range(1, horizons + 1))
    return Origin(session, calendar.session_index(session), targets)


def session_days(calendar: ExchangeCalendar, first: date, last: date) -> SessionDays:
    """Return an exchange's sessions from a first to a last day, and as many after them as forecasts look ahead."""
    schedule, is_short = calendar.span(first, last, AHEAD)
    return SessionDays(schedule.days, schedule.closes, is_short)
