"""One schedule of daily runs and backfills on three engines: one record, byte for byte, whoever computes and keeps it.

SQLite and processes make it undisturbed. SQLite and PostgreSQL then get the work of a Dask cluster whose workers are killed at
random instants and started again, as a service manager does. Each kill waits for a commit after the one before, so that the work
advances on a slow machine too. Records are compared by their content hashes, and each is verified.
"""

from __future__ import annotations

import importlib.util
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.command_server import StartedCommand
from tests.dask_clusters import DaskCluster, dask_cluster
from tests.postgres_server import MISSING, newest_server, postgres_cluster
from tests.torture.crowded import ALL_TICKERS, make_crowded_home
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import SETTINGS, Feed, copy_home, read_feed
from tests.torture.processes import stored_forecasts
from tests.torture.program import content_hash, must_run, run, start, unfit_end

NAME = "engines"
WORKERS = 3
COUNT = "SELECT count(*) FROM forecasts"
SOME = ALL_TICKERS[:10]
LAST = 41  # the last session: two blocks for each ticker
LONGEST_SECONDS = 1.0  # from a commit to the next kill
LONGEST_COMMAND_SECONDS = 600.0  # one that hangs is no longer disturbed, and fails the trial
POLL_SECONDS = 0.05
MOST_STARTS = 4  # of a command: a task that has ended too many workers ends it, and it resumes
RESUMED = 5  # its exit code then
SLOWER = SETTINGS.replace("cold_epochs = 1", "cold_epochs = 6\ncold_every = 3")
RECORDS = ("SQLite", "PostgreSQL")
Commands = Sequence[tuple[str, ...]]


def prepare(bench: Bench) -> None:
    """Make a home that tracks the tickers and has no bar yet."""
    feed = make_crowded_home(bench.build, bench.prepared, SOME)
    _set(bench.prepared / "home", feed)


def trial(bench: Bench, index: int) -> Outcome:
    """Draw a schedule, do it on each engine, and compare what it left."""
    rng, feed = bench.rng(NAME, index), read_feed(bench.prepared / "feed")
    schedule = _drawn_schedule(rng, feed)
    battles = []
    with bench.scratch() as folder:
        twin = copy_home(bench.prepared / "home", folder / "twin")
        for command in schedule:
            must_run(bench.build, twin, *command)
        expected = content_hash(bench.build, twin)
        for record in RECORDS:
            battles.append(Battle(bench, folder / record, rng))
            battles[-1].fight(feed, schedule, expected, on_server=record == "PostgreSQL")
    broken = [
        f"{NAME} {index}, {record}: {sentence}" for record, own in zip(RECORDS, battles, strict=True) for sentence in own.broken
    ]
    work = {f"kills beside {record}": battle.kills for record, battle in zip(RECORDS, battles, strict=True)}
    return Outcome(sum(work.values()), work, tuple(broken))


class Battle:
    """One record whose schedule is done by a cluster while its workers are killed."""

    def __init__(self, bench: Bench, folder: Path, rng: random.Random) -> None:
        self.bench, self.folder, self.rng = bench, folder, rng
        self.kills = 0
        self.broken: list[str] = []
        self.forecasts: Callable[[], int] = lambda: 0

    def fight(self, feed: Feed, schedule: Commands, expected: str, *, on_server: bool) -> None:
        """Do the schedule, and note what is wrong with the record that it left."""
        build, home = self.bench.build, self.folder / "home"
        with ExitStack() as stack:
            copy_home(self.bench.prepared / "home", home)
            url, self.forecasts = "", lambda: stored_forecasts(home)
            if on_server:
                server = stack.enter_context(postgres_cluster())
                url = server.new_database().url
                self.forecasts = lambda: int(str(server.sql(COUNT, url.rpartition("/")[2])[0][0]))
            cluster = stack.enter_context(dask_cluster(self.folder / "dask", build.environment()))
            cluster.start_workers(WORKERS)
            _set(home, feed, scheduler=cluster.address, url=url)
            if on_server:
                must_run(build, home, "init")
                must_run(build, home, "track", *SOME)
            for command in schedule:
                self._do(command, home, cluster)
            if content_hash(build, home) != expected:
                self.broken.append("the record differs from that of SQLite and processes")
            verified = run(build, home, "verify", "--deep")
            self.broken += [f"verify --deep: {verified.stderr[-300:]}"] if verified.returncode else []

    def _do(self, command: tuple[str, ...], home: Path, cluster: DaskCluster) -> None:
        """Do a command, again where killed workers ended it."""
        for _ in range(MOST_STARTS):
            started = start(self.bench.build, home, *command)
            self._disturb(started, cluster)
            done = started.wait()
            self.broken += unfit_end(done)
            if done.returncode != RESUMED:
                self.broken += [f"`{command[0]}` ended with code {done.returncode}"] if done.returncode else []
                return
        self.broken.append(f"`{command[0]}` was not done after {MOST_STARTS} starts")

    def _disturb(self, command: StartedCommand, cluster: DaskCluster) -> None:
        """Kill a worker some time after each commit of forecasts, until the command ends."""
        before, until = self.forecasts(), time.monotonic() + LONGEST_COMMAND_SECONDS
        while not command.has_ended(POLL_SECONDS) and time.monotonic() < until:
            if (now := self.forecasts()) == before:
                continue
            before = now
            if command.has_ended(self.rng.uniform(0, LONGEST_SECONDS)):
                return
            self.rng.choice(cluster.workers).kill()
            self.kills += 1
            time.sleep(POLL_SECONDS)  # until its end can be seen
            cluster.start_lost_workers()


def _drawn_schedule(rng: random.Random, feed: Feed) -> Commands:
    """Return daily runs, then backfills of some tickers over spans that overlap, and of all over all."""
    days, first = feed.sessions, rng.randrange(2, 6)
    daily = [("run", "--now", feed.instant(position)) for position in range(first, first + rng.randrange(1, 3))]
    parts = [
        (
            "backfill",
            *rng.sample(SOME, rng.randrange(2, len(SOME))),
            "--start",
            days[begin],
            "--end",
            days[rng.randrange(20, LAST)],
        )
        for begin in (rng.randrange(8, 16) for _ in range(rng.randrange(1, 3)))
    ]
    return [*daily, *parts, ("backfill", *rng.sample(SOME, len(SOME)), "--start", days[0], "--end", days[LAST])]


def _set(home: Path, feed: Feed, *, scheduler: str = "", url: str = "") -> None:
    """Write the settings of a home. scheduler: of the cluster that computes. url: of the record on a server."""
    lines = [SLOWER.format(feed=feed.folder)]
    lines += [f'engine = "dask"\nscheduler = "{scheduler}"\n'] if scheduler else []
    lines += [f'[store]\nurl = "{url}"\n'] if url else []
    (home / "tickercast.toml").write_text("".join(lines), encoding="utf-8")


def unavailable() -> str:
    """Return why there is no cluster or no server here, an empty text where there are."""
    if importlib.util.find_spec("distributed") is None:
        return "distributed is not installed"
    return "" if newest_server() else MISSING


HARNESS = Harness(
    name=NAME,
    promise="SQLite and processes, SQLite and Dask, PostgreSQL and Dask leave one record, whichever workers are killed",
    faults="killed workers",
    trials=4,
    short_trials=0,
    full_trials=40,
    prepare=prepare,
    trial=trial,
    work=tuple(f"kills beside {record}" for record in RECORDS),
    unavailable=unavailable,
)
