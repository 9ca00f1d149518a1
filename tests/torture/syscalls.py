"""Each system call that changes a file fails once: by SIGKILL, as an I/O error, and for want of space.

A point is one call of a small run, backfill, upgrade or backup, in the home or beside it. An undisturbed twin counts them. The
points of the run come first, then the others in an order that the seed draws. After each fault the home is looked at from
outside, and the same command, run again, has to leave the record of the twin.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import TICKERS, copy_home, make_feed, make_home, unpack_old_home
from tests.torture.oracle import Oracle, doubled_rows, held_locks, temporary_files, unsound_backups
from tests.torture.program import content_hash, must_run, run, unfit_end
from tests.torture.traces import Call, trace, without_strace

NAME = "syscalls"
FAULTS = ("signal=SIGKILL", "error=EIO", "error=ENOSPC")
BACKUP = "kept.tar"
OLD = "0001"
TRIES = 4  # the program opens a file more or less from time to time, so a call may have another number
COMMANDS = ("run", "backfill", "upgrade", "backup")


@dataclass(frozen=True, slots=True)
class Subject:
    """A command whose calls fail, and what it leaves undisturbed. home: the prepared one that it changes."""

    home: str
    command: tuple[str, ...]
    content_hash: str
    points: tuple[tuple[str, int], ...]


def prepare(bench: Bench) -> None:
    """Make the homes and count the points of each command."""
    folder, build = bench.prepared, bench.build
    feed = make_feed(folder / "feed")
    make_home(build, folder / "new" / "home", feed)
    make_home(build, folder / "begun" / "home", feed, runs=1)
    must_run(build, folder / "begun" / "home", "backup", folder / "begun" / BACKUP)
    unpack_old_home(folder / "old" / "home", OLD)
    planned = {
        "run": ("begun", ("run", "--now", feed.instant(1))),
        "backfill": ("new", ("backfill", *TICKERS, "--start", feed.sessions[0], "--end", feed.sessions[1])),
        "upgrade": ("old", ("db", "upgrade")),
        "backup": ("begun", ("backup", f"{{folder}}/{BACKUP}")),
    }
    subjects = {name: asdict(_counted(bench, home, command)) for name, (home, command) in planned.items()}
    (folder / "subjects.json").write_text(json.dumps(subjects), encoding="utf-8")


def trial(bench: Bench, index: int) -> Outcome:
    """Let one point fail. A trial beyond the last point does nothing."""
    drawn = _drawn(bench)
    if index >= len(drawn):
        return Outcome(0)
    for _ in range(TRIES):
        outcome = _failed(bench, index, *drawn[index])
        if outcome.faults:
            break
    return outcome


def _failed(bench: Bench, index: int, name: str, point: tuple[str, int], fault: str) -> Outcome:
    """Let one point of a command fail and judge what is left. Without a fault where the command made fewer calls this time."""
    subject = _subjects(bench)[name]
    with bench.scratch() as folder:
        home, command = _copied(bench, subject, folder)
        oracle = Oracle(home)
        before = oracle.look()
        traced = trace(bench.build, home, *command, only=point[0], inject=f"{fault}:when={point[1]}")
        if (hit := traced.failed) is None:
            return Outcome(0, {"points that were not reached": 1})
        broken = [*before, *_after_fault(oracle, home, hit, fault), *unfit_end(traced.done, killed=fault == FAULTS[0])]
        again = run(bench.build, home, *command)
        if again.returncode:
            broken.append(f"the next start ended with code {again.returncode}: {again.stderr[-300:]}")
        else:
            broken += _compared(bench, oracle, home, subject)
    where = f"{NAME} {index}, {name}, {fault} at {point[0]} {point[1]} ({hit.text[:200]})"
    failed = "commands that ended with an error" if traced.done.returncode else "commands that went on"
    return Outcome(1, {failed: 1, f"points of {name}": 1}, tuple(f"{where}: {sentence}" for sentence in broken))


def total(bench: Bench) -> int:
    """Return the number of points times the number of kinds of faults."""
    return sum(len(subject.points) for subject in _subjects(bench).values()) * len(FAULTS)


def _drawn(bench: Bench) -> list[tuple[str, tuple[str, int], str]]:
    """Return all faults in the order of the trials: one of each command, then those of the run, then the others."""
    rng = bench.rng(NAME, 0)
    by_command = {
        name: [(name, point, fault) for point in subject.points for fault in FAULTS] for name, subject in _subjects(bench).items()
    }
    for faults in by_command.values():
        rng.shuffle(faults)
    each = [by_command[name].pop() for name in COMMANDS]
    others = [fault for name in COMMANDS[1:] for fault in by_command[name]]
    rng.shuffle(others)
    return [*each, *by_command[COMMANDS[0]], *others]


def _counted(bench: Bench, home: str, command: tuple[str, ...]) -> Subject:
    """Run a command undisturbed, once traced, and return its points. Raises RuntimeError where it fails."""
    with bench.scratch() as folder:
        copy, words = _copied(bench, Subject(home, command, "", ()), folder)
        traced = trace(bench.build, copy, *words)
        if traced.done.returncode or traced.others:
            raise RuntimeError(f"{' '.join(words)}: {traced.done.stderr or traced.others[0]}")
        points = tuple((call.name, call.number) for call in traced.calls)
        return Subject(home, command, content_hash(bench.build, copy), points)


def _subjects(bench: Bench) -> dict[str, Subject]:
    values = json.loads((bench.prepared / "subjects.json").read_text(encoding="utf-8"))
    return {
        name: Subject(each["home"], tuple(each["command"]), each["content_hash"], tuple(map(tuple, each["points"])))
        for name, each in values.items()
    }


def _copied(bench: Bench, subject: Subject, folder: Path) -> tuple[Path, list[str]]:
    """Return a copy of a subject's home, with the backup beside it, and the words of its command."""
    prepared = bench.prepared / subject.home
    home = copy_home(prepared / "home", folder / "home")
    for path in prepared.glob("*.tar"):
        (folder / path.name).write_bytes(path.read_bytes())
    return home, [word.format(folder=folder) for word in subject.command]


def _after_fault(oracle: Oracle, home: Path, call: Call, fault: str) -> list[str]:
    """Return what is broken right after a fault."""
    broken = [*oracle.look(), *held_locks(home), *unsound_backups(home.parent)]
    if fault != FAULTS[0] and not call.name.startswith("unlink"):
        broken += [f"{name} is left after an error" for name in temporary_files(home.parent)]
    return broken


def _compared(bench: Bench, oracle: Oracle, home: Path, subject: Subject) -> list[str]:
    """Return how a home differs from the twin's, and what is not sound in it."""
    broken = [*oracle.look(), *doubled_rows(home), *unsound_backups(home.parent)]
    if content_hash(bench.build, home) != subject.content_hash:
        broken.append("the record differs from the twin's")
    checked = run(bench.build, home, "verify", "--deep")
    broken += [f"verify --deep: {checked.stderr[-300:]}"] if checked.returncode else []
    return [*broken, *(f"{name} is left" for name in temporary_files(home.parent) if not name.startswith(".tmp-"))]


HARNESS = Harness(
    name=NAME,
    promise="whichever system call fails, and how: one line and a documented exit code, and the next start finishes",
    faults="failed system calls",
    trials=900,
    short_trials=4,  # one of each command
    full_trials=10_000,
    prepare=prepare,
    trial=trial,
    unavailable=without_strace,
    work=("commands that ended with an error", *(f"points of {name}" for name in COMMANDS)),
    total=total,
)
