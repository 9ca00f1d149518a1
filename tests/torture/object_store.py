"""A backfill whose prices are in a bucket that loses many requests, is slow, and is away for longer than a request is repeated.

A trial is one backfill behind a proxy. The command is never repeated: it waits and resumes by itself. At the end the record has
to be that of an undisturbed twin with its prices in a folder, byte for byte.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.command_server import StartedCommand
from tests.object_servers import BUCKET, MISSING, Fault, environment_of, faulty_proxy, object_server, server_program
from tests.torture.builds import Build
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import SETTINGS, TICKERS, make_feed, read_feed
from tests.torture.processes import living_in_group
from tests.torture.program import must_run, server_of

NAME = "object store"
COPIES = ("C1", "C2", "C3", "C4")  # tickers with the prices of the first one
FAULTS: tuple[Fault, ...] = ("500", "cut", "half")
SHARES = (0.2, 0.4, 0.6)  # of requests that fail
DELAYS = (0.0, 0.3)  # seconds before each answer
AWAY_AFTER = (2.0, 15.0)  # seconds
AWAY_SECONDS = 14.0  # a request is repeated for 10
LONGEST_SECONDS = 300.0
OUTAGE, END = "waiting for the server", "the server is back"


def prepare(bench: Bench) -> None:
    """Make the prices, and the record of the undisturbed twin."""
    feed = bench.prepared / "feed"
    make_feed(feed)
    for ticker in COPIES:
        shutil.copy(feed / "AAA.csv", feed / f"{ticker}.csv")
    home = _make_home(bench, bench.prepared, "")
    must_run(bench.build, home, *_backfill(bench))
    (bench.prepared / "hash").write_text(must_run(bench.build, home, "verify", "--content-hash"))


def trial(bench: Bench, index: int) -> Outcome:
    """Disturb one backfill."""
    rng, expected = bench.rng(NAME, index), (bench.prepared / "hash").read_text()
    with bench.scratch() as folder, object_server() as port, faulty_proxy(port) as proxy:
        home = _make_home(bench, folder, f"s3://{BUCKET}/trial/prices")
        proxy.fault_of, proxy.delay = _faults(rng, is_away=index % 2 == 0), rng.choice(DELAYS)
        command = _start(bench.build, home, proxy.server_port, *_backfill(bench), "--workers", "1" if index % 3 else "2")
        broken = _judged(command)
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


def _make_home(bench: Bench, folder: Path, prices: str) -> Path:
    home, feed = folder / "home", read_feed(bench.prepared / "feed")
    home.mkdir()
    (home / "tickercast.toml").write_text(f'[store]\nprices = "{prices}"\n{SETTINGS.format(feed=feed.folder)}', encoding="utf-8")
    return home


def _backfill(bench: Bench) -> tuple[str, ...]:
    sessions = read_feed(bench.prepared / "feed").sessions
    return "backfill", *TICKERS, *COPIES, "--start", sessions[0], "--end", sessions[-1]


def _start(build: Build, home: Path, port: int, *arguments: str) -> StartedCommand:
    return server_of(build).start(home.parent, ["--home", str(home), *arguments], environment_of(port))


def _judged(command: StartedCommand) -> list[str]:
    """Return what is wrong with the end of a disturbed backfill."""
    done = command.wait(LONGEST_SECONDS)
    broken = [f"process {pid} lives on" for pid in living_in_group(command.pid)]
    if done.returncode or "Traceback" in done.stderr:
        broken.append(f"it ended with code {done.returncode}: {done.stderr[-600:]}")
    if (outages := done.stderr.count(OUTAGE)) != (ends := done.stderr.count(END)):
        broken.append(f"{outages} lines say that an outage began and {ends} that it ended")
    return broken


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
