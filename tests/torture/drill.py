"""The restore drill: a backup of a running daemon's home while it writes, restored elsewhere, is the home as of one instant.

A trial makes two backups in the middle of a daemon's cycle. For the first one the writing process is stopped, so that the record
at that instant is known; then it goes on during the second. Each backup is restored into another folder, verified to the depth,
replayed, and continued to the end of the cycle, where its record has to be the source's, byte for byte.
"""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path

from tests.command_server import StartedCommand
from tests.torture.builds import Build
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import SESSIONS, TICKERS, copy_home, make_feed, make_home
from tests.torture.oracle import Oracle
from tests.torture.processes import cpu_seconds, start_daemon, stored_forecasts, wait_for_cpu
from tests.torture.program import content_hash, must_run, run

NAME = "drill"
HORIZONS = 5
BEGUN = 2  # daily runs before the daemon
FORECASTS = len(TICKERS) * SESSIONS * HORIZONS
CYCLE_CPU = 0.4  # seconds of the cycle's process in which the first backup is drawn
REPLAYED = 10  # sessions of each restored home
LONGEST_CYCLE = 60.0


def prepare(bench: Bench) -> None:
    """Make a home with two daily runs; the daemon's cycle owes it all the others."""
    make_home(bench.build, bench.prepared / "begun", make_feed(bench.prepared / "feed"), runs=BEGUN)


def trial(bench: Bench, index: int) -> Outcome:
    """Make two backups of a daemon's home during its cycle, and hold both against the source."""
    with bench.scratch() as folder:
        drill = Drill(bench.build, copy_home(bench.prepared / "begun", folder / "home"), bench.rng(NAME, index))
        try:
            drill.make()
        finally:
            drill.end()
    broken = tuple(f"{NAME} {index}: {sentence}" for sentence in drill.broken)
    return Outcome(2, drill.work, broken)


class Drill:
    """One drill under way."""

    def __init__(self, build: Build, home: Path, rng: random.Random) -> None:
        self.build, self.home, self.rng = build, home, rng
        self.broken: list[str] = []
        self.work = {"forecasts replayed": 0, "backups before the last commit": 0}
        self.daemon: StartedCommand | None = None

    def make(self) -> None:
        """Do the drill."""
        self.daemon, writer = start_daemon(self.build, self.home)
        wait_for_cpu(self.daemon, writer, cpu_seconds(writer) + self.rng.uniform(0, CYCLE_CPU))
        before = Oracle(self.home)
        self.broken += before.look()
        known = self._backup_of_a_stopped_writer(writer)
        stored = stored_forecasts(self.home)
        must_run(self.build, self.home, "backup", self.home.parent / "live.tar")
        after = Oracle(self.home)
        self.broken += after.look()
        self._finish_cycle()
        self.work["backups before the last commit"] += stored < FORECASTS
        final = content_hash(self.build, self.home)
        self._restore("stopped", final, known)
        live = self._restore("live", final, None)
        if before.rows - live.rows:
            self.broken.append("live: what was committed before the backup began is not in it")
        if live.rows - after.rows:
            self.broken.append("live: it has what was not committed when it ended")

    def end(self) -> None:
        """Leave no daemon behind."""
        if self.daemon is not None:
            self.daemon.kill_group()

    def _backup_of_a_stopped_writer(self, writer: int) -> str:
        """Make a backup while the writing process stands still, and return the content hash of the home meanwhile."""
        os.kill(writer, signal.SIGSTOP)
        try:
            known = content_hash(self.build, self.home)
            must_run(self.build, self.home, "backup", self.home.parent / "stopped.tar")
        finally:
            os.kill(writer, signal.SIGCONT)
        return known

    def _finish_cycle(self) -> None:
        """Wait until the daemon has made every forecast, and stop it."""
        assert self.daemon is not None
        for _ in range(int(20 * LONGEST_CYCLE)):
            if stored_forecasts(self.home) == FORECASTS or self.daemon.has_ended(0.05):
                break
        os.kill(self.daemon.pid, signal.SIGTERM)
        done, self.daemon = self.daemon.wait(), None
        if done.returncode or stored_forecasts(self.home) != FORECASTS:
            self.broken.append(f"the daemon ended with code {done.returncode} before its cycle was done: {done.stderr[-300:]}")

    def _restore(self, name: str, final: str, known: str | None) -> Oracle:
        """Restore a backup elsewhere, hold it against the source, and return what it had. known: its content hash, if certain."""
        copy = self.home.parent / f"elsewhere-{name}"
        must_run(self.build, copy, "restore", self.home.parent / f"{name}.tar")
        restored = Oracle(copy)
        found = restored.look()
        checked = run(self.build, copy, "verify", "--deep")
        found += [f"verify --deep: {checked.stderr[-300:]}"] if checked.returncode else []
        if known is not None and content_hash(self.build, copy) != known:
            found.append("the restored record is not that of the source at the backup")
        found += self._replay(copy)
        must_run(self.build, copy, "run")
        if content_hash(self.build, copy) != final:
            found.append("the restored home continued to another record than the source")
        self.broken += [f"{name}: {sentence}" for sentence in found]
        return restored

    def _replay(self, copy: Path) -> list[str]:
        """Replay some sessions, count their forecasts, and return a sentence for each that is not equal."""
        chosen = ("--all", "--sample", REPLAYED, "--seed", self.rng.randrange(1000), "--format", "json")
        rows = json.loads(must_run(self.build, copy, "replay", *chosen))
        self.work["forecasts replayed"] += HORIZONS * sum(row["result"] == "equal" for row in rows)
        return [f"replay of {row['ticker']} at {row['origin']}: {row['result']}" for row in rows if row["result"] != "equal"]


HARNESS = Harness(
    name=NAME,
    promise="a backup of a daemon's home while it writes, restored elsewhere, is sound and continues to the same record",
    faults="backups",
    trials=12,
    short_trials=1,
    full_trials=120,
    prepare=prepare,
    trial=trial,
    work=("forecasts replayed", "backups before the last commit"),
)
