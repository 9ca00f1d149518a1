"""Dates of companies' reports as they are stored: which are plausible, and which say something that is not known yet.

A report that moves keeps its old row. Among dates of one report, those at most 30 days apart, the latest record counts.
Not here: what a forecast knows of them (jobs.forecasting).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

Reports = list[tuple[date, datetime]]  # (date, recorded_at)

FIRST_DAY = date(1962, 1, 1)
MOST_AHEAD = timedelta(days=400)
SAME_REPORT = timedelta(days=30)


def is_plausible(day: date, now: datetime) -> bool:
    """Return whether a company can report on a day: from 1962 on, and at most 400 days after an instant."""
    return FIRST_DAY <= day <= now.date() + MOST_AHEAD


def new_reports(known: Sequence[tuple[date, datetime]], days: Iterable[date], at: datetime) -> Reports:
    """Return those of some plausible days that change what is known at an instant, with that instant.

    A day changes nothing where it is what counts already, or where another day of the same report has the same instant.
    """
    rows = list(known)
    added: Reports = []
    for day in sorted({day for day in days if is_plausible(day, at)}):
        newest = max(((instant, other) for other, instant in rows if abs(other - day) <= SAME_REPORT), default=None)
        if newest is None or (newest[1] != day and newest[0] < at):
            added.append((day, at))
            rows.append((day, at))
    return added
