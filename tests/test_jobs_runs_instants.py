"""Instants: nothing is written after the clock, before the last run, or into a record that is ahead of the clock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tickercast.jobs import clock
from tickercast.jobs.clock import parse_instant
from tickercast.jobs.errors import ExitCode, RecordAhead, UsageError
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.cycle import look
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.storage import writes
from tickercast.storage.database import Engine, open_writer


@pytest.fixture
def home(make_home: Callable[[str, str], Home]) -> Home:
    return make_home("home", '[source]\nkind = "sample"\n')


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = open_writer(home.database)
    yield engine
    engine.dispose()


def begin_run(engine: Engine, at: datetime) -> None:
    with engine.begin() as connection:
        writes.start_run(connection, kind="run", at=at, config_id=None, fingerprint="f")


def runs(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one())


@pytest.mark.parametrize("ahead", [timedelta(seconds=2), timedelta(hours=2), timedelta(days=400)])
def test_a_run_after_the_clock_is_refused(home: Home, engine: Engine, ahead: timedelta) -> None:
    with pytest.raises(UsageError, match=r"^--now .* is in the future; nothing was done; `--rehearse` takes any instant$"):
        run_once(home, engine, now=clock.now() + ahead)
    assert runs(engine) == 0


def test_a_run_before_the_last_one_is_refused(home: Home, engine: Engine) -> None:
    begin_run(engine, datetime(2026, 3, 2, tzinfo=UTC))
    with pytest.raises(UsageError, match="is before the last run"):
        run_once(home, engine, now=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "act",
    [
        lambda home, engine: run_once(home, engine),
        lambda home, engine: run_once(home, engine, kind="daemon"),
        lambda home, engine: run_once(home, engine, now=datetime(2026, 3, 1, tzinfo=UTC)),
        lambda home, engine: backfill_span(home, engine, BackfillRequest(symbols=("IBM",), source="sample")),
    ],
    ids=["run", "daemon", "run --now", "backfill"],
)
def test_nothing_writes_into_a_record_that_is_ahead_of_the_clock(
    home: Home, engine: Engine, act: Callable[[Home, Engine], str]
) -> None:
    begin_run(engine, clock.now() + timedelta(minutes=6))
    with pytest.raises(
        RecordAhead, match=r"^a run of .* is later than the clock, .*; nothing was done; set the clock, or "
    ) as error:
        act(home, engine)
    assert error.value.exit_code == ExitCode.INTEGRITY
    assert runs(engine) == 1


def test_a_clock_that_was_set_back_by_minutes_stops_nothing(home: Home, engine: Engine) -> None:
    begin_run(engine, clock.now() + timedelta(minutes=4))
    with pytest.raises(UsageError, match="no ticker is tracked"):
        run_once(home, engine)


def test_an_event_ahead_of_the_clock_is_noticed_too(home: Home, engine: Engine) -> None:
    with engine.begin() as connection:
        writes.record_event(connection, "status", "m", at=datetime(2199, 1, 1, tzinfo=UTC))
    with pytest.raises(RecordAhead, match=r"^an event of 2199-01-01T00:00:00Z is later"):
        run_once(home, engine)


def test_a_daemons_look_at_a_record_ahead_of_the_clock_fails_and_writes_nothing(home: Home, engine: Engine) -> None:
    begin_run(engine, datetime(2199, 1, 1, tzinfo=UTC))
    found = look(home.folder, home.database, threading.Event())
    assert found.failed
    assert runs(engine) == 1


@pytest.mark.parametrize("text", ["9999-12-31", "9999-12-31T23:59:59-12:00", "0001-01-01", "2201-01-01", "1899-12-31"])
def test_an_instant_outside_of_1900_to_2200_is_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"^\S+ is outside the years 1900 to 2200$"):
        parse_instant(text)
