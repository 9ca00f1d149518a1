"""The daemon says in the database that it lives: at its start, when idle, in a cycle, and never beside another writer."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import clean_environment, command_of
from tests.daemons import Process, StartDaemon
from tests.processes import wait_until
from tickercast.jobs.runs.heartbeat import Heartbeat
from tickercast.jobs.runs.record import begin_run
from tickercast.jobs.runs.run import run_options
from tickercast.jobs.terminal.logs import start_logging
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.storage.database import open_writer
from tickercast.storage.monitoring import DaemonRow, daemon_row
from tickercast.storage.reader import snapshot

MakeHome = Callable[[str, str], Home]
NOW = datetime(2026, 11, 26, 22, tzinfo=UTC)


def row_of(home: Home) -> DaemonRow | None:
    with snapshot(home.database) as connection:
        return daemon_row(connection)


def beat(home: Home, heart: Heartbeat, state: str = "idle") -> None:
    heart.beat(home.database, state, last_look=NOW, next_look=NOW + timedelta(hours=1), message="all well")


@pytest.fixture
def daemon(make_home: MakeHome, start_daemon: StartDaemon) -> tuple[Home, Process]:
    """Return a home without tickers and its daemon, which has looked once."""
    home = make_home("home", "")
    process = start_daemon(home)
    wait_until(lambda: (row := row_of(home)) is not None and row.last_look is not None)
    return home, process


def checked(home: Home) -> tuple[int, str]:
    command = command_of("--home", home.folder, "status", "--check")
    told = subprocess.run(command, env=clean_environment(), capture_output=True, text=True)
    return told.returncode, told.stdout


def test_a_beat_is_read_as_it_was_written(make_home: MakeHome) -> None:
    home = make_home("home", "")
    heart = Heartbeat(home.folder)
    beat(home, heart)
    row = row_of(home)
    assert row is not None
    assert (row.state, row.last_look, row.next_look, row.message) == ("idle", NOW, NOW + timedelta(hours=1), "all well")
    assert row.started_at == heart.started <= row.beat_at


def test_the_next_beat_replaces_the_row(make_home: MakeHome) -> None:
    home = make_home("home", "")
    beat(home, Heartbeat(home.folder))
    first = row_of(home)
    beat(home, Heartbeat(home.folder), "stopped")
    second = row_of(home)
    assert first is not None
    assert second is not None
    assert (second.state, first.beat_at < second.beat_at) == ("stopped", True)


@pytest.mark.sqlite_file
def test_nothing_is_written_while_another_command_writes(make_home: MakeHome) -> None:
    home = make_home("home", "")
    with writer_lock(home.folder, command="backfill", wait_seconds=0):
        beat(home, Heartbeat(home.folder))
    assert row_of(home) is None


@pytest.mark.sqlite_file
def test_a_beat_that_cannot_be_written_is_logged_once(make_home: MakeHome, capsys: pytest.CaptureFixture[str]) -> None:
    home = make_home("home", "")
    start_logging("json")
    heart = Heartbeat(home.folder)
    whole = home.database.rename(home.folder / "aside.db")
    beat(home, heart)
    beat(home, heart)
    assert not home.database.exists()
    whole.rename(home.database)
    beat(home, heart)
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["heart-beat not written"]
    assert row_of(home) is not None


@pytest.mark.parametrize(("kind", "state"), [("daemon", "cycle"), ("run", "idle")])
def test_a_run_of_the_daemon_beats(make_home: MakeHome, kind: str, state: str) -> None:
    home = make_home("home", "")
    beat(home, Heartbeat(home.folder))
    before = row_of(home)
    engine = open_writer(home.database)
    config = home.settings.config()
    begin_run(engine, run_options(home, kind=kind, now=datetime.now(UTC), config=config, workers=1), config)
    engine.dispose()
    after = row_of(home)
    assert before is not None
    assert after is not None
    assert (after.state, after.beat_at > before.beat_at, after.pid) == (state, kind == "daemon", before.pid)


@pytest.mark.slow
def test_a_daemon_that_was_stopped_says_so(daemon: tuple[Home, Process]) -> None:
    home, process = daemon
    living = row_of(home)
    assert checked(home)[1].startswith("OK: ")
    process.send_signal(signal.SIGTERM)
    process.wait()
    stopped = row_of(home)
    assert living is not None
    assert stopped is not None
    assert (living.state, living.pid, stopped.state, stopped.pid) == ("idle", process.pid, "stopped", process.pid)
    code, said = checked(home)
    assert (code, "daemon stopped at" in said) == (0, True)


@pytest.mark.slow
@pytest.mark.sqlite_file
def test_a_killed_daemon_is_dead_and_one_that_was_stopped_beside_a_writer_is_not(
    daemon: tuple[Home, Process], start_daemon: StartDaemon
) -> None:
    home, process = daemon
    process.kill()
    process.wait()
    code, said = checked(home)
    assert (code, "daemon died" in said) == (4, True)
    again = start_daemon(home)
    wait_until(lambda: (row := row_of(home)) is not None and row.pid == again.pid)
    with writer_lock(home.folder, command="backfill", wait_seconds=5):
        again.send_signal(signal.SIGTERM)
        again.wait()
    row = row_of(home)
    assert row is not None
    assert row.state == "idle"
    code, said = checked(home)
    assert (code, "daemon stopped at" in said) == (0, True)
