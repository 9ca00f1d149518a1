"""Periods of origins to compare apart: all, each calendar year, and those that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.errors import UsageError

Days = NDArray[np.datetime64]
Mask = NDArray[np.bool_]
ALL = "all"
EXAMPLE = "2019-01-01..2021-12-31,2022-01-01..2024-12-31"


@dataclass(frozen=True, slots=True)
class Period:
    """A name, and the first and the last day of its origins, inclusive."""

    name: str
    first: date
    last: date

    def holds(self, origin: Days) -> Mask:
        """Return (n,): which origins (n,) lie in the period."""
        inside: Mask = (origin >= np.datetime64(self.first)) & (origin <= np.datetime64(self.last))
        return inside


def parse_periods(text: str | None) -> list[Period]:
    """Return the periods of an option, such as 2019-01-01..2021-12-31; its commas separate them. Raises UsageError."""
    return [_parse_period(part.strip()) for part in text.split(",")] if text is not None else []


def periods_of(origin: Days, named: Sequence[Period]) -> list[Period]:
    """Return the period of all origins (n,), n > 0, then each calendar year, then the named ones that have an origin."""
    first, last = origin.min().item(), origin.max().item()
    years = [Period(str(year), date(year, 1, 1), date(year, 12, 31)) for year in range(first.year, last.year + 1)]
    return [Period(ALL, first, last), *(period for period in (*years, *named) if period.holds(origin).any())]


def _parse_period(text: str) -> Period:
    first, _, last = text.partition("..")
    try:
        period = Period(text, date.fromisoformat(first.strip()), date.fromisoformat(last.strip()))
    except ValueError as error:
        raise UsageError(f"--periods: {text[:40]!r} is no period; write {EXAMPLE}") from error
    if period.last < period.first:
        raise UsageError(f"--periods: {text} ends before it begins")
    return period
