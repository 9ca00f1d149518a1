"""Hostile SQL, symbols, file names and argument lists over all commands.

Each input is a command line of its own. It may write to its home, to its temporary folder and to the paths that it was told to
write to, and nowhere else: the files around the home are compared, what Python opens is noted, and some commands are traced as
real processes. It ends in time, with a documented exit code and one line of error. Commands that only read, and those that are
refused, leave the record as it is. At the end of each trial the record is verified.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from dataclasses import asdict
from pathlib import Path

from tests.torture.builds import Build
from tests.torture.codes import CONTROL, DOCUMENTED, Ended
from tests.torture.ended import run_command
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import Feed, make_feed, make_home
from tests.torture.hostile_arena import Arena, changes, make_arena
from tests.torture.hostile_lines import LONG, Line, hostile_line, sql_line
from tests.torture.hostile_traces import traced
from tests.torture.program import server_of
from tests.torture.traces import without_strace
from tests.written_paths import read_log

NAME = "hostile"
STATEMENTS, LINES = 3, 20  # inputs of a trial
TRACED_EVERY = 4  # trials, of which one has a traced process
DAILY_RUNS = 2
SECONDS = 20.0
LONG_SECONDS, STOP_SECONDS = 2.0, 7.0  # of a command that is stopped, and until it has ended
READING = {
    ("forecast",), ("skill",), ("explain",), ("status",), ("notices",), ("bars",), ("sql",), ("report",), ("verify",),
    ("replay",), ("tickers",), ("prior", "list"), ("prior", "fit"), ("evaluate",), ("demo",), ("backup",), ("export",),
    ("serve",),
}  # fmt: skip
BESIDE = (".restoring", ".before")  # a home that is restored
USAGE, QUERY = 2, 8
SHOWN = 300


def prepare(bench: Bench, runs: int = DAILY_RUNS) -> None:
    """Make the home that trials copy, after so many daily runs."""
    feed = make_feed(bench.prepared / "feed")
    make_home(bench.build, bench.prepared / "home", feed, runs=runs)
    (bench.prepared / "hostile.json").write_text(json.dumps(asdict(feed)), encoding="utf-8")


def trial(bench: Bench, index: int) -> Outcome:
    """Give a home hostile inputs, one after the other."""
    rng = bench.rng(NAME, index)
    values = json.loads((bench.prepared / "hostile.json").read_text(encoding="utf-8"))
    feed = Feed(values["folder"], tuple(values["sessions"]))
    work = dict.fromkeys(("statements", "lines", "accepted", "refused", "traced"), 0)
    broken: list[str] = []
    with bench.scratch() as folder:
        arena = make_arena(folder / "arena", bench.prepared / "home", feed, rng)
        for position in range(STATEMENTS + LINES):
            is_statement = position < STATEMENTS
            line = sql_line(rng, arena.folder / "tmp") if is_statement else _harmless_line(rng, arena)
            is_traced = position == STATEMENTS and index % TRACED_EVERY == 0 and not without_strace()
            code, found = _judge(bench.build, arena, line, is_traced=is_traced)
            broken += [f"{NAME} {index}: {' '.join(line.arguments)[:SHOWN]!r}: {sentence}" for sentence in found]
            work["statements" if is_statement else "lines"] += 1
            work["accepted"] += code == 0
            work["refused"] += code in (USAGE, QUERY)
            work["traced"] += is_traced
        ended = run_command(bench.build, arena.work, ["--home", arena.home, "verify"])
        broken += [f"{NAME} {index}: the record afterwards: {ended.err.strip()[-SHOWN:]}"] if ended.code else []
    return Outcome(work["statements"] + work["lines"], work, tuple(broken))


def _harmless_line(rng: random.Random, arena: Arena) -> Line:
    """Return a line that names nothing of the machine to write to."""
    while not arena.is_harmless((line := hostile_line(rng, arena.paths)).outputs):
        pass
    return line


def _judge(build: Build, arena: Arena, line: Line, *, is_traced: bool) -> tuple[int, list[str]]:
    """Run a command line; return its exit code and a sentence for each promise that it broke."""
    outputs = arena.named(line.outputs)
    if line.command == ("restore",):
        outputs += [f"{os.path.realpath(arena.home)}{ending}" for ending in BESIDE]
    around, record = arena.around(), arena.record()
    log = arena.folder.parent / "written"
    log.unlink(missing_ok=True)
    try:
        if is_traced:
            ended, written = traced(build, arena, line.arguments, is_long=line.command in LONG)
        else:
            ended = _forked(build, arena, line, log)
            written = [str(path) for path in read_log(log)]
    except subprocess.TimeoutExpired as error:
        return -1, [f"hangs for {error.timeout:g} s"]
    found = _faults(ended, line)
    found += [f"{path!r} changed" for path in changes(around, arena.around()) if not arena.may_write(path, outputs)]
    found += [f"{path!r} was written" for path in written if not arena.may_write(path, outputs)]
    if line.command in READING or ended.code == USAGE:
        kept = arena.record()
        inside = [path for path in changes(record, kept) if not _is_named(path, outputs)]
        found += [f"{os.path.relpath(path, arena.home)!r} of the record changed at code {ended.code}" for path in inside]
    return ended.code, found


def _forked(build: Build, arena: Arena, line: Line, log: Path) -> Ended:
    """Run a command forked. One that takes long is stopped. Raises TimeoutExpired."""
    arguments = ["--home", str(arena.home), *line.arguments]
    started = server_of(build).start(arena.work, arguments, arena.environment(), log=log)
    seconds = SECONDS
    if line.command in LONG and not started.has_ended(LONG_SECONDS):
        os.kill(started.pid, signal.SIGTERM)
        seconds = STOP_SECONDS
    done = started.wait(seconds)
    return Ended(done.returncode, done.stdout, done.stderr)


def _faults(ended: Ended, line: Line) -> list[str]:
    """Return what is wrong with how a command ended. What SQL selects may be any text, and so may a program's format."""
    if ended.code in DOCUMENTED and CONTROL.search(ended.out):
        ended = Ended(ended.code, "", ended.err)
    return ended.faults()


def _is_named(path: str, outputs: list[str]) -> bool:
    return any(path == named or path.startswith((f"{named}/", f"{named}.")) for named in outputs)


HARNESS = Harness(
    NAME, "no hostile input writes outside of the home, ends with a traceback or hangs", "statements and command lines",
    trials=100, short_trials=1, full_trials=1000, prepare=prepare, trial=trial, work=("accepted", "refused"),
)  # fmt: skip
