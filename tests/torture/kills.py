"""SIGKILL at random instants of every command that writes, also while it recovers from the kill before.

A trial is a chain: the commands of a scenario follow one another, each is killed some times and then repeated until it is done.
After each kill the home is looked at from outside. At the end the record has to be that of an undisturbed twin, byte for byte.
Instants are drawn in CPU time of the twin's command, so that kills fall in all its phases however busy the machine is. A daemon's
twin is `run`: the cycle of a daemon does the same.
"""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.command_server import StartedCommand
from tests.torture.builds import Build
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import TICKERS, Feed, copy_home, make_feed, make_home, read_feed, unpack_old_home
from tests.torture.oracle import Oracle, doubled_rows, held_locks, misnamed_files, temporary_files, unsound_backups
from tests.torture.processes import (
    cpu_seconds,
    living_in_group,
    run_daemon,
    start_daemon,
    stored_forecasts,
    used_cpu,
    wait_for_cpu,
)
from tests.torture.program import KILLED, content_hash, run, start, unfit_end

NAME = "kills"
MOST_KILLS = {1: 5, 2: 3, 4: 2}  # of each command before it may end, by the number of a scenario's commands
EARLIEST, LATEST = 0.1, 0.95  # shares of the twin's CPU time: what comes before writes nothing
LATEST_FIRST = 0.6  # of the first kill of a command, so that there is one
LONGEST_WAIT = 0.003  # seconds after the drawn CPU time, so that a kill may also hit a wait for the disk
AFTER_COMMIT = 0.25  # share of the kills of commands that forecast which wait for a commit instead
BACKUP = "{folder}/kept.tar"
OLD = ("0001", "0005")
DAEMON = "daemon"
TURNS = ("backup", "backfill", "upgrade", "repair", DAEMON, "run", "run", "backfill", "upgrade", "backup", "run")  # of trials
FORECASTING = ("run", "backfill")
KILLED_COMMANDS = ("run", "backfill", DAEMON, "db", "backup", "restore", "repair")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Commands on a copy of a prepared home. cpu: seconds of each in the twin. content_hash: of the twin's record.

    is_sound: whether the home is sound before the first command. forecasts: in the twin at the end.
    """

    home: str
    commands: tuple[tuple[str, ...], ...]
    cpu: tuple[float, ...]
    content_hash: str
    forecasts: int
    is_sound: bool


def prepare(bench: Bench) -> None:
    """Make the homes."""
    feed, folder, build = make_feed(bench.prepared / "feed"), bench.prepared, bench.build
    make_home(build, folder / "new", feed)
    make_home(build, folder / "begun", feed, runs=2)
    copy_home(folder / "begun", folder / "damaged")
    for path in (folder / "damaged").glob(f"prices/{TICKERS[0]}/*.parquet"):
        path.unlink()
    for version in OLD:
        unpack_old_home(folder / version, version)


def trial(bench: Bench, index: int) -> Outcome:
    """Make one chain of kills."""
    rng = bench.rng(NAME, index)
    turn = TURNS[index % len(TURNS)]
    name = f"{turn} {rng.choice(OLD)}" if turn == "upgrade" else turn
    scenario = _with_twin(bench, name)
    with bench.scratch() as folder:
        chain = Chain(bench.build, copy_home(bench.prepared / scenario.home, folder / "home"), scenario, rng)
        chain.make()
        broken = tuple(f"{NAME} {index}, {name}: {sentence}" for sentence in chain.broken)
    return Outcome(chain.kills, chain.work, broken)


class Chain:
    """One trial under way: what was killed, what was committed meanwhile, and what broke."""

    def __init__(self, build: Build, home: Path, scenario: Scenario, rng: random.Random) -> None:
        self.build, self.home, self.scenario, self.rng = build, home, scenario, rng
        self.oracle = Oracle(home)
        self.kills = 0
        self.work = {"kills after a commit": 0, "rows committed between kills": 0}
        self.broken: list[str] = []

    def make(self) -> None:
        """Kill each command some times, let it end, and compare the record with the twin's."""
        if self.scenario.is_sound:
            self.broken += self.oracle.look()
        most = MOST_KILLS[len(self.scenario.commands)]
        for words, cpu in zip(self.scenario.commands, self.scenario.cpu, strict=True):
            command = [word.format(folder=self.home.parent) for word in words]
            for number in range(self.rng.randint(1, most)):
                instant = self.rng.uniform(EARLIEST, LATEST if number else LATEST_FIRST) * cpu
                if not self._kill(command, instant, after_commit=self._waits_for_commit(command)):
                    break
            if failed := self._finish(command):
                self.broken += failed
                return
            self.broken += self.oracle.look()
        self._compare()

    def _finish(self, command: list[str]) -> list[str]:
        """Run a command to its end. Returns what is wrong with it."""
        if command == [DAEMON] and self.rng.random() < 0.5:
            return run_daemon(self.build, self.home, self.scenario.forecasts)
        done = run(self.build, self.home, *undisturbed(command))
        text = f"`{' '.join(command)}` after kills ended with code {done.returncode}: {done.stderr[-300:]}"
        return [text] if done.returncode else []

    def _waits_for_commit(self, command: list[str]) -> bool:
        """Return whether the next kill waits until forecasts were committed: the first of a daemon does, some others do."""
        if command == [DAEMON]:
            return not self.kills
        return command[0] in FORECASTING and self.rng.random() < AFTER_COMMIT

    def _kill(self, command: list[str], instant: float, *, after_commit: bool) -> bool:
        """Kill a command at an instant of its CPU time, or soon after it committed forecasts, and look at the home.

        Returns whether it was killed before its end.
        """
        before = len(self.oracle.rows), _names(self.home.parent)
        forecasts = stored_forecasts(self.home) if after_commit else 0
        started = self._started_until(command, 0.0 if after_commit else instant)
        if started is None:
            return False
        while after_commit and stored_forecasts(self.home) == forecasts and not started.has_ended():
            pass
        time.sleep(self.rng.uniform(0, LONGEST_WAIT))
        self.rng.choice([started.kill, started.kill_group])()
        done = started.wait()
        if done.returncode != KILLED:
            self.broken += unfit_end(done)
            return False
        self.kills += 1
        self.work[f"kills of {command[0]}"] = self.work.get(f"kills of {command[0]}", 0) + 1
        self.broken += [f"process {pid} lives on" for pid in living_in_group(started.pid)]
        self.broken += held_locks(self.home)
        self.broken += self.oracle.look() if self.scenario.is_sound else misnamed_files(self.home)
        self.broken += unsound_backups(self.home.parent)
        committed = len(self.oracle.rows) - before[0]
        self.work["rows committed between kills"] += committed
        self.work["kills after a commit"] += (len(self.oracle.rows), _names(self.home.parent)) != before
        return True

    def _started_until(self, command: list[str], instant: float) -> StartedCommand | None:
        """Return a command at an instant of its CPU time; None where a daemon has nothing to do any more."""
        if command != [DAEMON]:
            started = start(self.build, self.home, *command)
            wait_for_cpu(started, started.pid, instant)
            return started
        if stored_forecasts(self.home) >= self.scenario.forecasts:
            return None
        started, writer = start_daemon(self.build, self.home)
        wait_for_cpu(started, writer, cpu_seconds(writer) + instant)
        return started

    def _compare(self) -> None:
        """Note where the record differs from the twin's, is not sound, or where unfinished files are left."""
        if content_hash(self.build, self.home) != self.scenario.content_hash:
            self.broken.append("the record differs from the twin's")
        self.broken += doubled_rows(self.home)
        checked = run(self.build, self.home, "verify", "--deep")
        if checked.returncode:
            self.broken.append(f"verify --deep: {checked.stderr[-300:]}")
        left = [name for name in temporary_files(self.home.parent) if not name.startswith(".tmp-")]
        self.broken += [f"{name} is left" for name in left]
        if len(temporary_files(self.home)) > self.kills:
            self.broken.append("more unfinished files are left than there were kills")


