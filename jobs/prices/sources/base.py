"""What every source returns and the errors it may raise.

SourceError
├── SourceSettings      the source cannot be opened as it is configured (exit 2)
├── SourceUnavailable   it does not respond, or it limits our requests; a retry may succeed (exit 4 when no ticker was fetched)
│   └── RequestsPaused  no request was sent: the source rests, or the run's time for it is over
├── UnknownTicker       it has no such ticker
└── BadSourceData       what it returned is not a price history
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:  # a command that fails, or that Ctrl-C ends, looks at these errors and must not load NumPy for it
    from tickercast.storage.bars import Bars, Listing, Refusal


class SourceError(Exception):
    pass


class SourceSettings(SourceError):
    pass


class SourceUnavailable(SourceError):
    pass


class RequestsPaused(SourceUnavailable):
    pass


class UnknownTicker(SourceError):
    pass


class BadSourceData(SourceError):
    pass


@dataclass(frozen=True, slots=True)
class Fetch:
    """A ticker's usable bars as a source has them now, in session order, and the rows that were refused."""

    listing: Listing
    bars: Bars
    refused: tuple[Refusal, ...]


class Source(Protocol):
    """One kind of source. live: whether it has each session's bar soon after the close, so that a missing one is a fault."""

    @property
    def kind(self) -> str: ...
    @property
    def live(self) -> bool: ...
    @property
    def requests(self) -> int:
        """Return how many requests were sent over a network."""
        ...

    def tickers(self) -> list[str]:
        """Return all tickers of the source; an empty list where it cannot list them."""
        ...

    def left_out(self) -> list[str]:
        """Return a line for each name in the source that cannot be a ticker."""
        ...

    def version(self, ticker: str, older_names: Sequence[str] = ()) -> str | None:
        """Return a hash that is equal while the source gives the same bars, None where only a fetch can tell."""
        ...

    def fetch(self, ticker: str, start: date | None, older_names: Sequence[str] = ()) -> Fetch:
        """Return the bars from `start` on, or all of them. older_names: where files of a renamed ticker are looked for next.

        Raises SourceError.
        """
        ...


@runtime_checkable
class PacedSource(Source, Protocol):
    """A source with a pace of its own, of which a run takes one attempt a ticker before it retries those that failed."""

    def fetch_once(self, ticker: str, start: date | None) -> Fetch:
        """Return what fetch does, in one attempt. Raises SourceError, RequestsPaused where no request was sent."""
        ...

    def pace_note(self) -> str | None:
        """Return how the source has slowed this run down, None where it has not."""
        ...
