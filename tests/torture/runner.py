"""Runs the trials of all harnesses in parallel lanes, bounded in time, and resumes where an earlier run was stopped.

Trials of all harnesses take turns by their share that is done, so a bound in time shortens each of them alike. Each outcome is a
line of a file, written as soon as it is known.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.registry import HARNESSES


@dataclass(frozen=True, slots=True)
class Done:
    """A trial that was made: of which harness, its number, how long it took, and its outcome."""

    harness: str
    index: int
    seconds: float
    outcome: Outcome


def read_done(path: Path) -> list[Done]:
    """Return the trials of an earlier run. A line that a kill has torn is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            values = json.loads(line)
        except ValueError:
            continue
        outcome = values.pop("outcome")
        outcome["broken"] = tuple(outcome["broken"])
        found.append(Done(**values, outcome=Outcome(**outcome)))
    return found


def run_trials(benches: dict[str, Bench], wanted: dict[str, int], path: Path, *, lanes: int, seconds: float) -> Iterator[Done]:
    """Make the trials that a file lacks and yield each as it ends. wanted: trials by harness. seconds: no trial starts later."""
    made = {(done.harness, done.index) for done in read_done(path)}
    shares = [((index + 0.5) / number, name, index) for name, number in wanted.items() for index in range(number)]
    todo = iter([(name, index) for _, name, index in sorted(shares) if (name, index) not in made])
    until = time.monotonic() + seconds
    running: set[Future[Done]] = set()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(lanes, mp_context=context) as pool, path.open("a", encoding="utf-8") as file:
        while True:
            while len(running) < lanes and time.monotonic() < until and (task := next(todo, None)):
                running.add(pool.submit(make_trial, task[0], benches[task[0]], task[1]))
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                file.write(f"{json.dumps(asdict(future.result()))}\n")
                file.flush()
                yield future.result()


def make_trial(name: str, bench: Bench, index: int) -> Done:
    """Make one trial. An error in the harness itself counts as broken, so that it is seen and the others go on."""
    began = time.monotonic()
    try:
        outcome = HARNESSES[name].trial(bench, index)
    except Exception as error:
        outcome = Outcome(0, broken=(f"{name} {index}: the harness failed: {type(error).__name__}: {error}",))
    return Done(name, index, time.monotonic() - began, outcome)


def totals(harness: Harness, done: Sequence[Done]) -> tuple[int, dict[str, int], list[str], float]:
    """Return a harness's faults, work, broken promises and seconds over its trials."""
    own = [each for each in done if each.harness == harness.name]
    work: dict[str, int] = {}
    for each in own:
        for name, number in each.outcome.work.items():
            work[name] = work.get(name, 0) + number
    broken = [sentence for each in own for sentence in each.outcome.broken]
    return sum(each.outcome.faults for each in own), work, broken, sum(each.seconds for each in own)
