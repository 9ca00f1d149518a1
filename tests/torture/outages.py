"""The backfill that harnesses disturb by outages of a store, its undisturbed twin, and what its end must be."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.command_server import StartedCommand
from tests.torture.harness import Bench
from tests.torture.homes import SETTINGS, TICKERS, make_feed, read_feed
from tests.torture.processes import living_in_group
from tests.torture.program import must_run

COPIES = ("C1", "C2", "C3", "C4")  # tickers with the prices of the first one
BEGAN, ENDED = "waiting for the server", "the server is back"  # what the lines about an outage have


def prepare(bench: Bench) -> None:
    """Make the prices, and the content hash of the undisturbed twin, which has its record and its prices in the home."""
    feed = bench.prepared / "feed"
    make_feed(feed)
    for ticker in COPIES:
        shutil.copy(feed / "AAA.csv", feed / f"{ticker}.csv")
    home = make_home(bench, bench.prepared, "")
    must_run(bench.build, home, *backfill(bench))
    (bench.prepared / "hash").write_text(must_run(bench.build, home, "verify", "--content-hash"))


def expected_hash(bench: Bench) -> str:
    """Return what `verify --content-hash` printed of the twin."""
    return (bench.prepared / "hash").read_text()


def make_home(bench: Bench, folder: Path, store: str) -> Path:
    """Make a home without a record. store: a line of its settings that names the store."""
    home, feed = folder / "home", read_feed(bench.prepared / "feed")
    home.mkdir()
    (home / "tickercast.toml").write_text(f"[store]\n{store}\n{SETTINGS.format(feed=feed.folder)}", encoding="utf-8")
    return home


def backfill(bench: Bench) -> tuple[str, ...]:
    """Return the words of the command."""
    sessions = read_feed(bench.prepared / "feed").sessions
    return "backfill", *TICKERS, *COPIES, "--start", sessions[0], "--end", sessions[-1]


def judged(command: StartedCommand, seconds: float) -> tuple[list[str], int]:
    """Return what is wrong with the end of a disturbed backfill, which has so many seconds, and how many outages it told of."""
    done = command.wait(seconds)
    broken = [f"process {pid} lives on" for pid in living_in_group(command.pid)]
    if done.returncode or "Traceback" in done.stderr:
        broken.append(f"it ended with code {done.returncode}: {done.stderr[-600:]}")
    began, ended = done.stderr.count(BEGAN), done.stderr.count(ENDED)
    if began != ended:
        broken.append(f"{began} lines say that an outage began and {ended} that it ended")
    return broken, began
