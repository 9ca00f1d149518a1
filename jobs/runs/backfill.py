"""Backfill: forecast a span of the past for some tickers, one-shot and resumable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import require_calendars
from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.event_files import EventFile, read_event_file
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.runs.backlog import backfill_due_sessions
from tickercast.jobs.runs.backlog_reader import DueSessions
from tickercast.jobs.runs.instants import refuse_record_ahead
from tickercast.jobs.runs.run import run_options, run_over, tracked_symbols
from tickercast.jobs.terminal.progress import show_line
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import Engine
from tickercast.storage.paths import user_path

LAST_SESSIONS = 252  # about a year


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """What a user wants forecast; None where the settings decide. start and end are the first and the last origin.

    everything: all stored history. Without it and a start it is the last 252 sessions, or what preset article tests on.
    events: a file of company events to store.
    """

    symbols: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None
    source: str | None = None
    adjustment: str | None = None
    preset: str | None = None
    workers: int | None = None
    with_twins: bool = False
    force_cold: bool = False
    everything: bool = False
    events: Path | None = None

    def check(self) -> None:
        """Raise UsageError when the span is empty, or given twice."""
        if self.start and self.everything:
            raise UsageError(f"--all begins at the first session, --start {self.start} later; give one of them")
        if self.start and self.end and self.end < self.start:
            raise UsageError(f"--end {self.end} is before --start {self.start}; nothing was done")


def backfill_span(home: Home, engine: Engine, request: BackfillRequest, *, now: datetime | None = None) -> str:
    """Fetch, then forecast every session of the span that has no forecasts yet. Returns the closing line.

    Raises UsageError when there is no ticker to forecast, RecordAhead, SomeTickersFailed, NothingFetched or Interrupted.
    """
    with engine.connect() as connection:
        refuse_record_ahead(connection)
    require_calendars(request.symbols)
    config = home.settings.config(request.preset)
    now = now or clock.now()
    event_file = _event_file(request.events, now) if request.events else None
    sources = Sources(home, request.source, request.adjustment)
    options = run_options(
        home,
        kind="backfill",
        now=now,
        config=config,
        workers=request.workers,
        through=request.end,
        with_twins=request.with_twins,
        force_cold=request.force_cold,
    )
    symbols = request.symbols or tracked_symbols(engine) or _listed(sources)
    if not symbols:
        raise UsageError("no ticker is named and none is tracked; name some, or `tickercast track` them first")
    return run_over(home, engine, sources, options, symbols, _due_sessions(request, config), event_file=event_file)


def _event_file(path: Path, now: datetime) -> EventFile:
    """Return what a file of company events says, after a line for each kind of bad row. Raises UsageError for a bad file."""
    try:
        file = read_event_file(user_path(path), now)
    except BadSourceData as error:
        raise UsageError(f"--events: {error}; nothing was done") from error
    for line in file.problems:
        show_line(line)
    return file


def _listed(sources: Sources) -> list[str]:
    """Return all tickers of the default source but references, after a line for each name in it that cannot be a ticker."""
    tickers = [ticker for ticker in sources.tickers() if ticker not in REFERENCES.values()]
    for line in sources.left_out():
        show_line(line)
    return tickers


def _due_sessions(request: BackfillRequest, config: Config) -> DueSessions:
    """Return which sessions of a ticker a backfill forecasts from."""
    is_open = request.start is None and not request.everything
    most = LAST_SESSIONS if is_open and config.preset != "article" else None
    start = date.min if request.everything else request.start
    return lambda bars, _committed: backfill_due_sessions(bars, start, request.end, config, most)
