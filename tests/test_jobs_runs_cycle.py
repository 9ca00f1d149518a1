"""One look of the daemon: a failure becomes a failed run, settings are read afresh, and the next look is at the right minute."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import add_origins, model_row, origin_row
from tests.loopback_yahoo import LoopbackYahoo, chart_body, recent_rows
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs import cycle, notices, retention
from tickercast.jobs.runs.child import Look
from tickercast.jobs.runs.cycle import look, next_due
from tickercast.jobs.runs.due import cycle_is_due
from tickercast.jobs.terminal.logs import start_logging
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.storage import writes
from tickercast.storage.bars import Listing
from tickercast.storage.database import Engine, open_writer, reading

# Wednesday 27 November 2024: New York closes at 21:00 UTC. Thursday is a holiday, and on Friday it closes at 18:00.
WEDNESDAY = date(2024, 11, 27)
CLOSED = datetime(2024, 11, 27, 21, 45, tzinfo=UTC)
LISTING = Listing("IBM", "USD", "XNYS", "America/New_York", "as_traded")
SMALL = """
[yahoo]
base_url = "{url}"
requests_per_second = 1000
[training]
cold_epochs = 1
prior_every = 0
[model]
history_sessions = 140
hidden = {hidden}
"""
MakeHome = Callable[[str, str], Home]


@pytest.fixture
def home(make_home: MakeHome) -> Home:
    return make_home("home", "")


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = open_writer(home.database)
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def logs_in_json() -> None:
    start_logging("json")


def look_at(home: Home, database: Path | None = None) -> Look:
    return look(home.folder, database, threading.Event())


def answer(home: Home, query: str) -> list[Any]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def add_ticker(engine: Engine, *, with_forecast_from: date | None, home: Home) -> None:
    """Add a tracked ticker of New York, with a forecast or without, and the sessions of two weeks."""
    with engine.begin() as connection:
        ticker_id = writes.add_ticker(connection, "IBM", LISTING, source="sample", tracked=True, at=CLOSED)
        rows = list(exchange_calendar("XNYS").session_rows(date(2024, 11, 18), date(2024, 12, 13)))
        writes.store_sessions(connection, "XNYS", rows, now=datetime(2024, 11, 17, tzinfo=UTC))
        if with_forecast_from is None:
            return
        config = home.settings.config()
        row = {"id": config.id, "preset": config.preset, "field": "close", "settings": "{}", "created_at": CLOSED}
        writes.ensure_config(connection, row, active_id=config.id)
        writes.start_run(connection, kind="run", at=CLOSED - timedelta(days=9), config_id=config.id, fingerprint="f")
        model = model_row("cold", with_forecast_from, ticker_id=ticker_id, config_id=config.id)
        writes.insert_models(connection, [model], run_id=1)
        keys = {"ticker_id": ticker_id, "config_id": config.id}
        add_origins(connection, origin_row(with_forecast_from, "cold", horizons=1, **keys))


@pytest.mark.parametrize(
    ("settings", "message"),
    [("[training]\nwindow = 10\n", "training.window is 10"), ("[model\n", "not valid TOML"), ("[model]\nhiden = 3\n", "hiden")],
)
def test_a_settings_error_in_a_cycle_is_a_failed_run_that_status_shows(
    home: Home, engine: Engine, settings: str, message: str
) -> None:
    add_ticker(engine, with_forecast_from=None, home=home)
    (home.folder / "tickercast.toml").write_text(settings)
    found = look_at(home, home.database)
    [(kind, status, failed, told)] = answer(home, "SELECT kind, status, tickers_failed, message FROM run_summary")
    assert found.failed
    assert (kind, status, failed) == ("daemon", "failed", 1)
    assert message in told
    assert answer(home, "SELECT last_error FROM freshness") == [(told,)]


def test_a_failed_cycle_is_logged_once_as_an_error(home: Home, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    add_ticker(engine, with_forecast_from=None, home=home)
    (home.folder / "tickercast.toml").write_text("[training]\nwindow = 10\n")
    look_at(home, home.database)
    [line] = events(capsys.readouterr().err)
    assert (line["level"], line["event"]) == ("error", "cycle failed")
    assert line["error"].startswith("training.window is 10")


def test_the_cycle_after_a_failed_one_backs_off(home: Home, engine: Engine) -> None:
    add_ticker(engine, with_forecast_from=None, home=home)
    (home.folder / "tickercast.toml").write_text("[training]\nwindow = 10\n")
    began = datetime.now(UTC)
    look_at(home, home.database)
    due = [cycle_is_due(home, began + timedelta(minutes=minutes)) for minutes in (1, 14, 17)]
    assert due == [False, False, True]


def test_a_cycle_is_done_under_the_settings_before_while_the_file_is_wrong(home: Home, engine: Engine) -> None:
    assert look_at(home).refused == ""
    (home.folder / "tickercast.toml").write_text("[model\n")
    track(home, engine, ["IBM"], source="sample")
    found = look_at(home)
    assert (found.failed, "not valid TOML" in found.refused) == (False, True)
    assert answer(home, "SELECT status FROM run_summary") == [("done",)]


def test_mended_settings_are_tried_at_once(home: Home, engine: Engine) -> None:
    add_ticker(engine, with_forecast_from=None, home=home)
    (home.folder / "tickercast.toml").write_text("[training]\nwindow = 10\n")
    look_at(home, home.database)
    (home.folder / "tickercast.toml").write_text("")
    assert cycle_is_due(home, datetime.now(UTC))


def test_settings_that_cannot_be_read_at_the_first_look_leave_the_record_as_it_is(home: Home, engine: Engine) -> None:
    add_ticker(engine, with_forecast_from=None, home=home)
    (home.folder / "tickercast.toml").write_text("[model\n")
    assert look_at(home, None) == Look(failed=True)
    assert answer(home, "SELECT * FROM runs") == []


@pytest.mark.sqlite_file
def test_a_missing_database_is_one_error_line(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("json")
    home.database.unlink()
    assert look_at(home).failed
    [line] = events(capsys.readouterr().err)
    assert "no database there" in line["error"]


def test_an_unexpected_error_is_logged_with_its_traceback(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    start_logging("json")
    add_ticker(engine, with_forecast_from=None, home=home)
    monkeypatch.setattr(cycle, "cycle_is_due", lambda *_: {}["missing"])
    assert look_at(home).failed
    [line] = events(capsys.readouterr().err)
    assert line["error"] == "internal error: KeyError: 'missing'; committed results are kept"
    assert "Traceback" in line["traceback"]
    assert answer(home, "SELECT status FROM runs") == [("failed",)]


@pytest.mark.sqlite_file
def test_a_cycle_waits_for_a_writer_and_names_it(home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "WRITER_WAIT_SECONDS", 0.0)
    for step in (retention, notices):
        monkeypatch.setattr(step, "UPKEEP_WAIT_SECONDS", 0.0)
    add_ticker(engine, with_forecast_from=None, home=home)
    with writer_lock(home.folder, command="backfill", wait_seconds=0):
        found = look_at(home)
    assert not found.failed
    assert "is held by `tickercast backfill`" in found.waits_for
    assert answer(home, "SELECT * FROM runs") == []


@pytest.mark.slow
@pytest.mark.sqlite_file
def test_a_settings_edit_is_followed_by_the_next_cycle_and_leaves_nothing_due(make_home: MakeHome, server: LoopbackYahoo) -> None:
    home = make_home("home", SMALL.format(url=server.url, hidden=4))
    server.record("MSFT", chart_body("MSFT", recent_rows(150)))
    engine = open_writer(home.database)
    track(home, engine, ["MSFT"])
    engine.dispose()
    first = look_at(home)
    (home.folder / "tickercast.toml").write_text(SMALL.format(url=server.url, hidden=5))
    second, third = look_at(home), look_at(home)
    assert [found.failed for found in (first, second, third)] == [False, False, False]
    assert answer(home, "SELECT count(*) FROM runs WHERE status = 'done'") == [(2,)]
    assert answer(home, "SELECT settings ->> 'hidden', active FROM configs ORDER BY 1") == [(4, 0), (5, 1)]
    assert answer(home, "SELECT count(*) FROM latest_forecast") == [(5,)]
    assert third.next_due == first.next_due


@pytest.mark.parametrize(
    ("now", "origin", "due"),
    [
        (CLOSED, WEDNESDAY, datetime(2024, 11, 29, 18, 45, tzinfo=UTC)),  # over the holiday to the early close
        (CLOSED - timedelta(minutes=1), date(2024, 11, 26), CLOSED),
        (datetime(2024, 11, 29, 18, 45, tzinfo=UTC), date(2024, 11, 29), datetime(2024, 12, 2, 21, 45, tzinfo=UTC)),
    ],
)
def test_the_next_cycle_is_due_when_the_next_session_counts_as_closed(
    home: Home, engine: Engine, now: datetime, origin: date, due: datetime
) -> None:
    add_ticker(engine, with_forecast_from=origin, home=home)
    assert next_due(home, now) == due


def test_after_a_failed_attempt_the_next_cycle_is_due_at_its_retry(home: Home, engine: Engine) -> None:
    add_ticker(engine, with_forecast_from=date(2024, 11, 26), home=home)
    with engine.begin() as connection:
        writes.add_failed_run(connection, kind="daemon", at=CLOSED, ended=CLOSED, fingerprint="f", message="no")
    assert next_due(home, CLOSED + timedelta(seconds=20)) == CLOSED + timedelta(minutes=15)


def test_without_a_tracked_ticker_nothing_is_due(home: Home, engine: Engine) -> None:
    assert replace(look_at(home), next_upkeep=None, settings=None) == Look(tracked=0, database=home.database, tickers=[])
