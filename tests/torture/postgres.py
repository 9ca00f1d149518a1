"""A backfill whose PostgreSQL server is killed, restarted and read-only, and whose connections are cut, at random instants.

A trial is one backfill on a server of its own, through a proxy. The command is never repeated: it waits and resumes by itself. At
the end the record has to be that of an undisturbed twin in a SQLite file, byte for byte.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.command_server import StartedCommand
from tests.postgres_proxy import PostgresProxy, postgres_proxy
from tests.postgres_server import MISSING, PostgresCluster, newest_server, postgres_cluster
from tests.torture.harness import Bench, Harness, Outcome
from tests.torture.outages import backfill, expected_hash, judged, make_home, prepare
from tests.torture.program import must_run, start

NAME = "postgres"
KINDS = (("kill", "cut", "lost commit"), ("one cut", "away", "read-only"))  # of trials by turns
ZONES = ("UTC", "Asia/Tokyo", "America/New_York", "Pacific/Chatham")
DATE_STYLES = ("ISO, MDY", "SQL, DMY", "German")
LIMITS = ("0", "50ms")
LONGEST_AWAY = 2.0  # seconds
LONGEST_PAUSE = 1.0  # between faults; where it is short, the next one falls into the recovery
WAITING = 0.6  # share of the faults that wait for commits
LONGEST_SECONDS = 240.0
LONGEST_WITHOUT_COMMIT = 60.0
CUT_ALL = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'record1'"
CUT_ONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'record1' AND application_name LIKE 'tickercast%' "
    "ORDER BY random() LIMIT 1"
)


def trial(bench: Bench, index: int) -> Outcome:
    """Disturb one backfill."""
    rng = bench.rng(NAME, index)
    with bench.scratch() as folder, postgres_cluster() as cluster, postgres_proxy(cluster.port) as proxy:
        cluster.new_database()
        for statement in _own_settings(rng):
            cluster.sql(statement)
        home = make_home(bench, folder, f'url = "postgresql://plain@127.0.0.1:{proxy.port}/record1"')
        command = start(bench.build, home, *backfill(bench), "--workers", "1" if index % 2 else "2")
        disturber = Disturber(cluster, proxy, rng)
        disturber.disturb(command, KINDS[index % len(KINDS)])
        broken = [*disturber.broken, *_judged(bench, home, command, disturber)]
    return Outcome(
        sum(disturber.done.values()), dict(disturber.done), tuple(f"{NAME} {index}: {sentence}" for sentence in broken)
    )


def _own_settings(rng: random.Random) -> Iterator[str]:
    """Yield the statements that make the server another one: a login that owns its database and no more, a zone, its limits."""
    yield "CREATE ROLE plain LOGIN"
    yield "ALTER DATABASE record1 OWNER TO plain"
    yield f"ALTER DATABASE record1 SET TimeZone = '{rng.choice(ZONES)}'"
    yield f"ALTER ROLE plain SET statement_timeout = '{rng.choice(LIMITS)}'"
    yield f"ALTER ROLE plain SET DateStyle = '{rng.choice(DATE_STYLES)}'"


class Disturber:
    """Injects the faults of one trial. done: how many of each kind."""

    def __init__(self, cluster: PostgresCluster, proxy: PostgresProxy, rng: random.Random) -> None:
        self.cluster, self.proxy, self.rng = cluster, proxy, rng
        self.done: Counter[str] = Counter()
        self.broken: list[str] = []

    def disturb(self, command: StartedCommand, kinds: Sequence[str]) -> None:
        """Inject faults while a command is under way, in any order, each after some commits or, but for the first, some time."""
        for number, kind in enumerate(self.rng.sample(kinds, len(kinds))):
            if (number == 0 or self.rng.random() < WAITING) and not self._wait_for_commits(command):
                return
            time.sleep(self.rng.uniform(0, LONGEST_PAUSE))
            if command.has_ended():
                return
            self._inject(kind)
            self.done[kind] += 1

    def _inject(self, kind: str) -> None:
        seconds = self.rng.uniform(0, LONGEST_AWAY)
        if kind == "kill":
            self.cluster.kill()
            time.sleep(seconds)
            self.cluster.start()
        elif kind == "cut":
            self.cluster.sql(CUT_ALL)
        elif kind == "one cut":
            self.cluster.sql(CUT_ONE)
        elif kind == "lost commit":
            self.proxy.lose_next_commit()
        elif kind == "away":
            self.proxy.leave()
            time.sleep(seconds)
            self.proxy.come_back()
        else:
            self.cluster.sql("ALTER DATABASE record1 SET default_transaction_read_only = on")
            self.cluster.sql(CUT_ALL)
            time.sleep(seconds)
            self.cluster.sql("ALTER DATABASE record1 RESET default_transaction_read_only")
            self.cluster.sql(CUT_ALL)

    def _wait_for_commits(self, command: StartedCommand) -> bool:
        """Return whether more was committed while the command was under way."""
        before, deadline = self._origins(), time.monotonic() + LONGEST_WITHOUT_COMMIT
        while not command.has_ended(0.05):
            if self._origins() > before:
                return True
            if time.monotonic() > deadline:
                self.broken.append(f"nothing was committed for {LONGEST_WITHOUT_COMMIT:g} s")
                return False
        return False

    def _origins(self) -> int:
        found = self.cluster.sql("SELECT to_regclass('origins') IS NOT NULL", "record1")
        return int(str(self.cluster.sql("SELECT count(*) FROM origins", "record1")[0][0])) if found[0][0] else 0


def _judged(bench: Bench, home: Path, command: StartedCommand, disturber: Disturber) -> list[str]:
    """Return what is wrong with the end of a disturbed backfill and with its record."""
    broken, outages = judged(command, LONGEST_SECONDS)
    if broken:
        return broken
    if outages > sum(disturber.done.values()) + disturber.done["read-only"]:
        broken.append(f"{outages} lines say that an outage began, after {dict(disturber.done)}")
    if must_run(bench.build, home, "verify", "--content-hash") != expected_hash(bench):
        broken.append("the content hash is not that of the twin")
    must_run(bench.build, home, "verify", "--deep")
    unfinished = disturber.cluster.sql("SELECT count(*) FROM runs WHERE status NOT IN ('interrupted', 'done')", "record1")
    return [*broken, *(["a run has neither ended nor been interrupted"] if unfinished[0][0] else [])]


def _unavailable() -> str:
    return "" if newest_server() else MISSING


HARNESS = Harness(
    name=NAME,
    promise="a backfill outlasts kills of its server, cuts and lost answers: one line each, and it leaves the twin's record",
    faults="outages",
    trials=36,
    short_trials=0,
    full_trials=100,
    prepare=prepare,
    trial=trial,
    work=KINDS[0],
    unavailable=_unavailable,
)
