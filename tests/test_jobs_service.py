"""From a script to a service: a killed backfill goes on, readers never wait, the daemon catches up and stops cleanly."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import clean_environment, command_of
from tests.loopback_yahoo import chart_body, loopback_yahoo, recent_rows
from tests.processes import wait_until
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.due import cycle_is_due
from tickercast.jobs.workspace.home import create_home, open_home
from tickercast.storage import queries
from tickercast.storage.database import open_writer, reading, upgrade_database
from tickercast.storage.verify import content_hash, find_problems
from tickercast.storage.views import VIEWS

pytestmark = pytest.mark.slow

FAST = {"TICKERCAST_TRAINING__COLD_EPOCHS": "2", "TICKERCAST_MODEL__HISTORY_SESSIONS": "140"}
SPAN = ("backfill", "IBM", "AAPL", "MSFT", "--source", "sample", "--start", "2012-08-01", "--workers", "1")
DEADLINE_SECONDS = 60.0


def start(folder: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_of("--home", folder, *arguments), env=clean_environment(**FAST, **environment), text=True,
        stderr=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def wait_for(folder: Path, query: str, least: int) -> None:
    """Wait until a count in the database has reached a figure."""
    wait_until(lambda: count(folder, query) >= least)


def count(folder: Path, query: str) -> int:
    try:
        connection = sqlite3.connect(f"file:{folder / 'tickercast.db'}?mode=ro", uri=True)
        found: int = connection.execute(query).fetchone()[0]
        connection.close()
    except sqlite3.OperationalError:  # not there yet
        return 0
    return found


def record_of(folder: Path) -> tuple[str, list[str]]:
    home = open_home(folder)
    with reading(home.database) as connection:
        return content_hash(connection), find_problems(connection, home.prices)


def test_a_killed_backfill_goes_on_to_the_record_of_an_undisturbed_one(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(killed, *SPAN)
    wait_for(killed, "SELECT count(*) FROM forecasts", 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    between = count(killed, "SELECT count(*) FROM forecasts")
    for folder in (killed, whole):
        start(folder, *SPAN).communicate(timeout=DEADLINE_SECONDS)
    assert 0 < between < count(whole, "SELECT count(*) FROM forecasts")
    assert record_of(killed) == record_of(whole)
    assert count(killed, "SELECT count(*) FROM run_summary WHERE status = 'interrupted'") == 1


def test_an_interrupted_backfill_stops_between_units_with_its_exit_code(tmp_path: Path) -> None:
    process = start(tmp_path / "home", *SPAN)
    wait_for(tmp_path / "home", "SELECT count(*) FROM forecasts", 1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=DEADLINE_SECONDS)
    lines = [line for line in told.splitlines() if not line.startswith(("plan: ", "home "))]
    assert (process.returncode, len(lines)) == (143, 1)
    assert record_of(tmp_path / "home")[1] == []


def test_a_second_client_reads_every_view_while_a_backfill_writes(tmp_path: Path) -> None:
    process = start(tmp_path / "home", *SPAN)
    wait_for(tmp_path / "home", "SELECT count(*) FROM scores", 1)
    connection = sqlite3.connect(tmp_path / "home" / "tickercast.db")
    frames = {view.name: pd.read_sql(f"SELECT * FROM {view.name}", connection) for view in VIEWS}
    running = process.poll() is None
    connection.close()
    process.communicate(timeout=DEADLINE_SECONDS)
    assert running
    assert all(tuple(frames[view.name].columns) == view.names for view in VIEWS)
    assert len(frames["scored_forecast"]) > 0
    # Every origin is whole in every snapshot.
    assert (frames["forecast_history"].groupby(["ticker", "origin"]).size() == 5).all()


def test_the_daemon_forecasts_what_is_owed_and_stops_on_sigterm(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    home = create_home(folder)
    upgrade_database(home.database)
    engine = open_writer(home.database)
    track(home, engine, ["MSFT"])
    engine.dispose()
    with loopback_yahoo() as server:
        server.record("MSFT", chart_body("MSFT", recent_rows(150)))
        yahoo = {"TICKERCAST_YAHOO__BASE_URL": server.url, "TICKERCAST_YAHOO__REQUESTS_PER_SECOND": "1000"}
        process = start(folder, "daemon", **yahoo)
        wait_for(folder, "SELECT count(*) FROM runs WHERE status = 'done'", 1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 0, told
    assert "daemon stopped" in told
    # While a session is under way the forecast of it is late: it has opened.
    calendar = exchange_calendar("XNYS")
    last = calendar.last_closed_session(datetime.now(UTC), 45)
    assert last is not None
    mode = "live" if datetime.now(UTC) < calendar.open_at(calendar.session_offset(last, 1)) else "catchup"
    assert count(folder, f"SELECT count(*) FROM latest_forecast WHERE mode = '{mode}'") == 5
    assert count(folder, "SELECT sessions_behind FROM freshness") == 0
    assert not (folder / "daemon.holder").exists()


@pytest.mark.parametrize("zone_hour", [0, 9, 18, 21])  # at 21:30 a session is due in summer, in winter not yet
def test_a_cycle_is_due_once_a_session_whatever_the_hour(tmp_path: Path, zone_hour: int) -> None:
    home = create_home(tmp_path / "home")
    (home.folder / "tickercast.toml").write_text(
        '[source]\nkind = "sample"\n[training]\ncold_epochs = 1\n[model]\nhistory_sessions = 140\n'
    )
    home = open_home(home.folder)
    upgrade_database(home.database)
    engine = open_writer(home.database)
    track(home, engine, ["IBM"])
    # Around the change to winter time in New York, 2012-11-04: 2 weekends and the closure for hurricane Sandy.
    begin = datetime(2012, 10, 25, zone_hour, 30, tzinfo=UTC)
    fired = []
    for day in range(14):
        now = begin + timedelta(days=day)
        if cycle_is_due(home, now):
            run_once(home, engine, now=now, workers=1)
            fired.append(now)
        assert not cycle_is_due(home, now)
    with engine.connect() as connection:
        origins = sorted(queries.committed_origins(connection, 1, home.settings.config().id))
    engine.dispose()
    calendar = exchange_calendar("XNYS")
    expected = [calendar.session_offset(origins[0], i) for i in range(len(origins))]
    assert origins == expected
    assert origins[-1] == calendar.last_closed_session(begin + timedelta(days=13), 45)
    assert len(fired) == len(origins)


def test_a_source_that_fails_leaves_the_other_tickers_and_backs_off(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    (home.folder / "tickercast.toml").write_text(
        '[source]\nkind = "sample"\n[training]\ncold_epochs = 1\n[model]\nhistory_sessions = 140\n'
    )
    home = open_home(home.folder)
    upgrade_database(home.database)
    engine = open_writer(home.database)
    track(home, engine, ["IBM", "NOSUCH"])
    now = datetime(2012, 10, 25, 22, tzinfo=UTC)
    with pytest.raises(SomeTickersFailed, match="NOSUCH"):
        run_once(home, engine, now=now, workers=1)
    due = [cycle_is_due(home, now + timedelta(minutes=minutes)) for minutes in (10, 20)]
    with engine.connect() as connection:
        assert len(queries.committed_origins(connection, 1, home.settings.config().id)) == 1
    engine.dispose()
    assert due == [False, True]
