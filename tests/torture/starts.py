"""Many commands that write are started at the same instant: one gets the lock, each other one ends with exit code 7 and one line.

A trial starts ten at once, which wait for SIGCONT first. The winner goes on until the others have ended, so that none of them
comes late to a lock that is free again.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.command_server import StartedCommand
from tests.processes import wait_until
from tests.torture.builds import Build
from tests.torture.crowded import ALL_TICKERS, make_crowded_home
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import Feed, copy_home, read_feed
from tests.torture.oracle import Oracle, held_locks
from tests.torture.processes import living_in_group
from tests.torture.program import run, start, unfit_end

NAME = "starts"
AT_ONCE = 10
LOCKED = 7
LONGEST_SECONDS = 60.0
# Of a daemon, a run and a backfill; a daemon has a lock of its own, and its cycle waits for another writer.
KINDS = (("daemon",), ("run", "backfill"), ("run",), ("backfill",), ("daemon", "run", "backfill"))


def prepare(bench: Bench) -> None:
    """Make the home: what is due takes long enough for all to come."""
    make_crowded_home(bench.build, bench.prepared)


def trial(bench: Bench, index: int) -> Outcome:
    """Start ten commands at once."""
    rng = bench.rng(NAME, index)
    with bench.scratch() as folder:
        home = copy_home(bench.prepared / "home", folder / "home")
        kinds = [rng.choice(KINDS[index % len(KINDS)]) for _ in range(AT_ONCE)]
        broken, winners = _start_at_once(bench.build, home, kinds, read_feed(bench.prepared / "feed"))
        broken += [*held_locks(home), *Oracle(home).look()]
        checked = run(bench.build, home, "verify")
        broken += [f"verify: {checked.stderr[-300:]}"] if checked.returncode else []
    work = {"winners": winners, "refused": AT_ONCE - winners}
    return Outcome(AT_ONCE, work, tuple(f"{NAME} {index}, {' '.join(sorted(kinds))}: {sentence}" for sentence in broken))


def _start_at_once(build: Build, home: Path, kinds: list[str], feed: Feed) -> tuple[list[str], int]:
    """Start commands of some kinds at once. Returns what is broken and how many won."""
    commands = [start(build, home, *_words(kind, feed), stopped=True) for kind in kinds]
    for command in commands:
        wait_until(lambda pid=command.pid: _is_stopped(pid))
    for command in commands:
        os.kill(command.pid, signal.SIGCONT)
    locks = {"daemon.lock": kinds.count("daemon"), "writer.lock": AT_ONCE - kinds.count("daemon")}
    wanted = sum(number > 0 for number in locks.values())
    _wait_for_winners(commands, wanted)
    winners = [command for command in commands if not command.has_ended()]
    for command in winners:
        os.kill(command.pid, signal.SIGTERM)
    broken = [sentence for command in commands for sentence in _unfit(command, command in winners)]
    if len(winners) != wanted:
        broken.append(f"{len(winners)} of {AT_ONCE} went on, not {wanted}")
    return broken, len(winners)


def _is_stopped(pid: int) -> bool:
    """Return whether a process waits for SIGCONT."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def _words(kind: str, feed: Feed) -> tuple[str, ...]:
    """Return a command line that does not wait for a lock."""
    if kind == "backfill":
        return ("backfill", *ALL_TICKERS, "--start", feed.sessions[0], "--end", feed.sessions[-1], "--wait", "0")
    return (kind,) if kind == "daemon" else (kind, "--wait", "0")


def _wait_for_winners(commands: list[StartedCommand], wanted: int) -> None:
    """Return once no more commands are under way than may win, or after a minute."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while sum(not command.has_ended() for command in commands) > wanted and time.monotonic() < deadline:
        time.sleep(0.01)


def _unfit(command: StartedCommand, has_won: bool) -> list[str]:
    """Return what is wrong with the end of a command: of a winner after SIGTERM, of the others by the lock."""
    done = command.wait()
    kind = done.args[2]
    if has_won:
        expected = 0 if kind == "daemon" else 128 + signal.SIGTERM
        wrong = f"the winning {kind} ended with code {done.returncode}: {done.stderr[-300:]}"
        found = [] if done.returncode == expected else [wrong]
        return [*found, *(f"process {pid} lives on" for pid in living_in_group(command.pid))]
    if done.returncode != LOCKED or len(done.stderr.splitlines()) != 1 or done.stdout:
        return [f"a {kind} that came too late ended with code {done.returncode}: {done.stderr[-300:]}", *unfit_end(done)]
    return []


HARNESS = Harness(
    name=NAME,
    promise="of commands started at once one gets the lock; every other one ends with exit code 7 and one line",
    faults="starts",
    trials=20,
    short_trials=1,
    full_trials=500,
    prepare=prepare,
    trial=trial,
    work=("winners", "refused"),
)
