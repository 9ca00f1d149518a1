"""Processes under torture: how much they computed, who lives on, and a daemon's cycle."""

from __future__ import annotations

import math
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.command_server import StartedCommand
from tests.torture.builds import Build
from tests.torture.oracle import DATABASE
from tests.torture.program import start

CHILD_SECONDS = 5.0  # until a killed command's processes must have ended
CYCLE_SECONDS = 60.0  # until a daemon must have begun or ended a cycle
POLL_SECONDS = 0.001


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process's first thread, which does all of a command's work; infinity for one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    except (OSError, IndexError):
        return math.inf


def wait_for_cpu(started: StartedCommand, pid: int, seconds: float) -> None:
    """Return once a process of a command has used so much CPU time, or the process or the command has ended."""
    while cpu_seconds(pid) < seconds and not started.has_ended(POLL_SECONDS):
        pass


def used_cpu(started: StartedCommand) -> float:
    """Return the CPU time of a command's own process when it has ended."""
    used = 0.0
    while not started.has_ended(POLL_SECONDS):
        used = now if math.isfinite(now := cpu_seconds(started.pid)) else used
    return used


def start_daemon(build: Build, home: Path) -> tuple[StartedCommand, int]:
    """Start a daemon. Returns it and the process of its cycle, which has the writer lock by now. Raises TimeoutError."""
    before = _writer(home)
    started = start(build, home, "daemon")
    deadline = time.monotonic() + CYCLE_SECONDS
    while (writer := _writer(home)) in (before, 0, started.pid):  # the daemon itself writes that it lives
        if started.has_ended(POLL_SECONDS) or time.monotonic() > deadline:
            started.kill_group()
            raise TimeoutError(f"no cycle began: {started.wait().stderr[-300:]}")
    return started, writer


def run_daemon(build: Build, home: Path, forecasts: int) -> list[str]:
    """Run a daemon until a home has so many forecasts, then stop it. Returns what is wrong with its end."""
    started = start(build, home, "daemon")
    deadline = time.monotonic() + CYCLE_SECONDS
    while stored_forecasts(home) < forecasts or "daemon started" not in started.stderr_so_far():
        if started.has_ended(0.02) or time.monotonic() > deadline:
            break
    os.kill(started.pid, signal.SIGTERM)
    done = started.wait()
    return [f"the daemon ended with code {done.returncode}: {done.stderr[-300:]}"] if done.returncode else []


def stored_forecasts(home: Path) -> int:
    """Return the number of forecasts of a home."""
    with closing(sqlite3.connect(f"file:{home / DATABASE}?mode=ro", uri=True)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM forecasts").fetchone()
    return int(number)


def living_in_group(group: int) -> list[int]:
    """Return the processes of a group that have not ended, waiting some seconds for their end."""
    deadline = time.monotonic() + CHILD_SECONDS
    while (living := _members(group)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return living


def _members(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, _, its_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(its_group) == group and state not in "ZX":
            found.append(int(folder.name))
    return found


def _writer(home: Path) -> int:
    """Return the process that the note beside the writer lock names, 0 where there is none."""
    try:
        return int((home / "writer.holder").read_text(encoding="utf-8").rpartition(" ")[2] or 0)
    except FileNotFoundError:
        return 0
