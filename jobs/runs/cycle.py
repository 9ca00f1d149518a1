"""One look of the daemon, in a process of its own: is a cycle due, and if so do it. Settings are read afresh each time."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tickercast.jobs import clock
from tickercast.jobs.errors import JobError, LockHeld, RecordAhead
from tickercast.jobs.exchanges.symbols import SymbolRefused
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.prices.sources.base import SourceError
from tickercast.jobs.runs.child import Look
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.due import cycle_is_due, is_due_by
from tickercast.jobs.runs.failing_looks import count_failing_look
from tickercast.jobs.runs.instants import refuse_record_ahead
from tickercast.jobs.runs.retry import retry_wait
from tickercast.jobs.runs.upkeep import keep_up
from tickercast.jobs.terminal.logs import Level, log_event
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.jobs.workspace.in_force import last_valid, serve_last_valid
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.jobs.workspace.outage import work_through_outages
from tickercast.jobs.workspace.writer import writing_engine
from tickercast.storage import queries, writes
from tickercast.storage.address import Database
from tickercast.storage.database import Connection, Engine, reading
from tickercast.storage.errors import StorageError
from tickercast.storage.versions import check_revision
from tickercast.storage.watch import ticker_states

WRITER_WAIT_SECONDS = 5.0  # a longer writer is waited for without a process of ours
LONGEST_MESSAGE = 1000
SEARCHED = timedelta(days=10)
EXPECTED = (JobError, StorageError, SourceError, SymbolRefused, OSError)
LEVELS: dict[str, Level] = {"done": "info", "partial": "warning", "interrupted": "warning", "failed": "error"}


def look(folder: Path, database: Database | None, stop: threading.Event, settings: bytes | None = None) -> Look:
    """Do a cycle if one is due, log how it went, then do the upkeep, and return when each is due next.

    database: as for _look_for_cycle. settings: those that were valid last, None where none were. After a stop there is no upkeep,
    nor while the settings or the database cannot be read.
    """
    serve_last_valid(folder, settings)
    found = _look_for_cycle(folder, database, stop)
    if stop.is_set():
        return found
    try:
        home = open_home(folder)
        check_revision(home.database)
    except EXPECTED as error:  # logged by the look for a cycle
        count_failing_look(folder, str(error), clock.now())
        return found
    return replace(found, next_upkeep=keep_up(home, clock.now()), refused=home.refused, settings=last_valid(folder))


def read_settings_again(folder: Path, database: Database | None, settings: bytes | None) -> Look:
    """Return whether the settings can be read, and what is wrong with them. settings: those that were valid last."""
    serve_last_valid(folder, settings)
    try:
        home = open_home(folder)
        return Look(database=home.database, refused=home.refused, log_file=home.log_file(), settings=last_valid(folder))
    except EXPECTED as error:
        return Look(failed=True, database=database, refused=str(error))


def _look_for_cycle(folder: Path, database: Database | None, stop: threading.Event) -> Look:
    """Do a cycle if one is due, log how it went, and return when the next one is due.

    database: the one of the last look, where a failure is entered while the settings cannot be read.
    """
    began = clock.now()
    try:
        home = open_home(folder)
        database = home.database
        check_revision(database)
        _refuse_record_ahead(home)
        failed = cycle_is_due(home, began) and _do_cycle(folder, began, stop)
        tickers = ticker_states(database)
        return Look(next_due(home, clock.now()), failed=failed, tracked=_tracked(home), database=database, tickers=tickers)
    except RecordAhead as error:  # nothing is written while one of record and clock is wrong
        _log_failure(error)
        return Look(failed=True, database=database)
    except LockHeld as error:
        return Look(waits_for=str(error), database=database)
    except Exception as error:  # this process ends here, and the daemon goes on
        _log_failure(error)
        if database is not None:
            _enter_failure(folder, database, began, error)
        return Look(failed=True, database=database)


def _refuse_record_ahead(home: Home) -> None:
    with reading(home.database) as connection:
        refuse_record_ahead(connection)


def next_due(home: Home, now: datetime) -> datetime | None:
    """Return the first full minute after an instant at which a cycle is due by what is stored, None when there is none.

    Between two ends of sessions a cycle can only become due, so that minute is found by halving the time between them.
    """
    earliest = now
    with reading(home.database) as connection:
        for end in _chances(connection, home, now):
            if is_due_by(connection, home, end):
                return _first_due_minute(connection, home, earliest, end)
            earliest = end
    return None


def _chances(connection: Connection, home: Home, now: datetime) -> list[datetime]:
    """Return, earliest first, the instants until which something may become due: ends of sessions and the longest retry."""
    after_close = timedelta(minutes=home.settings.schedule.after_close_minutes)
    ends = queries.session_ends(connection, now - after_close, now + SEARCHED)
    return sorted([now + retry_wait(10**6), *(end + after_close for end in ends)])


def _first_due_minute(connection: Connection, home: Home, early: datetime, late: datetime) -> datetime:
    """Return the first full minute at which a cycle is due, after one instant at which none is, up to another."""
    first, last = int(early.timestamp() // 60), -int(-late.timestamp() // 60)
    while last - first > 1:
        middle = (first + last) // 2
        if is_due_by(connection, home, _at_minute(middle)):
            last = middle
        else:
            first = middle
    return _at_minute(last)


def _at_minute(minutes: int) -> datetime:
    return datetime.fromtimestamp(60 * minutes, UTC)


def _do_cycle(folder: Path, began: datetime, stop: threading.Event) -> bool:
    """Do a cycle with the writer lock held, log how it ends, and return whether nothing of it succeeded."""
    start = time.perf_counter()
    run = work_through_outages(
        folder, lambda home, engine: _run_of_cycle(home, engine, began, stop), command="daemon",
        wait_seconds=WRITER_WAIT_SECONDS, tell=lambda line: log_event("warning", "outage", reason=line), stop=stop,
    )  # fmt: skip
    log_event(
        LEVELS.get(run.status, "error"), "cycle ended", status=run.status, tickers=run.tickers_ok, forecasts=run.forecasts,
        failed=run.tickers_failed, seconds=round(time.perf_counter() - start, 1), message=run.message,
    )  # fmt: skip
    return run.status == "failed"


def _run_of_cycle(home: Home, engine: Engine, began: datetime, stop: threading.Event) -> queries.RunRow:
    """Log that a cycle starts, do it, and return how its run ended. Raises what ended it before it had one."""
    log_event("info", "cycle started", tickers=_tracked(home))
    try:
        run_once(home, engine, kind="daemon", stop=stop)
    except JobError:
        with engine.connect() as connection:
            if queries.newest_run_between(connection, "daemon", began, clock.now()) is None:
                raise
    with engine.connect() as connection:
        run = queries.newest_run_between(connection, "daemon", began, clock.now())
    assert run is not None
    return run


def _log_failure(error: Exception) -> None:
    """Log an error that ended a look. Only an unexpected one has a traceback."""
    if isinstance(error, EXPECTED):
        log_event("error", "cycle failed", error=str(error))
        return
    text = f"internal error: {type(error).__name__}: {error}; committed results are kept"
    log_event("error", "cycle failed", error=text, traceback="".join(traceback.format_exception(error)))


def _enter_failure(folder: Path, database: Database, began: datetime, error: Exception) -> None:
    """Enter a cycle that failed before it had a row of its own, so that status shows it and the next attempt backs off."""
    try:
        check_revision(database)
        with writer_lock(folder, command="daemon", wait_seconds=WRITER_WAIT_SECONDS, database=database):
            engine = writing_engine(database)
            try:
                with engine.begin() as connection:
                    if queries.newest_run_between(connection, "daemon", began, clock.now()) is None:
                        writes.add_failed_run(
                            connection, kind="daemon", at=began, ended=clock.now(), fingerprint=fingerprint(),
                            message=shortened(str(error), LONGEST_MESSAGE),
                        )  # fmt: skip
            finally:
                engine.dispose()
    except (JobError, StorageError, OSError) as cause:
        if str(cause) != str(error):  # else it has just been logged
            log_event("error", "failure not entered", error=str(cause))


def _tracked(home: Home) -> int:
    with reading(home.database) as connection:
        return sum(ticker.tracked for ticker in queries.list_tickers(connection))