def undisturbed(command: list[str]) -> list[str]:
    """Return what a twin runs in place of a command."""
    return ["run"] if command == [DAEMON] else command


def _plans(feed: Feed) -> dict[str, tuple[str, list[list[str]], bool]]:
    """Return the home, the commands and whether the home is sound, of each scenario."""
    days = feed.sessions
    daily = [["run", "--now", feed.instant(position)] for position in range(2, 4)]
    backfills = [["backfill", *TICKERS, "--start", days[first], "--end", days[last]] for first, last in [(0, 24), (10, 50)]]
    plans = {
        "run": ("begun", daily, True),
        "backfill": ("new", backfills, True),
        "backup": ("begun", [["backup", BACKUP], daily[0], ["backup", BACKUP], ["restore", BACKUP]], True),
        "repair": ("damaged", [["repair", TICKERS[0]]], False),
        DAEMON: ("begun", [[DAEMON]], True),
    }
    return {**plans, **{f"upgrade {version}": (version, [["db", "upgrade"]], True) for version in OLD}}


def _with_twin(bench: Bench, name: str) -> Scenario:
    """Return a scenario after running its commands once without a kill, which is remembered in a file."""
    path = bench.prepared / f"{name}.json"
    if not path.exists():
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(json.dumps(asdict(_measured(bench, *_plans(read_feed(bench.prepared / "feed"))[name]))), encoding="utf-8")
        new.replace(path)
    values = json.loads(path.read_text(encoding="utf-8"))
    return Scenario(**{**values, "commands": tuple(map(tuple, values["commands"]))})


def _measured(bench: Bench, home: str, commands: list[list[str]], is_sound: bool) -> Scenario:
    """Run the commands of a scenario once. Raises RuntimeError where one of them fails."""
    cpu = []
    with bench.scratch() as folder:
        copy = copy_home(bench.prepared / home, folder / "home")
        for words in commands:
            started = start(bench.build, copy, *undisturbed([word.format(folder=folder) for word in words]))
            cpu.append(used_cpu(started))
            done = started.wait()
            if done.returncode:
                raise RuntimeError(f"{' '.join(words)}: {done.stderr}")
        record = content_hash(bench.build, copy)
        return Scenario(home, tuple(map(tuple, commands)), tuple(cpu), record, stored_forecasts(copy), is_sound)


def _names(folder: Path) -> frozenset[tuple[str, int]]:
    """Return the price files and the files beside the home, with their sizes: what a command without forecasts commits."""
    paths = [*folder.glob("*.tar"), *folder.glob("home*/tickercast.db*"), *folder.glob("home*/prices/*/*.parquet")]
    return frozenset((str(path), path.stat().st_size) for path in paths if not path.name.endswith("-shm"))


HARNESS = Harness(
    name=NAME,
    promise="whatever is killed, whenever: nothing committed is lost, and the same command finishes with the twin's record",
    faults="SIGKILLs",
    trials=380,
    short_trials=5,
    full_trials=3800,
    prepare=prepare,
    trial=trial,
    work=("kills after a commit", "rows committed between kills", *(f"kills of {name}" for name in KILLED_COMMANDS)),
)
