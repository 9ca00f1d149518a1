"""Losses of power at any instant of a run, a backfill, an upgrade and a backup, on a disk that keeps only what it has to.

Each command is run once, and what it does to files is recorded. A state is what a disk may hold after some of its calls. Each
state must open, be sound, hold every commit that had returned and no half of another; from some of them the same command must
finish with the record of the undisturbed one.
"""

from __future__ import annotations

import fcntl
import hashlib
import pickle
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.torture.file_calls import recorded_calls
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import TICKERS, copy_home, make_feed, make_home, read_feed, unpack_old_home
from tests.torture.oracle import DATABASE, misnamed_files
from tests.torture.program import content_hash, must_run, run
from tests.torture.recorded_disk import (
    Names,
    Recorder,
    Recording,
    Sync,
    Write,
    files_after_loss,
    files_without_loss,
    read_folder,
    write_folder,
)
from tickercast.storage.database import reading
from tickercast.storage.verify import all_problems

NAME = "power loss"
HOME, BACKUP, OLD = "home", "kept.tar", "0005"
LOG = f"{HOME}/{DATABASE}-wal"
FRAME_HEADER = 24
STATES = 25  # of a trial
TURNS = ("run", "upgrade", "backfill", "run", "backfill", "backup")  # of the trials
DEEP, RESTARTED = 0.2, 0.04  # shares of the states that are verified, and that a command goes on from
NEAR = 0.5  # share of the losses just before a sync or a change of names, where much is not on the disk


@dataclass(frozen=True, slots=True)
class Scene:
    """A recorded command. arguments: after the home. commits: of each commit, the events before it returns to the program, the
    events until it is on the disk, and the rows after it. after: the files at its end. content_hash: of its record.
    """

    arguments: tuple[str, ...]
    recording: Recording
    commits: tuple[tuple[int, int, str], ...]
    after: dict[str, bytes]
    content_hash: str


def prepare(bench: Bench) -> None:
    """Make the homes."""
    feed, folder, build = make_feed(bench.prepared / "feed"), bench.prepared, bench.build
    make_home(build, folder / "new", feed)
    copy_home(folder / "new", folder / "begun")
    must_run(build, folder / "begun", "run", "--now", feed.instant(0))
    unpack_old_home(folder / OLD, OLD)


def trial(bench: Bench, index: int) -> Outcome:
    """Lose power at many instants of one command."""
    rng, turn = bench.rng(NAME, index), TURNS[index % len(TURNS)]
    scene = _scene(bench, turn)
    work = {"states": 0, "states within a commit": 0, "states after a commit": 0, "states verified": 0, "commands resumed": 0}
    broken, seen = [], set()
    for number in range(STATES):
        events = _instant(scene.recording, rng)
        files = files_after_loss(scene.recording, events, rng)
        state = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
        if state in seen:
            continue
        seen.add(state)
        with bench.scratch() as folder:
            write_folder(folder, files)
            found = _State(bench, scene, folder, events, files).faults(rng, work)
        broken += [f"{NAME} {index}, state {number}: {turn}, after {events} calls: {sentence}" for sentence in found]
    return Outcome(work["states"], {**work, f"states of {turn}": work["states"]}, tuple(broken))


