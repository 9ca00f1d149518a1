"""A backfill whose prices are in a bucket that loses many requests, is slow, and is away for longer than a request is repeated.

A trial is one backfill behind a proxy. The command is never repeated: it waits and resumes by itself. At the end the record has
to be that of an undisturbed twin with its prices in a folder, byte for byte.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.command_server import StartedCommand
from tests.object_servers import BUCKET, MISSING, Fault, environment_of, faulty_proxy, object_server, server_program
from tests.torture.builds import Build
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.outages import backfill, expected_hash, judged, make_home, prepare
from tests.torture.program import server_of

NAME = "object store"
FAULTS: tuple[Fault, ...] = ("500", "cut", "half")
SHARES = (0.2, 0.4, 0.6)  # of requests that fail
DELAYS = (0.0, 0.3)  # seconds before each answer
AWAY_AFTER = (2.0, 15.0)  # seconds
AWAY_SECONDS = 14.0  # a request is repeated for 10
LONGEST_SECONDS = 300.0


def trial(bench: Bench, index: int) -> Outcome:
    """Disturb one backfill."""
    rng, expected = bench.rng(NAME, index), expected_hash(bench)
    with bench.scratch() as folder, object_server() as port, faulty_proxy(port) as proxy:
        home = make_home(bench, folder, f'prices = "s3://{BUCKET}/trial/prices"')
        proxy.fault_of, proxy.delay = _faults(rng, is_away=index % 2 == 0), rng.choice(DELAYS)
        command = _start(bench.build, home, proxy.server_port, *backfill(bench), "--workers", "1" if index % 3 else "2")
        broken, _ = judged(command, LONGEST_SECONDS)
        proxy.fault_of, proxy.delay = lambda _: "", 0.0
        for arguments, wanted in ((("verify", "--content-hash"), expected), (("verify", "--deep"), "")):
            found = _start(bench.build, home, proxy.server_port, *arguments).wait()
            if (found.returncode, found.stdout) != (0, wanted):
                broken.append(f"`{' '.join(arguments)}` ended with {found.returncode}: {found.stdout}{found.stderr[-300:]}")
        done = {fault: proxy.counts[fault] for fault in FAULTS}
    return Outcome(sum(done.values()), done, tuple(f"{NAME} {index}: {sentence}" for sentence in broken))


def _faults(rng: random.Random, *, is_away: bool) -> Callable[[int], Fault]:
    """Return what happens to each request. is_away: for some time every answer is a 500."""
    share, began = rng.choice(SHARES), time.monotonic()
    away_at = began + rng.uniform(*AWAY_AFTER)

    def fault_of(_: int) -> Fault:
        if is_away and away_at <= time.monotonic() < away_at + AWAY_SECONDS:
            return "500"
        return rng.choice(FAULTS) if rng.random() < share else ""

    return fault_of


def _start(build: Build, home: Path, port: int, *arguments: str) -> StartedCommand:
    return server_of(build).start(home.parent, ["--home", str(home), *arguments], environment_of(port))


def _unavailable() -> str:
    return "" if server_program() else MISSING


HARNESS = Harness(
    name=NAME,
    promise="a backfill outlasts an object store that loses requests, is slow and away, and leaves the twin's record",
    faults="failed requests",
    trials=12,
    short_trials=0,
    full_trials=60,
    prepare=prepare,
    trial=trial,
    work=FAULTS,
    unavailable=_unavailable,
)
