"""The laws over random schedules of tickers' lives: daily runs and backfills in another order leave one record, byte for byte.

Tickers end, pause, come late, are untracked, renamed, quarantined, and fail on any day. See tests/law_both_ways.py.
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.torture.harness import Bench, Harness, Outcome

PRIORS = ("none", "bundled", "universe")
SCHEDULES = 5  # of a trial; the first one, which the suite makes too, has one


def prepare(_bench: Bench) -> None:
    """Do nothing: each schedule begins with two empty homes."""


def trial(bench: Bench, index: int) -> Outcome:
    """Draw schedules under one kind of prior, live each both ways, and return what differs."""
    number, prior = bench.rng("laws", index).randrange(2**32), PRIORS[index % len(PRIORS)]
    name = f"laws {index} ({prior}, {number})"
    with bench.scratch() as folder:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.law_both_ways", prior, str(number), str(SCHEDULES if index else 1)],
            cwd=folder, env=bench.build.environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if ended.returncode:
        return Outcome(0, broken=(f"{name}: a schedule failed: {ended.stderr.strip().rpartition(chr(10))[2][:300]}",))
    found = json.loads(ended.stdout)
    broken = [f"{name}: {sentence}" for own in found["wrongs"] for sentence in own[:3]]
    return Outcome(len(found["wrongs"]), {"sessions forecast": found["origins"]}, tuple(broken))


HARNESS = Harness(
    name="laws",
    promise="the record of daily runs is that of backfills in any order, whatever happens to the tickers",
    faults="random schedules",
    trials=61,
    short_trials=0,
    full_trials=301,
    prepare=prepare,
    trial=trial,
    work=("sessions forecast",),
)
