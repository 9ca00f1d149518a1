"""Processes end with those that started them, leave nothing behind, and one that is killed is a clear error."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import wait
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import clean_environment, command_of
from tests.price_builders import bars_of_closes
from tests.processes import living, wait_until, workers_of
from tickercast.jobs.analysis.baselines import Floats, Origins
from tickercast.jobs.analysis.compare import ComparisonTask, Densities, score_tasks
from tickercast.jobs.analysis.other_forecasts import ALL_LEVELS
from tickercast.jobs.errors import OutOfResources
from tickercast.jobs.runs.workers import worker_pool
from tickercast.jobs.workspace.temporary import OWNER_LOCK, temporary_folder

SPAN = ("IBM", "AAPL", "MSFT", "--source", "sample", "--start", "2012-08-01", "--workers", "2")
SLOW = {"TICKERCAST_TRAINING__PRIOR_STEPS": "2", "TICKERCAST_COMPUTE__STACK": "1"}


def sleeping_method(returns: Floats, _variance: Floats, _horizon: int, _origins: Origins) -> Floats:
    """Be a method that never ends."""
    time.sleep(3600)
    return returns


def score_for_ever() -> None:
    """Score two tickers on two workers with a method that never ends."""
    bars = bars_of_closes(*np.full(600, 100.0))
    forecasts = Densities(bars.session[560:561], *(np.full(1, 0.01) for _ in range(3)), np.array(["none"]))
    tasks = [
        ComparisonTask(ticker, bars, "close", 1, forecasts, {"sleeping": sleeping_method}, {}, ALL_LEVELS) for ticker in "AB"
    ]
    score_tasks(tasks, 2)


def kill_own_process(_: None) -> None:
    """Be killed as the system kills a process when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def run_out_of_memory(_: None) -> None:
    """Allocate more than any machine has."""
    raise MemoryError("Unable to allocate 9.00 TiB")


def start(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code], env=clean_environment())


@pytest.mark.slow
@pytest.mark.parametrize("work", ["score_for_ever()", "sleep_in_a_pool()"])
def test_no_worker_outlives_a_killed_command(work: str) -> None:
    process = start(f"from tests.test_jobs_runs_workers import *; {work}")
    wait_until(lambda: len(workers_of(process.pid)) == 2)
    workers = workers_of(process.pid)
    process.kill()
    process.wait()
    wait_until(lambda: not living(workers), seconds=10)


def sleep_in_a_pool() -> None:
    """Sleep for an hour in each of two workers."""
    with worker_pool(2) as submit:
        wait([submit(time.sleep, 3600.0) for _ in range(2)])


@pytest.mark.slow
def test_a_killed_evaluation_leaves_no_process_and_its_folder_goes_with_the_next_one(tmp_path: Path) -> None:
    arguments = ("evaluate", *SPAN, "--end", "2013-02-20")
    process = subprocess.Popen(command_of(*arguments), env=clean_environment(TMPDIR=str(tmp_path), **SLOW))
    wait_until(lambda: len(workers_of(process.pid)) == 2)
    workers, left = workers_of(process.pid), list(tmp_path.glob("tickercast-evaluate-*"))
    process.kill()
    process.wait()
    wait_until(lambda: not living(workers), seconds=10)
    usage = command_of("evaluate", "IBM", "--source", "sample", "--start", "1999-01-04", "--end", "1999-01-05", "--workers", "1")
    subprocess.run(usage, env=clean_environment(TMPDIR=str(tmp_path)), check=False, capture_output=True)
    assert len(left) == 1
    assert list(tmp_path.glob("tickercast-evaluate-*")) == []


def test_a_folder_that_a_running_command_uses_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder("evaluate") as first, temporary_folder("evaluate") as second:
        assert first != second
        assert first.is_dir()
        assert second.is_dir()
    assert list(tmp_path.iterdir()) == []


def test_only_folders_of_the_same_kind_whose_lock_is_free_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("tickercast-evaluate-left", "tickercast-demo-kept", "tickercast-evaluate-beginning"):
        (tmp_path / name).mkdir()
    for name in ("tickercast-evaluate-left", "tickercast-demo-kept"):
        (tmp_path / name / OWNER_LOCK).touch()
    with temporary_folder("evaluate"):
        left = {path.name for path in tmp_path.iterdir()}
    assert left & {"tickercast-evaluate-left", "tickercast-demo-kept"} == {"tickercast-demo-kept"}
    assert "tickercast-evaluate-beginning" in left


@pytest.mark.slow
def test_a_worker_that_the_system_kills_is_an_error_of_resources() -> None:
    with pytest.raises(OutOfResources, match=r"killed a worker process.*fewer --workers"), worker_pool(2) as submit:
        submit(kill_own_process, None).result()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_an_allocation_that_fails_is_an_error_of_resources(workers: int) -> None:
    with pytest.raises(OutOfResources, match=r"memory ran out \(Unable to allocate 9.00 TiB\)"), worker_pool(workers) as submit:
        submit(run_out_of_memory, None).result()


def fail(_: float) -> None:
    """Be a task that fails."""
    raise ValueError("no")


def fail_before_a_minute_of_sleep() -> None:
    """Fail in one of two workers, with sixty tasks of a second behind it."""
    with worker_pool(2) as submit:
        failing, *_ = [submit(fail, 0.0), *(submit(time.sleep, 1.0) for _ in range(60))]
        failing.result()


@pytest.mark.slow
def test_an_error_does_not_wait_for_tasks_that_have_not_begun() -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match="no"):
        fail_before_a_minute_of_sleep()
    assert time.monotonic() - began < 15.0


@pytest.mark.slow
def test_an_interrupt_of_the_whole_group_while_workers_start_prints_no_traceback(tmp_path: Path) -> None:
    command = command_of("--home", tmp_path / "home", "backfill", *SPAN)
    process = subprocess.Popen(command, env=clean_environment(**SLOW), text=True, stderr=subprocess.PIPE, start_new_session=True)
    wait_until(lambda: len(workers_of(process.pid)) >= 1)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    lines = [line for line in told.splitlines() if not line.startswith(("plan: ", "home "))]
    assert (process.returncode, len(lines)) == (130, 1), told


@pytest.mark.slow
def test_a_backfill_whose_worker_is_killed_ends_in_one_line_and_resumes(tmp_path: Path) -> None:
    command = command_of("--home", tmp_path / "home", "backfill", *SPAN)
    environment = clean_environment(**SLOW)
    process = subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE)
    wait_until(lambda: len(workers_of(process.pid)) == 2)
    os.kill(workers_of(process.pid)[0], signal.SIGKILL)
    _, told = process.communicate(timeout=60)
    again = subprocess.run(command, env=environment, check=False, text=True, capture_output=True)
    _home, plan, error = told.splitlines()
    assert (process.returncode, plan[:6]) == (5, "plan: ")
    assert re.match("error: the system killed a worker process, .*what was committed stays; repeat the command", error)
    assert again.returncode == 0, again.stderr
