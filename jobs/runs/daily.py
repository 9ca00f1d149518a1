"""The daily cycle: fetch, then forecast every closed session that has no forecasts. When one is due: jobs.runs.due."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.runs.backlog import daily_due_sessions
from tickercast.jobs.runs.instants import refuse_instant, refuse_record_ahead
from tickercast.jobs.runs.run import run_options, run_over, tracked_symbols
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import Engine


def run_once(
    home: Home,
    engine: Engine,
    *,
    now: datetime | None = None,
    workers: int | None = None,
    force_cold: bool = False,
    kind: str = "run",
    stop: threading.Event | None = None,
) -> str:
    """Do one daily cycle over the tracked tickers and return its closing line. now: a past instant to act as at.

    Raises UsageError for `now` after the clock or before the last run, RecordAhead, and what run_cycle raises.
    """
    with engine.connect() as connection:
        refuse_record_ahead(connection)
        if now is not None:
            refuse_instant(connection, now)
    moment = clock.now if now is None else None
    return run_cycle(
        home, engine, now or clock.now(), workers=workers, force_cold=force_cold, kind=kind, stop=stop, moment=moment
    )


def run_cycle(
    home: Home,
    engine: Engine,
    now: datetime,
    *,
    workers: int | None = None,
    force_cold: bool = False,
    kind: str = "run",
    stop: threading.Event | None = None,
    moment: Callable[[], datetime] | None = None,
) -> str:
    """Do one daily cycle as at an instant, whatever the clock says, and return its closing line.

    moment: as for run_over. Raises UsageError when no ticker is tracked, SomeTickersFailed, NothingFetched or Interrupted.
    """
    config = home.settings.config()
    options = run_options(home, kind=kind, now=now, config=config, workers=workers, force_cold=force_cold)
    symbols = tracked_symbols(engine)
    if not symbols:
        raise UsageError("no ticker is tracked; `tickercast track MSFT` follows one")
    fewest = config.fewest_sessions
    return run_over(
        home, engine, Sources(home), options, symbols,
        lambda bars, committed: daily_due_sessions(bars, committed, fewest), stop=stop, moment=moment,
    )  # fmt: skip
