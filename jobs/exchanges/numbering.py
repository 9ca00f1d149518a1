"""Session numbers that go on from a record, also when the calendar library later knows more or fewer past sessions. No I/O.

Cold starts fall on numbers, so a number that a record has used must stay. A session that the library has added between two
recorded ones gets the number of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.exchanges.extension import Schedule


@dataclass(frozen=True, slots=True)
class RecordedSessions:
    """The past sessions of a record, in order, with their numbers (n,)."""

    schedule: Schedule
    numbers: NDArray[np.int64]


def numbers_from(schedule: Schedule, zero_day: np.datetime64) -> NDArray[np.int64]:
    """Return the numbers of sessions that count from a day."""
    return np.arange(len(schedule.days)) - int(np.searchsorted(schedule.days, zero_day))


def with_recorded(schedule: Schedule, recorded: RecordedSessions) -> tuple[Schedule, NDArray[np.int64]]:
    """Return a schedule and its numbers: with the recorded sessions that it lacks, counted from the recorded numbers."""
    within = (recorded.schedule.days >= schedule.days[0]) & (recorded.schedule.days <= schedule.days[-1])
    added = within & ~np.isin(recorded.schedule.days, schedule.days)
    merged = schedule.joined(recorded.schedule.select(added))
    merged = merged.select(np.argsort(merged.days, kind="stable"))
    if not within.any():
        raise ValueError("no recorded session lies within the schedule")
    numbers = recorded.numbers[within]
    places = np.searchsorted(merged.days, recorded.schedule.days[within])
    every = np.arange(len(merged.days))
    before = np.maximum(np.searchsorted(places, every, side="right") - 1, 0)
    forward = numbers[before] + every - places[before]
    limits = np.append(numbers[1:] - 1, np.iinfo(np.int64).max)
    found: NDArray[np.int64] = np.minimum(forward, np.maximum(limits, numbers)[before])
    return merged, found
