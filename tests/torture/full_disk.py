"""A disk that is full: a command works in a tmpfs that has less free space than it needs, from none to almost enough.

A fresh tmpfs of each trial holds the home, and a file fills what the command shall not have. Then that file goes, and the same
command has to leave the record of an undisturbed twin. Mounting needs root, so elsewhere this harness does not run.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import TICKERS, Feed, copy_home, make_feed, make_home, read_feed, unpack_old_home
from tests.torture.oracle import Oracle, doubled_rows, held_locks, temporary_files, unsound_backups
from tests.torture.program import content_hash, run, unfit_end

NAME = "full disk"
OLD = "0005"
COMMANDS = ("run", "backfill", "upgrade", "backup")
TMPFS_BYTES = 32 << 20
PAGE = 4096  # bytes: what a tmpfs gives and takes
STORAGE = 5  # the exit code of a full disk
FILLER = "filler"


@dataclass(frozen=True, slots=True)
class Twin:
    """What a command leaves where there is space. bytes: how much space it needs at most."""

    content_hash: str
    bytes: int


def without_mount() -> str:
    """Return why a tmpfs cannot be mounted here; an empty text where it can."""
    if os.geteuid() != 0:
        return "mounting a tmpfs needs root"
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False)
    return f"a tmpfs cannot be mounted: {tried.stderr.strip()}" if tried.returncode else ""


def prepare(bench: Bench) -> None:
    """Make the homes, and run each command once with space enough."""
    folder, build = bench.prepared, bench.build
    feed = make_feed(folder / "feed")
    make_home(build, folder / "new", feed)
    make_home(build, folder / "begun", feed, runs=1)
    unpack_old_home(folder / "old", OLD)
    twins = {name: asdict(_measured(bench, feed, name)) for name in COMMANDS}
    (folder / "twins.json").write_text(json.dumps(twins), encoding="utf-8")


def trial(bench: Bench, index: int) -> Outcome:
    """Give a command too little space, then enough."""
    name = COMMANDS[index % len(COMMANDS)]
    rng, feed = bench.rng(NAME, index), read_feed(bench.prepared / "feed")
    twin = Twin(**json.loads((bench.prepared / "twins.json").read_text(encoding="utf-8"))[name])
    free = rng.randrange(0, twin.bytes, PAGE)
    with bench.scratch() as scratch, _tmpfs(scratch / "disk") as folder:
        home, command = _copied(bench, feed, name, folder)
        oracle = Oracle(home)
        broken = oracle.look()
        before = len(oracle.rows)
        _fill(folder, free)
        done = run(bench.build, home, *command)
        _remove_filler(folder)
        broken += [*unfit_end(done), *oracle.look(), *held_locks(home), *unsound_backups(folder)]
        broken += [f"it ended with code {done.returncode}: {done.stderr[-300:]}"] if done.returncode not in (0, STORAGE) else []
        broken += [f"{name} is left on the full disk" for name in temporary_files(folder)]
        committed = len(oracle.rows) - before
        broken += _finished(bench, oracle, folder, command, twin)
    work = {"commands that found no space": int(done.returncode == STORAGE), "rows committed before": committed}
    where = f"{NAME} {index}, {name} with {free:,} bytes free"
    return Outcome(1, {**work, f"trials of {name}": 1}, tuple(f"{where}: {sentence}" for sentence in broken))


def _finished(bench: Bench, oracle: Oracle, folder: Path, command: list[str], twin: Twin) -> list[str]:
    """Run a command again, with space enough, and return how the home differs from the twin's."""
    again = run(bench.build, oracle.home, *command)
    if again.returncode:
        return [f"with space again, it ended with code {again.returncode}: {again.stderr[-300:]}"]
    broken = [*oracle.look(), *doubled_rows(oracle.home), *unsound_backups(folder)]
    broken += [] if content_hash(bench.build, oracle.home) == twin.content_hash else ["the record differs from the twin's"]
    checked = run(bench.build, oracle.home, "verify", "--deep")
    return [*broken, *([f"verify --deep: {checked.stderr[-300:]}"] if checked.returncode else [])]


def _copied(bench: Bench, feed: Feed, name: str, folder: Path) -> tuple[Path, list[str]]:
    """Return a copy of the home that a command changes, and the words of the command."""
    home, *command = {
        "run": ("begun", "run", "--now", feed.instant(1)),
        "backfill": ("new", "backfill", *TICKERS, "--start", feed.sessions[0], "--end", feed.sessions[40]),
        "upgrade": ("old", "db", "upgrade"),
        "backup": ("begun", "backup", str(folder / "kept.tar")),
    }[name]
    return copy_home(bench.prepared / home, folder / "home"), command


def _measured(bench: Bench, feed: Feed, name: str) -> Twin:
    """Run a command with space enough. Raises RuntimeError where it fails."""
    with bench.scratch() as scratch, _tmpfs(scratch / "disk") as folder:
        home, command = _copied(bench, feed, name, folder)
        before = _free_bytes(folder)
        done = run(bench.build, home, *command)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        return Twin(content_hash(bench.build, home), before - _free_bytes(folder) + _passing_bytes(home, name))


def _passing_bytes(home: Path, name: str) -> int:
    """Return about how much space a command needs for a while: a write-ahead log, or a second copy of the database."""
    return (home / "tickercast.db").stat().st_size * (2 if name == "upgrade" else 1)


@contextmanager
def _tmpfs(folder: Path) -> Iterator[Path]:
    """Yield an empty tmpfs."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(folder: Path, free: int) -> None:
    """Leave so many bytes free."""
    with (folder / FILLER).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(PAGE, _free_bytes(folder) - free))


def _remove_filler(folder: Path) -> None:
    with suppress(FileNotFoundError):
        (folder / FILLER).unlink()


def _free_bytes(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


HARNESS = Harness(
    name=NAME,
    promise="a full disk costs nothing that was committed, and the command finishes when there is space",
    faults="full disks",
    trials=120,
    short_trials=4,
    full_trials=1200,
    prepare=prepare,
    trial=trial,
    unavailable=without_mount,
    work=("commands that found no space", *(f"trials of {name}" for name in COMMANDS)),
)
