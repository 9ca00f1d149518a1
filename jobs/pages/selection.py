"""Which of many tickers a page shows in its table: a page with ten thousand rows would take seconds and megabytes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Selection(Generic[T]):
    """The rows that are shown. found: how many match the search; total: how many there are; search: as it was typed."""

    shown: list[T]
    found: int
    total: int
    search: str

    @property
    def is_part(self) -> bool:
        """Return whether there are too many rows to show all, so that the server searches."""
        return self.total > MOST_ROWS

    @property
    def sentence(self) -> str:
        """Return what is shown, for people."""
        if self.search:
            first = f"the first {len(self.shown)} of " if self.found > len(self.shown) else ""
            return f"{first}{self.found:,} of {self.total:,} tickers have {self.search} in their name"
        return f"the first {len(self.shown)} of {self.total:,} tickers, those that need attention before others"


def select(rows: Sequence[T], name: Callable[[T], str], is_urgent: Callable[[T], bool], search: str = "") -> Selection[T]:
    """Return the rows to show, at most MOST_ROWS of many: urgent ones first, then in the order given.

    search: words, separated by commas or spaces; a row is found where its name has one of them. All rows where they are few.
    """
    if len(rows) <= MOST_ROWS:
        return Selection(list(rows), len(rows), len(rows), "")
    words = [word for word in re.split(r"[\s,]+", search.upper()) if word]
    found = [row for row in rows if not words or any(word in name(row).upper() for word in words)]
    found.sort(key=lambda row: not is_urgent(row))
    return Selection(found[:MOST_ROWS], len(found), len(rows), search.strip())
