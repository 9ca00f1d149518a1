"""What every source gives and what it may raise.

SourceError
├── SourceSettings      the source itself cannot be opened as asked (exit 2)
├── SourceUnavailable   it does not answer, or asks us to stop; later it may (exit 4 when nobody got through)
├── UnknownTicker       it knows no such ticker
└── BadSourceData       what it gave is no price history
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from storage.bars import Bars, Listing, Refusal


class SourceError(Exception):
    pass


class SourceSettings(SourceError):
    pass


class SourceUnavailable(SourceError):
    pass


class UnknownTicker(SourceError):
    pass


class BadSourceData(SourceError):
    pass


@dataclass(frozen=True, slots=True)
class Fetch:
    """A ticker's bars as a source gives them now, usable ones in session order, with the rows that were refused."""

    listing: Listing
    bars: Bars
    refused: tuple[Refusal, ...]


class Source(Protocol):
    """One kind of source.

    live: whether it should have each session once that has closed. tickers(): all it has, empty where it cannot tell.
    """

    @property
    def kind(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def requests(self) -> int:
        """Return how many requests it has made over a network."""
        ...

    def tickers(self) -> list[str]: ...
    def fetch(self, ticker: str, start: date | None) -> Fetch:
        """Return the bars from `start` on, or all of them. Raises SourceError."""
        ...
