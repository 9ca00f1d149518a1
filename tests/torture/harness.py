"""What a harness is: numbered trials, each drawn from a seed, which count their faults, their work and what broke."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.builds import Build


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial did and found.

    faults: the number of faults that were injected. work: what the program did between the faults, by name, so that a harness
    that does nothing is noticed. broken: one sentence for each promise that did not hold.
    """

    faults: int
    work: dict[str, int] = field(default_factory=dict)
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bench:
    """Where a trial works. prepared: a folder that `prepare` filled once and that trials only read or copy."""

    build: Build
    prepared: Path
    seed: int

    def rng(self, name: str, index: int) -> random.Random:
        """Return the random numbers of one trial."""
        return random.Random(f"{self.seed}/{name}/{index}")

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder on the same file system as the prepared one, which goes at the end."""
        with tempfile.TemporaryDirectory(dir=self.prepared.parent, prefix="trial-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)


@dataclass(frozen=True, slots=True)
class Harness:
    """One kind of fault. faults: what its count counts. work: facts that must be above zero over all trials together.

    trials: of `make torture`; short_trials: of `make test`, 0 where one takes too long; full_trials: of FULL=1. A trial takes at
    most some 30 seconds, those of engines a few minutes.
    total: returns how many different faults there are, where they can be counted (every system call of a run, say).
    unavailable: returns why this machine cannot inject such faults; an empty text where it can.
    """

    name: str
    promise: str
    faults: str
    trials: int
    short_trials: int
    full_trials: int
    prepare: Callable[[Bench], None]
    trial: Callable[[Bench, int], Outcome]
    work: tuple[str, ...] = ()
    total: Callable[[Bench], int] | None = None
    unavailable: Callable[[], str] = str


def without_progress(harness: Harness, outcomes: list[Outcome]) -> tuple[str, ...]:
    """Return a sentence for each kind of work that no trial did, and for a harness without a fault."""
    found = [f"{harness.name}: no fault was injected"] if not sum(outcome.faults for outcome in outcomes) else []
    for name in harness.work:
        if not sum(outcome.work.get(name, 0) for outcome in outcomes):
            found.append(f"{harness.name}: no {name} between the faults")
    return tuple(found)
