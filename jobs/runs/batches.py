"""A batch: tickers that are fetched, forecast and committed together, and when it is full."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

from tickercast.jobs.prices.ingest import Ingested

SECONDS_AHEAD = 8.0  # about as long as a batch is computed: the source never waits
FEWEST_AHEAD, MOST_AHEAD = 16, 256  # what is read of so many tickers is held in memory


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a batch is full: after so many seconds, or so many tickers. None = never. ahead: tickers requested before their turn.

    first_seconds: of the first batch, so that the first forecasts are there soon.
    """

    seconds: float | None = 30.0
    tickers: int | None = 1000
    ahead: int = FEWEST_AHEAD
    first_seconds: float = 10.0

    @staticmethod
    def at_pace(requests_per_second: float) -> BatchLimits:
        """Return the limits of batches that come at a pace."""
        return BatchLimits(ahead=int(min(max(SECONDS_AHEAD * requests_per_second, FEWEST_AHEAD), MOST_AHEAD)))

    def are_reached(self, batch: Batch) -> bool:
        """Return whether a batch is full."""
        seconds = self.first_seconds if batch.is_first and self.seconds is not None else self.seconds
        is_late = seconds is not None and time.monotonic() - batch.began >= seconds
        return is_late or (self.tickers is not None and batch.taken >= self.tickers)


@dataclass(slots=True)
class Batch:
    """Tickers that are forecast together. now: the instant of their forecasts, before the first of their requests was sent.

    ingested: by symbol. left: why a ticker was left for the next run, by symbol. is_first, is_last: of the run.
    """

    now: datetime
    began: float
    is_first: bool = False
    taken: int = 0
    ingested: dict[str, Ingested] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    is_last: bool = False
