"""Backfill: forecast a span of the past for some tickers, one-shot and resumable. The caller of ingest and walk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Engine

from jobs import clock
from jobs.errors import UsageError
from jobs.runs.run import Cycle
from jobs.workspace.config import Config
from jobs.workspace.home import Home
from storage.bars import Bars

ARTICLE_TRAINING_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What a user asked for; None where the settings decide."""

    symbols: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    source: str | None = None
    adjustment: str | None = None
    preset: str | None = None
    workers: int | None = None
    with_twins: bool = False
    anew: bool = False

    def check(self) -> None:
        """Raise UsageError when the span holds nothing."""
        if self.start and self.end and self.end < self.start:
            raise UsageError(f"--end {self.end} is before --start {self.start}; nothing was done")


def backfill_span(home: Home, engine: Engine, request: BackfillRequest, *, now: datetime | None = None) -> str:
    """Fetch, then forecast every session of the span that has none yet. Returns the closing line.

    Raises UsageError when there is nobody to forecast, SomeTickersFailed and NothingFetched as their names say.
    """
    config = home.settings.config(request.preset)
    cycle = Cycle(
        home,
        engine,
        kind="backfill",
        now=now or clock.now(),
        config=config,
        source=request.source,
        adjustment=request.adjustment,
        workers=request.workers,
        with_twins=request.with_twins,
        anew=request.anew,
    )
    symbols = request.symbols or cycle.tracked() or cycle.source.tickers()
    if not symbols:
        raise UsageError("no ticker is named and none is tracked; name some, or `tickercast track` them first")
    return cycle.run(symbols, lambda bars, committed: span_of(bars, request.start, request.end, config)).message


def span_of(bars: Bars, start: date | None, end: date | None, config: Config) -> list[date]:
    """Return the sessions of a ticker that a backfill forecasts from: those of the span with enough bars before them.

    Without a start the article's preset begins at the last bar of its training part, 80 % of the bars up to end.
    """
    days: list[date] = bars.session.tolist()
    if end:
        days = [day for day in days if day <= end]
    first = config.fewest_sessions - 1
    if start is None and config.preset == "article":
        first = max(first, math.ceil(ARTICLE_TRAINING_SHARE * len(days)) - 1)
    return [day for day in days[first:] if start is None or day >= start]
