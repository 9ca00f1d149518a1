"""SIGINT, SIGTERM and SIGHUP end a command within five seconds, wherever it is, and what it leaves is sound."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.conftest import clean_environment, command_of
from tests.loopback_yahoo import LoopbackYahoo, Reply
from tests.processes import descendants, living, wait_until, workers_of
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daemon import is_stopped_after_wait, stopped_by_signals
from tickercast.jobs.runs.interrupts import Stopped, handled_signals, interrupt
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import writer_lock
from tickercast.storage.database import open_writer, reading
from tickercast.storage.reader import snapshot
from tickercast.storage.verify import find_deep_problems, find_problems

MakeHome = Callable[[str, str], Home]
MOST_SECONDS = 5.0
IN_A_LIBRARY = """
import hashlib
from tickercast.jobs.runs.interrupts import interruptible
with interruptible():
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
"""
LONG_UNIT = {"TICKERCAST_TRAINING__LEARNS": "network", "TICKERCAST_TRAINING__COLD_EPOCHS": "9000"}


def start(arguments: list[str], **environment: str) -> subprocess.Popen[str]:
    """Start a program whose SIGHUP is not ignored, whatever runs the tests."""
    return subprocess.Popen(
        arguments, env=clean_environment(**environment), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )  # fmt: skip


def handles(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def ended_by(process: subprocess.Popen[str], *numbers: signal.Signals) -> tuple[int, str]:
    """Return the exit code and the last line of a program after signals. It must end in time and leave no process."""
    below = list(descendants(process.pid))
    began = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    told = process.communicate(timeout=60)[1]
    assert time.monotonic() - began < MOST_SECONDS
    wait_until(lambda: not living(below), seconds=5)
    assert "Traceback" not in told
    return process.returncode, told.splitlines()[-1]


def problems_of(home: Home) -> list[str]:
    with reading(home.database) as connection:
        return [*find_problems(connection, home.prices), *find_deep_problems(connection, home.prices)]


def answer(home: Home, query: str) -> list[tuple[Any, ...]]:
    with snapshot(home.database) as connection:
        return connection.execute(query).fetchall()


def test_a_stop_signal_is_an_interrupt_that_knows_its_number() -> None:
    with pytest.raises(KeyboardInterrupt) as told:
        interrupt(signal.SIGTERM, None)
    assert isinstance(told.value, Stopped)
    assert told.value.signal_number == signal.SIGTERM


def test_an_ignored_hang_up_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert handled_signals() == (signal.SIGINT, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_daemon_takes_a_signal_at_every_step_of_its_wait(tmp_path: Path) -> None:
    watch = Watch(tmp_path, tmp_path / "none.db", LogTarget("json"))
    sent = 0

    def send(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal sent
        sent += 1
        signal.raise_signal(signal.SIGTERM if sent == 3 else signal.SIGHUP)
        return send

    with stopped_by_signals(watch):
        before = sys.gettrace()
        sys.settrace(send)
        try:
            is_stopped = is_stopped_after_wait(watch, seconds=60.0)
        finally:
            sys.settrace(before)
    assert (is_stopped, watch.hung_up, sent > 3) == (True, True, True)


@pytest.mark.slow
def test_a_signal_ends_a_command_inside_a_call_of_a_library() -> None:
    process = start([sys.executable, "-c", IN_A_LIBRARY])
    assert process.stdout is not None
    process.stdout.readline()
    code, told = ended_by(process, signal.SIGTERM)
    assert (code, told.startswith("error: interrupted; ")) == (143, True)


@pytest.mark.slow
def test_a_signal_ends_a_run_that_fetches(make_home: MakeHome, server: LoopbackYahoo) -> None:
    home = make_home("home", f'[yahoo]\nbase_url = "{server.url}"\n')
    server.always = Reply(wait=60.0)
    engine = open_writer(home.database)
    track(home, engine, ["AAPL"])
    engine.dispose()
    process = start(command_of("--home", home.folder, "run"))
    wait_until(lambda: bool(server.chart_requests))
    assert ended_by(process, signal.SIGINT)[0] == 130
    assert problems_of(home) == []


@pytest.mark.slow
def test_a_signal_ends_a_command_that_waits_for_the_lock(make_home: MakeHome) -> None:
    home = make_home("home", "")
    with writer_lock(home.folder, command="test", wait_seconds=0):
        process = start(command_of("--home", home.folder, "track", "AAPL"))
        wait_until(lambda: handles(process.pid, signal.SIGHUP))
        assert ended_by(process, signal.SIGHUP)[0] == 129


@pytest.mark.slow
@pytest.mark.parametrize(("numbers", "code", "workers"), [((signal.SIGTERM,), 143, 2), ((signal.SIGINT, signal.SIGINT), 130, 1)])
def test_a_signal_drops_a_unit_of_work_that_takes_long(
    make_home: MakeHome, numbers: tuple[signal.Signals, ...], code: int, workers: int
) -> None:
    home = make_home("home", "[compute]\nstack = 1\n")
    arguments = ("backfill", "AAPL", "IBM", "--source", "sample", "--start", "2012-08-01", "--workers", workers)
    process = start(command_of("--home", home.folder, *arguments), **LONG_UNIT)
    if workers == 2:
        wait_until(lambda: len(workers_of(process.pid)) == 2)
    assert process.stderr is not None
    process.stderr.readline()  # the plan: it forecasts now
    time.sleep(0.5)
    assert ended_by(process, *numbers)[0] == code
    assert problems_of(home) == []


@pytest.mark.slow
@pytest.mark.parametrize("numbers", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)])
def test_a_signal_ends_a_daemon_in_the_middle_of_a_training(make_home: MakeHome, numbers: tuple[signal.Signals, ...]) -> None:
    home = make_home("home", "")
    engine = open_writer(home.database)
    track(home, engine, ["AAPL"], source="sample")
    engine.dispose()
    process = start(command_of("--home", home.folder, "daemon"), **LONG_UNIT)
    wait_until(lambda: answer(home, "SELECT count(*) FROM price_files") == [(1,)])
    time.sleep(1.0)
    code, told = ended_by(process, *numbers)
    assert (code, '"event": "daemon stopped"' in told) == (0, True)
    assert answer(home, "SELECT count(*) FROM forecasts") == [(0,)]
    assert problems_of(home) == []


@pytest.mark.slow
def test_a_signal_ends_a_daemon_that_fetches(make_home: MakeHome, server: LoopbackYahoo) -> None:
    home = make_home("home", f'[yahoo]\nbase_url = "{server.url}"\n')
    server.always = Reply(wait=60.0)
    engine = open_writer(home.database)
    track(home, engine, ["AAPL"])
    engine.dispose()
    process = start(command_of("--home", home.folder, "daemon"))
    wait_until(lambda: bool(server.chart_requests))
    assert ended_by(process, signal.SIGTERM)[0] == 0
    assert answer(home, "SELECT status FROM run_summary") == [("interrupted",)]