def _scene(bench: Bench, turn: str) -> Scene:
    """Return a command's recording, which the first trial that needs it makes."""
    feed, folder = read_feed(bench.prepared / "feed"), bench.prepared
    days, path = feed.sessions, folder / f"{turn}.recorded"
    with (folder / "recording.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() and turn == "run":
            _record(bench, path, folder / "begun", "run", "--now", feed.instant(1))
        elif not path.exists() and turn == "backfill":
            _record(bench, path, folder / "new", "backfill", *TICKERS, "--start", days[0], "--end", days[4])
        elif not path.exists() and turn == "upgrade":
            _record(bench, path, folder / OLD, "db", "upgrade")
        elif not path.exists():
            _record(bench, path, folder / "begun", "backup", "{folder}/" + BACKUP)
    scene: Scene = pickle.loads(path.read_bytes())
    return scene


def _instant(recording: Recording, rng: random.Random) -> int:
    """Return after how many events the power fails."""
    if rng.random() < NEAR:
        places = [position for position, event in enumerate(recording.events) if isinstance(event, Sync | Names)]
        return rng.choice(places) + rng.randint(0, 1)
    return rng.randint(0, len(recording.events))


@dataclass(frozen=True, slots=True)
class _State:
    """What is on the disk after a loss of power, in a folder."""

    bench: Bench
    scene: Scene
    folder: Path
    events: int
    files: dict[str, bytes]

    def faults(self, rng: random.Random, work: dict[str, int]) -> list[str]:
        """Return a sentence for each promise that does not hold, and count what was done."""
        commits = self.scene.commits
        returned = max(number for number, commit in enumerate(commits) if commit[0] <= self.events)
        begun = max(number for number, commit in enumerate(commits) if commit[1] <= self.events)
        work["states"] += 1
        work["states within a commit"] += begun > returned
        work["states after a commit"] += returned > 0
        home = self.folder / HOME
        found = self._database_faults([rows for _, _, rows in commits[returned : begun + 1]])
        found += misnamed_files(home) + self._other_files()
        if not found and self.scene.arguments[0] != "db" and rng.random() < DEEP:
            work["states verified"] += 1
            with reading(home / DATABASE) as connection:
                found += all_problems(connection, home / "prices")
        if not found and rng.random() < RESTARTED:
            work["commands resumed"] += 1
            found += self._faults_of_the_next_start()
        return found

    def _database_faults(self, allowed: Sequence[str]) -> list[str]:
        try:
            with closing(sqlite3.connect(self.folder / HOME / DATABASE)) as connection:
                sound = [row[0] for row in connection.execute("PRAGMA integrity_check")]
                rows = _rows(connection)
                paths = connection.execute("SELECT path FROM price_files WHERE superseded_at IS NULL").fetchall()
        except sqlite3.Error as error:
            return [f"the database cannot be read: {error}"]
        found = [] if sound == ["ok"] else [f"integrity_check: {sound[0]}"]
        if rows not in allowed:
            lost = rows in {commit[2] for commit in self.scene.commits}
            found.append("a commit that had returned is lost" if lost else "half of a commit is there")
        return found + [f"{path} is missing" for (path,) in paths if f"{HOME}/prices/{path}" not in self.files]

    def _other_files(self) -> list[str]:
        """Return a sentence where a backup, or the copy before an upgrade, has its name and is not whole, or is missing."""
        found = []
        for name, content in self.scene.after.items():
            if name == BACKUP or name.endswith(".backup"):
                if name not in self.files and self.events == len(self.scene.recording.events):
                    found.append(f"{name} is missing although the command had ended")
                elif self.files.get(name, content) != content:
                    found.append(f"{name} has other bytes than at the end of the command")
        return found

    def _faults_of_the_next_start(self) -> list[str]:
        home, build = self.folder / HOME, self.bench.build
        (home / "prices" / ".databases").unlink(missing_ok=True)
        arguments = [argument.format(folder=self.folder) for argument in self.scene.arguments]
        for command in (arguments, ["verify", "--deep"]):
            done = run(build, home, *command)
            if done.returncode:
                return [f"`{' '.join(command)}` afterwards ended with code {done.returncode}: {done.stderr[-300:]}"]
        return [] if content_hash(build, home) == self.scene.content_hash else ["the record is not the undisturbed one"]


def _record(bench: Bench, path: Path, home: Path, *arguments: str) -> None:
    """Run a command on a copy of a home and keep what it did. Raises ValueError where the recording is not what happened."""
    with bench.scratch() as folder:
        copy = copy_home(home, folder / HOME)
        before = read_folder(folder)
        words = [argument.format(folder=folder) for argument in arguments]
        calls = recorded_calls(bench.build, copy, folder.with_name(f"{folder.name}.calls"), *words)
        after = read_folder(folder)
        recording = Recorder(folder, before).record(calls)
        told = files_without_loss(recording, len(recording.events))
        if told != after:
            different = sorted(name for name in told.keys() | after.keys() if told.get(name) != after.get(name))
            raise ValueError(f"{path.stem}: the recording has other files than the disk: {', '.join(different)}")
        hashed = content_hash(bench.build, copy)
        commits = _commits(recording, folder / "at")
    new = path.with_suffix(".new")
    new.write_bytes(pickle.dumps(Scene(arguments, recording, commits, after, hashed)))
    new.replace(path)


def _commits(recording: Recording, folder: Path) -> tuple[tuple[int, int, str], ...]:
    """Return the commits. One is in the log with the page after a frame that says so, and has returned at the next change."""
    found = [(0, 0, _rows_after(recording, 0, folder))]
    logs = _nodes_named(recording, LOG)
    changes = [position for position, event in enumerate(recording.events) if not isinstance(event, Sync)]
    says_so = False
    for position, event in enumerate(recording.events):
        if not isinstance(event, Write) or event.file not in logs:
            continue
        if len(event.content) == FRAME_HEADER:
            says_so = event.content[4:8] != bytes(4)
        elif says_so:
            says_so = False
            returned = next((later for later in changes if later > position), len(recording.events) - 1) + 1
            found.append((returned, position + 1, _rows_after(recording, position + 1, folder)))
    return tuple(found)


def _nodes_named(recording: Recording, path: str) -> set[int]:
    """Return every file that ever has a path."""
    folder, name = 0, path.split("/")
    for part in name[:-1]:
        folder = recording.names[folder][part]
    started = {recording.names[folder].get(name[-1])}
    later = {event.nodes.get(name[-1]) for event in recording.events if isinstance(event, Names) and event.folder == folder}
    return {node for node in started | later if node is not None}


def _rows_after(recording: Recording, events: int, folder: Path) -> str:
    """Return the rows of the database after the first events, when nothing is lost."""
    files = {name: content for name, content in files_without_loss(recording, events).items() if f"{HOME}/{DATABASE}" in name}
    for name in (DATABASE, f"{DATABASE}-wal"):
        (folder / HOME / name).unlink(missing_ok=True)
    write_folder(folder, files)
    with closing(sqlite3.connect(folder / HOME / DATABASE)) as connection:
        return _rows(connection)


def _rows(connection: sqlite3.Connection) -> str:
    """Return a hash of all rows of all tables, and of the schema."""
    hashed = hashlib.sha256()
    tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    for name, sql in tables:
        rows = sorted(map(repr, connection.execute(f"SELECT * FROM {name}")))
        hashed.update("\n".join([name, sql or "", *rows]).encode())
    return hashed.hexdigest()


HARNESS = Harness(
    name=NAME,
    promise="whatever unsynced writes a disk loses: no returned commit is lost, no half is seen, the next start finishes",
    faults="losses of power",
    trials=240,
    short_trials=2,
    full_trials=2400,
    prepare=prepare,
    trial=trial,
    work=("states within a commit", "states after a commit", "states verified", "commands resumed"),
)
