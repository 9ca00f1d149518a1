"""Eight readers at once against a backfill: none waits for a lock, sees part of a unit of work, or a snapshot that changes.

Before they start, statements that would write despite mode=ro go through the command `sql`: each is refused, and no file comes
of it. Not here: a list of hostile statements (hostile).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.processes import wait_until
from tests.torture.builds import Build
from tests.torture.crowded import ALL_TICKERS, make_crowded_home
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import copy_home, read_feed
from tests.torture.oracle import Oracle
from tests.torture.processes import stored_forecasts
from tests.torture.program import must_run, run, start, unfit_end
from tests.torture.reading import Seen, command, frames, plain, read_until

NAME = "readers"
READERS = ("plain",) * 4 + ("pandas",) * 2 + ("sql",) * 2
SECONDS = 4.0
WRITING = (
    "VACUUM INTO 'copied.db'",
    "ATTACH 'file:attached.db?mode=rwc' AS other",
    "CREATE TEMP TABLE kept AS SELECT * FROM forecasts",
    "PRAGMA journal_mode = DELETE",
    "DELETE FROM forecasts",
)
REFUSED = 8


def prepare(bench: Bench) -> None:
    """Make the home. It has its bars and the first session's forecasts, so that a backfill soon commits."""
    feed = make_crowded_home(bench.build, bench.prepared)
    must_run(bench.build, bench.prepared / "home", "backfill", "--start", feed.sessions[0], "--end", feed.sessions[0])


def trial(bench: Bench, index: int) -> Outcome:
    """Let eight readers read for some seconds while a backfill writes."""
    with bench.scratch() as folder:
        home = copy_home(bench.prepared / "home", folder / "home")
        broken = _written_by_queries(bench.build, home)
        if broken:
            return Outcome(1, broken=_named(index, broken))
        days = read_feed(bench.prepared / "feed").sessions
        stored = stored_forecasts(home)
        backfill = start(bench.build, home, "backfill", *ALL_TICKERS, "--start", days[0], "--end", days[-1])
        try:
            wait_until(lambda: stored_forecasts(home) > stored or backfill.has_ended())
            found = _read_at_once(bench.build, home)
        finally:
            os.kill(backfill.pid, signal.SIGTERM)
        done = backfill.wait()
        broken = [f"{kind}: {sentence}" for kind, seen in found for sentence in seen.broken]
        if done.returncode not in (0, 128 + signal.SIGTERM):
            broken += [f"the backfill beside readers ended with code {done.returncode}", *unfit_end(done)]
        work = Counter({f"snapshots of {kind}": 0 for kind in READERS})
        for kind, seen in found:
            work[f"snapshots of {kind}"] += seen.snapshots
            work["snapshots with more than before"] += seen.grown
        work["seconds of 8 readers"] += int(SECONDS)
        work["forecasts committed meanwhile"] += stored_forecasts(home) - stored
        return Outcome(len(found), dict(work), _named(index, [*broken, *Oracle(home).look()]))


def _named(index: int, sentences: list[str]) -> tuple[str, ...]:
    return tuple(f"{NAME} {index}: {sentence}" for sentence in sentences)


def _written_by_queries(build: Build, home: Path) -> list[str]:
    """Return a sentence for each statement of the command `sql` that was not refused, or that left or changed a file."""
    broken = []
    for statement in WRITING:
        before = _files(home.parent)
        done = run(build, home, "sql", statement)
        if done.returncode != REFUSED:
            broken.append(f"`sql` with {statement!r} ended with code {done.returncode}, not {REFUSED}")
        if changed := sorted(dict(_files(home.parent) ^ before)):
            broken.append(f"`sql` with {statement!r} wrote {', '.join(changed)}")
    return broken


def _files(folder: Path) -> set[tuple[str, int]]:
    """Return the files below a folder with their sizes, except those that a reader of a write-ahead log leaves."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {(str(path.relative_to(folder)), path.stat().st_size) for path in files if path.name != "checked-settings"}


def _read_at_once(build: Build, home: Path) -> list[tuple[str, Seen]]:
    """Return the kind of each reader and what it saw."""
    import pandas  # noqa: F401 - here, so that no reader need load it
    import sqlalchemy  # noqa: F401

    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()
    until = time.monotonic() + SECONDS
    processes = [context.Process(target=_read, args=(kind, build, home, until, answers)) for kind in READERS]
    for process in processes:
        process.start()
    found = [answers.get() for _ in processes]
    for process in processes:
        process.join()
    return found


def _read(kind: str, build: Build, home: Path, until: float, answers: Any) -> None:
    """Read in a process of its own, and put what was seen into a queue."""
    snapshots = {
        "plain": lambda: plain(home),
        "pandas": lambda: frames(home),
        "sql": lambda: command(home, build.environment()),
    }[kind]()
    answers.put((kind, read_until(lambda: time.monotonic() > until, snapshots)))


HARNESS = Harness(
    name=NAME,
    promise="readers never wait, never see part of a unit of work, and a snapshot stays as it is",
    faults="readers beside a backfill",
    trials=30,
    short_trials=1,
    full_trials=300,
    prepare=prepare,
    trial=trial,
    work=("snapshots of plain", "snapshots of pandas", "snapshots of sql", "snapshots with more than before"),
)
