"""SIGKILL of the workers of a Dask cluster at random instants of a backfill, and of its scheduler once in some trials.

Lost workers are started again, as a service manager does. After the end of a scheduler the command has to end with one line and
exit code 5; it is repeated with another scheduler. The record has to be that of a twin that processes computed.
"""

from __future__ import annotations

import importlib.util
import random
import time
from pathlib import Path

from tests.command_server import StartedCommand
from tests.dask_clusters import DaskCluster, dask_cluster
from tests.torture.crowded import ALL_TICKERS, make_crowded_home
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.homes import Feed, copy_home, read_feed
from tests.torture.oracle import Oracle
from tests.torture.processes import stored_forecasts
from tests.torture.program import content_hash, must_run, start, unfit_end

NAME = "cluster"
WORKERS = 3
SOME_TICKERS, LAST = ALL_TICKERS[:8], 41  # each is a stack of its own, and has two tasks up to the last session
BETWEEN_SECONDS = 0.7  # mean time from one kill to the next, if something was committed meanwhile
LOOK_SECONDS = 0.02  # a scheduler is killed soon after the first commit, while there is work left
LOST = 5  # the exit code when the scheduler is gone, or a task has ended too many workers
MOST_COMMANDS = 5
SLOWER = {"cold_epochs = 1": "cold_epochs = 6\ncold_every = 3"}


def prepare(bench: Bench) -> None:
    """Make the home and the record of its twin."""
    make_crowded_home(bench.build, bench.prepared, SOME_TICKERS)
    settings = bench.prepared / "home" / "tickercast.toml"
    text = settings.read_text(encoding="utf-8")
    for before, after in SLOWER.items():
        text = text.replace(before, after)
    settings.write_text(text, encoding="utf-8")


def trial(bench: Bench, index: int) -> Outcome:
    """Kill workers while a backfill runs; in every fourth trial also the scheduler, once."""
    rng = bench.rng(NAME, index)
    feed = read_feed(bench.prepared / "feed")
    with bench.scratch() as folder:
        home = copy_home(bench.prepared / "home", folder / "home")
        battle = Battle(bench, home, feed, rng, kills_scheduler=index % 4 == 0)
        battle.fight(folder)
        broken = [*battle.broken, *Oracle(home).look()]
        if content_hash(bench.build, home) != _hash_of_twin(bench, feed):
            broken.append("the record differs from that of processes")
    return Outcome(battle.kills, battle.work, tuple(f"{NAME} {index}: {sentence}" for sentence in broken))


class Battle:
    """One trial under way: a backfill, repeated until it is done, and the cluster whose processes are killed."""

    def __init__(self, bench: Bench, home: Path, feed: Feed, rng: random.Random, *, kills_scheduler: bool) -> None:
        self.bench, self.home, self.feed, self.rng = bench, home, feed, rng
        self.kills_scheduler = kills_scheduler
        self.kills = 0
        self.work = {"forecasts committed between kills": 0, "lost schedulers": 0}
        self.broken: list[str] = []

    def fight(self, folder: Path) -> None:
        """Repeat the command, each time with a new cluster, until it is done."""
        for number in range(MOST_COMMANDS):
            with dask_cluster(folder / f"dask{number}", self.bench.build.environment()) as cluster:
                cluster.start_workers(WORKERS)
                _use(self.home, cluster)
                command = start(self.bench.build, self.home, *_backfill(self.feed))
                self._disturb(command, cluster)
                done = command.wait()
            self.broken += unfit_end(done)
            if done.returncode != LOST:
                self.broken += [f"it ended with code {done.returncode}: {done.stderr[-300:]}"] if done.returncode else []
                return
        self.broken.append(f"the backfill was not done after {MOST_COMMANDS} times")

    def _disturb(self, command: StartedCommand, cluster: DaskCluster) -> None:
        """Kill a worker from time to time, or the scheduler, until the command ends. Between two kills something is committed."""
        committed = stored_forecasts(self.home)
        while not command.has_ended():
            time.sleep(LOOK_SECONDS if self.kills_scheduler else self.rng.expovariate(1 / BETWEEN_SECONDS))
            if (now := stored_forecasts(self.home)) == committed:
                continue
            self.work["forecasts committed between kills"] += now - committed
            committed = now
            if self.kills_scheduler:
                cluster.scheduler.kill()
                self.kills_scheduler = False
                self.work["lost schedulers"] += 1
            elif not command.has_ended():
                self.rng.choice(cluster.workers).kill()
                self.kills += 1
                cluster.start_lost_workers()


def _use(home: Path, cluster: DaskCluster) -> None:
    """Let the settings of a home name a cluster."""
    settings = home / "tickercast.toml"
    kept = [line for line in settings.read_text(encoding="utf-8").splitlines() if not line.startswith(("engine", "scheduler"))]
    settings.write_text("\n".join([*kept, 'engine = "dask"', f'scheduler = "{cluster.address}"', ""]), encoding="utf-8")


def _backfill(feed: Feed) -> tuple[str, ...]:
    return ("backfill", *SOME_TICKERS, "--start", feed.sessions[0], "--end", feed.sessions[LAST])


def _hash_of_twin(bench: Bench, feed: Feed) -> str:
    """Return the content hash of the record that processes compute, which the first trial does."""
    twin = bench.prepared / "twin"
    if not twin.exists():
        copy_home(bench.prepared / "home", twin)
        must_run(bench.build, twin, *_backfill(feed))
    return content_hash(bench.build, twin)


def unavailable() -> str:
    """Return why there is no cluster here, an empty text where Dask is installed."""
    return "" if importlib.util.find_spec("distributed") else "distributed is not installed"


HARNESS = Harness(
    name=NAME,
    promise="killed workers change no byte; a lost scheduler is one line and exit code 5, and the command resumes",
    faults="killed workers",
    trials=12,
    short_trials=0,
    full_trials=200,
    prepare=prepare,
    trial=trial,
    work=("forecasts committed between kills",),
    unavailable=unavailable,
)
