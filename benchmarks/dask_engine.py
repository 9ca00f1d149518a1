"""Compare a backfill on two Dask workers with one on two processes, in pairs one after the other; or record what its tasks cost.

    python benchmarks/dask_engine.py [--source folder:PATH --adjustment split] [--start D] [--end D] [--tickers N] [--pairs 3]
    python benchmarks/dask_engine.py ... --record FILE     # seconds and bytes of each task, for benchmarks/many_workers.py

Each backfill is a command in a home of its own, and all records must have one content hash. Without a source: the five sample
tickers, a stack each. Processor time is that of the command and all its processes; other programs disturb it least.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

ENGINES = ("processes", "dask")


@dataclass
class Taken:
    """What one backfill took. seconds: on the wall; cpu_seconds: of the command and its processes."""

    seconds: float
    cpu_seconds: float
    content_hash: str


@dataclass
class Task:
    """What one task of a backfill took, in processor seconds, and how large it and its result are as they are sent.

    commit_wall_seconds: also what it waited for the disk.
    """

    tickers: int
    sessions: int
    pack_seconds: float
    compute_seconds: float
    unpack_seconds: float
    commit_seconds: float = 0.0
    commit_wall_seconds: float = 0.0
    task_bytes: int = 0
    result_bytes: int = 0


def run_command(folder: Path, engine: str, words: list[str], stack: int) -> Taken:
    """Backfill a new home with an engine."""
    environment = {**os.environ, "TICKERCAST_COMPUTE__ENGINE": engine, "TICKERCAST_COMPUTE__STACK": str(stack)}
    home = [sys.executable, "-m", "tickercast", "--home", str(folder / engine)]
    began = time.perf_counter()
    process = subprocess.Popen([*home, "backfill", *words], env=environment, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{engine}: exit code {os.waitstatus_to_exitcode(status)}")
    checked = subprocess.run([*home, "verify", "--content-hash"], check=True, capture_output=True, text=True)
    return Taken(seconds, used.ru_utime + used.ru_stime, checked.stdout.strip())


def compare(words: list[str], pairs: int, stack: int) -> None:
    """Print what both engines took, pair by pair, and the ratios of their medians."""
    taken: dict[str, list[Taken]] = {engine: [] for engine in ENGINES}
    print("| pair | engine | seconds | processor seconds |\n|---|---|---|---|")
    for pair in range(pairs):
        with tempfile.TemporaryDirectory(prefix="tickercast-bench-") as name:
            for engine in ENGINES if pair % 2 == 0 else reversed(ENGINES):
                found = run_command(Path(name), engine, words, stack)
                taken[engine].append(found)
                print(f"| {pair + 1} | {engine} | {found.seconds:.1f} | {found.cpu_seconds:.1f} |", flush=True)
    if len({found.content_hash for all_found in taken.values() for found in all_found}) != 1:
        raise SystemExit("the records differ")
    for name in ("seconds", "cpu_seconds"):
        processes, dask = (statistics.median(getattr(found, name) for found in taken[engine]) for engine in ENGINES)
        print(f"median {name}: dask / processes = {dask:.1f} / {processes:.1f} = {dask / processes:.3f}")


def record(words: argparse.Namespace, symbols: tuple[str, ...], path: Path) -> None:
    """Backfill in this process, task by task, and write what each took."""
    from tickercast.jobs.runs import batch_work
    from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
    from tickercast.jobs.runs.engines import Engine
    from tickercast.jobs.runs.record import RunRecord
    from tickercast.jobs.workspace.writer import open_for_writing

    tasks: list[Task] = []
    commit = RunRecord.commit_stack

    @contextmanager
    def measured_engine(*_: Any) -> Iterator[Engine]:
        yield Engine(lambda work, task: measured(work, task, tasks), lambda: 1)

    @contextmanager
    def measured_engines() -> Iterator[Callable[..., Any]]:
        yield measured_engine

    def measured_commit(self: RunRecord, task: Any, *others: Any) -> None:
        began, began_wall = time.process_time(), time.perf_counter()
        commit(self, task, *others)
        done = next(t for t in tasks if not t.commit_seconds)
        done.commit_seconds, done.commit_wall_seconds = time.process_time() - began, time.perf_counter() - began_wall

    batch_work.kept_engine, RunRecord.commit_stack = measured_engines, measured_commit  # type: ignore[assignment, method-assign]
    request = BackfillRequest(symbols, words.start, words.end, source=words.source, adjustment=words.adjustment)
    with (
        tempfile.TemporaryDirectory(prefix="tickercast-bench-") as name,
        open_for_writing(Path(name) / "home", command="backfill", wait_seconds=1, create="density") as (home, engine),
    ):
        print(backfill_span(home, engine, request))
    path.write_text(json.dumps([asdict(task) for task in tasks]), encoding="utf-8")
    print_medians(tasks)


def measured(work: Callable[[Any], Any], task: Any, tasks: list[Task]) -> Future[Any]:
    """Do a task as a worker does it: unpacked from the bytes in which it is sent, with its result packed again."""
    from tickercast.jobs.forecasting.fingerprint import fingerprint
    from tickercast.jobs.runs.cluster.worker import compute, packed, unpacked

    instants = [time.process_time()]
    sent = packed((work, task))
    instants.append(time.process_time())
    answer = compute(sent, fingerprint())
    instants.append(time.process_time())
    future: Future[Any] = Future()
    future.set_result(unpacked(answer))
    instants.append(time.process_time())
    pack, compute_, unpack = (after - before for before, after in pairwise(instants))
    tasks.append(
        Task(len(task.tickers), len(task.origins), pack, compute_, unpack, task_bytes=len(sent[1]), result_bytes=len(answer[1]))
    )
    return future


def print_medians(tasks: list[Task]) -> None:
    """Print the median of each figure."""
    print(f"{len(tasks)} tasks; medians:")
    for name in asdict(tasks[0]):
        print(f"  {name:16} {statistics.median(getattr(task, name) for task in tasks):12,.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="sample")
    parser.add_argument("--adjustment")
    for name in ("start", "end"):
        parser.add_argument(f"--{name}", type=date.fromisoformat)
    parser.add_argument("--tickers", type=int, default=0, help="the first so many files of the folder; 0 = all")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--stack", type=int, default=0, help="compute.stack; 0 = 1 for the sample, else the default")
    parser.add_argument("--record", type=Path)
    options = parser.parse_args()
    is_sample = options.source == "sample"
    if is_sample and options.start is None:
        options.start = date(2012, 3, 2)
    folder = Path(options.source.partition(":")[2])
    names = () if is_sample else sorted(path.stem for path in folder.iterdir() if not path.name.startswith(("^", "%5E", ".")))
    symbols = tuple(names[: options.tickers]) if options.tickers else ()
    chosen = {name: getattr(options, name) for name in ("source", "adjustment", "start", "end")}
    given = [word for name, value in chosen.items() if value for word in (f"--{name}", str(value))]
    python, load = platform.python_version(), os.getloadavg()[0]
    print(f"machine: {os.cpu_count()} cores, {platform.machine()}, Python {python}, load {load:.1f}")
    if options.record:
        record(options, symbols, options.record)
    else:
        compare([*symbols, *given, "--workers", "2"], options.pairs, options.stack or (1 if is_sample else 128))


if __name__ == "__main__":
    main()
