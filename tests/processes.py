"""The processes that another one started, as `ps` lists them, and waiting for them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

DEADLINE_SECONDS = 60.0


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of a process's children, their children and so on, by process id."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    living = [(int(own), int(parent), text) for own, parent, state, text in rows if not state.startswith("Z")]
    found: dict[int, str] = {}
    for _ in living:
        found |= {own: text for own, parent, text in living if parent == pid or parent in found}
    return found


def workers_of(pid: int) -> list[int]:
    """Return the spawned worker processes below a process, without the helpers of multiprocessing."""
    return [own for own, text in descendants(pid).items() if "spawn_main" in text]


def living(pids: list[int]) -> list[int]:
    """Return those processes that have not ended."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    running = {int(pid) for pid, state in (line.split() for line in listed.splitlines()) if not state.startswith("Z")}
    return sorted(running & set(pids))


def wait_until(happened: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    """Return once something happened. Raises AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
