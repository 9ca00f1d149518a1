"""The daemon as a process: small while it idles, one child for each cycle, nothing left when it is killed, lines to parse."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import clean_environment
from tests.daemons import MOST_IDLE_MEGABYTES, Follow, StartDaemon, megabytes, next_event
from tests.loopback_yahoo import LoopbackYahoo, Reply
from tests.processes import descendants, living, wait_until
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs import child
from tickercast.jobs.runs.child import ChildDied, Look, LookControl, look, look_in_child
from tickercast.jobs.runs.retention import DONE_FILE
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget, start_logging
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.storage.database import open_writer, reading

pytestmark = pytest.mark.slow

HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "exchange_calendars", "yfinance", "alembic"}


def answer(home: Home, query: str) -> list[Any]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def watch_of(home: Home) -> Watch:
    return Watch(home.folder, home.database, LogTarget("json"))


def test_an_idle_daemon_needs_less_than_80_megabytes(follow: Follow, start_daemon: StartDaemon) -> None:
    process = start_daemon(follow("AAPL", "MSFT", "KO"))
    next_event(process, "cycle skipped")
    wait_until(lambda: not any("spawn_main" in text for text in descendants(process.pid).values()))
    helpers = descendants(process.pid)
    assert sum(megabytes(pid) for pid in [process.pid, *helpers]) < MOST_IDLE_MEGABYTES


def test_the_daemon_itself_imports_nothing_heavy() -> None:
    code = f"import sys, tickercast.jobs.cli, tickercast.jobs.runs.daemon; print({HEAVY!r} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_a_cycle_is_logged_when_it_starts_when_it_ends_and_when_none_is_due(follow: Follow, start_daemon: StartDaemon) -> None:
    process = start_daemon(follow("AAPL", "MSFT"))
    assert process.stderr is not None
    lines = [json.loads(process.stderr.readline()) for _ in range(4)]
    process.send_signal(signal.SIGTERM)
    lines += [json.loads(line) for line in process.communicate(timeout=30)[1].splitlines()]
    assert [line["event"] for line in lines] == [
        "daemon started", "cycle started", "cycle ended", "cycle skipped", "daemon stopped",
    ]  # fmt: skip
    assert {line["level"] for line in lines} == {"info"}
    ended, skipped = lines[2], lines[3]
    assert (ended["status"], ended["tickers"], ended["forecasts"], ended["failed"]) == ("done", 2, 10, 0)
    assert ended["seconds"] > 0
    assert skipped["reason"].startswith("nothing due until 20")
    assert datetime.fromisoformat(skipped["reason"].split()[-1]) > datetime.now(UTC)


def test_a_killed_daemon_leaves_no_process_in_the_middle_of_a_cycle(
    follow: Follow, start_daemon: StartDaemon, server: LoopbackYahoo
) -> None:
    home = follow("AAPL")
    server.always = Reply(wait=60.0)
    server.bodies.clear()
    process = start_daemon(home)
    next_event(process, "cycle started")
    wait_until(lambda: bool(server.chart_requests))
    started = list(descendants(process.pid))
    process.kill()
    process.wait()
    wait_until(lambda: not living(started), seconds=10)
    again = start_daemon(home)
    assert next_event(again, "daemon started")["pid"] == again.pid


def test_a_stop_signal_to_the_whole_group_ends_a_cycle_without_a_word_of_python(
    follow: Follow, start_daemon: StartDaemon
) -> None:
    process = start_daemon(follow("AAPL", "MSFT"))
    next_event(process, "daemon started")
    wait_until(lambda: any("spawn_main" in text for text in descendants(process.pid).values()))
    started = list(descendants(process.pid))
    [os.kill(pid, signal.SIGINT) for pid in [process.pid, *started]]
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 0
    lines = [json.loads(line) for line in told.splitlines()]
    assert lines[-1]["event"] == "daemon stopped"
    assert [line for line in lines if line["level"] == "error" or "Traceback" in str(line)] == []
    assert living(started) == []


def be_killed(_folder: Path, _database: Path | None, _stop: threading.Event) -> Look:
    """Be a look that the system kills."""
    os.kill(os.getpid(), signal.SIGKILL)
    return Look()


def look_until_told(_folder: Path, _database: Path | None, stop: threading.Event) -> Look:
    """Be a look that ends when it is told to."""
    stop.wait()
    return Look(tracked=7)


def look_for_ever(_folder: Path, _database: Path | None, _stop: threading.Event) -> Look:
    """Be a look that does not end."""
    time.sleep(3600)
    return Look()


def stop_soon() -> threading.Event:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    return stop


def test_a_look_that_is_killed_is_an_error_that_names_the_signal(tmp_path: Path) -> None:
    with pytest.raises(ChildDied, match="was killed by signal 9; what it committed stays"):
        look_in_child(be_killed, tmp_path, None, LogTarget("json"), LookControl())


def test_a_look_is_told_to_stop_and_still_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_GRACE_SECONDS", 60.0)  # its process may still be starting on a busy machine
    assert look_in_child(look_until_told, tmp_path, None, LogTarget("json"), LookControl(stop_soon())) == Look(tracked=7)


def test_a_look_that_goes_on_after_a_stop_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "STOP_GRACE_SECONDS", 0.5)
    monkeypatch.setattr(child, "END_SECONDS", 0.1)
    assert look_in_child(look_for_ever, tmp_path, None, LogTarget("json"), LookControl(stop_soon())) is None
    assert not any("spawn_main" in text for text in descendants(os.getpid()).values())


def test_a_look_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LONGEST_LOOK_SECONDS", 0.5)
    monkeypatch.setattr(child, "STOP_GRACE_SECONDS", 60.0)  # as above
    assert look_in_child(look_until_told, tmp_path, None, LogTarget("json"), LookControl()) == Look(tracked=7)


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the processes of looks from one that has loaded what they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tickercast.jobs.runs.cycle"])
    monkeypatch.setattr(multiprocessing, "get_context", lambda _kind: context)


def look_without_patience(settings: bytes | None, folder: Path, database: Path | None, stop: threading.Event) -> Look:
    """Look as a daemon does, but wait for another writer for an instant alone."""
    from tickercast.jobs.runs import cycle, notices

    cycle.WRITER_WAIT_SECONDS = notices.UPKEEP_WAIT_SECONDS = 0.1  # in this process, which ends with the look
    return look(settings, folder, database, stop)


def minutes_to_next_look(watch: Watch) -> int:
    """Look now, and return in how many minutes the daemon will look again."""
    watch.look_at = None
    watch.check()
    assert watch.look_at is not None
    return round((watch.look_at - datetime.now(UTC)) / timedelta(minutes=1))


@pytest.mark.usefixtures("quick_looks")
def test_failed_looks_are_further_and_further_apart_until_the_settings_are_mended(follow: Follow) -> None:
    home = follow("AAPL")
    watch = watch_of(home)
    settings = (home.folder / "tickercast.toml").read_text()
    (home.folder / "tickercast.toml").write_text("[model\n")
    assert [minutes_to_next_look(watch) for _ in range(3)] == [15, 30, 60]
    assert not watch._may_be_due(datetime.now(UTC))
    assert answer(home, "SELECT count(*) FROM runs WHERE status = 'failed'") == [(3,)]
    (home.folder / "tickercast.toml").write_text(settings)
    watch.check()
    assert answer(home, "SELECT count(*) FROM latest_forecast") == [(5,)]
    assert watch.failures == 0


@pytest.mark.sqlite_file
@pytest.mark.usefixtures("quick_looks")
def test_a_cycle_that_waits_for_a_writer_is_logged_once(
    follow: Follow, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickercast.jobs.runs.watch.look", look_without_patience)
    home = follow("AAPL")
    home.cache.mkdir()
    (home.cache / DONE_FILE).write_text(datetime.now(UTC).isoformat())  # so that retention does not wait too
    start_logging("json")
    watch = watch_of(home)
    with writer_lock(home.folder, command="backfill", wait_seconds=0):
        watch.check()
        watch.check()
    watch.check()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [("warning", "cycle waits"), ("info", "cycle skipped")]
    assert "`tickercast backfill`" in lines[0]["reason"]
    assert answer(home, "SELECT count(*) FROM latest_forecast") == [(5,)]


@pytest.mark.usefixtures("quick_looks")
def test_no_process_is_started_while_nothing_can_be_due(follow: Follow, server: LoopbackYahoo) -> None:
    home = follow("AAPL")
    watch = watch_of(home)
    watch.check()
    looked_at, now = watch.looked_at, datetime.now(UTC)
    watch.check()
    assert watch.looked_at == looked_at
    assert watch.look_at is not None
    assert looked_at is not None
    assert watch._may_be_due(watch.look_at)
    assert watch._may_be_due(looked_at - timedelta(hours=1)), "the clock went back"
    assert not watch._may_be_due(now)
    engine = open_writer(home.database)
    track(home, engine, ["MSFT"])
    engine.dispose()
    assert watch._may_be_due(now), "a ticker was tracked"
