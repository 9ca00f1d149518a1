"""Damaged answers of a source: each is a typed error or sound bars, through the real client and the gates. See yahoo_mutants."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.torture.harness import Bench, Harness, Outcome
from tests.yahoo_mutants import SOUND

ANSWERS = 500  # of a trial
LONGEST_SECONDS = 300


def prepare(_bench: Bench) -> None:
    """Do nothing: each trial has a server of its own."""


def trial(bench: Bench, index: int) -> Outcome:
    """Give damaged answers to the client, and return what is neither an error nor sound."""
    seed = f"{bench.seed}/answers/{index}"
    with bench.scratch() as folder:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.yahoo_mutants", seed, str(ANSWERS if index else ANSWERS // 10)],
            cwd=folder, env=bench.build.environment(), capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS,
        )  # fmt: skip
    if ended.returncode:
        return Outcome(0, broken=(f"answers {index}: the client failed: {ended.stderr.strip().rpartition(chr(10))[2][:300]}",))
    found: dict[str, int] = json.loads(ended.stdout)
    broken = [f"answers {index}: {number} answers are {name}" for name, number in found.items() if name not in SOUND]
    return Outcome(sum(found.values()), {name: number for name, number in found.items() if name in SOUND}, tuple(broken))


HARNESS = Harness(
    name="answers",
    promise="a damaged answer of a source is one error or sound bars",
    faults="damaged answers",
    trials=11,
    short_trials=0,
    full_trials=41,
    prepare=prepare,
    trial=trial,
    work=tuple(sorted(SOUND)),
)
