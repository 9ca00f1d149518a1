"""Does a record on PostgreSQL cost more than one in a SQLite file? `python benchmarks/postgres.py PRICES FOLDER [--tickers 100]`.

PRICES is a folder of one Parquet file a ticker, which is not changed. Each round backfills the same tickers and sessions into a
home of each kind below FOLDER, on one worker, then does one daily cycle in it, and compares the content hashes. Time is of
processors, which other programs disturb least: of our processes, and of the server with all its backends. The server is started
here on the loopback, and waits for the disk at each commit, as SQLite does. docs/performance.md has the figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tests.postgres_server import PostgresCluster, postgres_cluster

SERVER = "listen_addresses='127.0.0.1'\nmax_connections=20\nshared_buffers=256MB\n"
TICKS = os.sysconf("SC_CLK_TCK")
TABLES = ("forecasts", "origins", "scores", "unscored", "models", "losses")  # those that grow with forecasts
LISTED = ", ".join(f"'{name}'" for name in TABLES)
SQLITE_BYTES = f"""SELECT sum(d.pgsize) FROM dbstat d JOIN sqlite_master m ON m.name = d.name WHERE m.tbl_name IN ({LISTED})"""
SERVER_BYTES = f"""SELECT sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relname IN ({LISTED})"""
HEAD = "round  record     work            wall     ours   server      sum   microseconds a forecast"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds: on the wall, of our processors, and of the server's."""

    wall: float
    ours: float
    server: float

    @property
    def total(self) -> float:
        """Return the processor time of both."""
        return self.ours + self.server


class Meter:
    """Runs our commands and tells what they spent. cluster: None for SQLite."""

    def __init__(self, home: Path, cluster: PostgresCluster | None) -> None:
        self.home, self.cluster = home, cluster
        self.database = cluster.new_database() if cluster else None
        url = {"TICKERCAST_STORE__URL": self.database.url} if self.database else {}
        self.environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **url}

    def run(self, *arguments: str) -> Spent:
        """Run a command and return what it spent. Raises CalledProcessError."""
        before, began, server = _children_seconds(), time.perf_counter(), self._server_seconds()
        self.answer(*arguments)
        return Spent(time.perf_counter() - began, _children_seconds() - before, self._server_seconds() - server)

    def answer(self, *arguments: str) -> str:
        """Run a command and return what it printed."""
        command = [sys.executable, "-m", "tickercast", "--home", str(self.home), *arguments]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def record_bytes(self) -> int:
        """Return the size of forecasts, their scores and models, with their indexes."""
        if self.cluster is None or self.database is None:
            with closing(sqlite3.connect(self.home / "tickercast.db")) as connection:
                [(size,)] = connection.execute(SQLITE_BYTES)
        else:
            [(size,)] = self.cluster.sql(SERVER_BYTES, self.database.url.rpartition("/")[2])
        return int(str(size))

    def forecasts(self) -> int:
        """Return the number of forecasts."""
        return int(self.answer("sql", "SELECT count(*) FROM forecast_history", "--format", "csv").split()[-1])

    def _server_seconds(self) -> float:
        return _server_seconds(self.cluster.process) if self.cluster else 0.0


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _server_seconds(pid: int) -> float:
    """Return the processor time of a server's first process, of its children, and of those that have ended."""
    own = [int(ticks) for ticks in _stat(pid)[11:15]]
    alive = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (sum(own) + sum(int(ticks) for child in alive for ticks in _stat(int(child))[11:13])) / TICKS


def _stat(pid: int) -> Sequence[str]:
    """Return what the system tells of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def make_round(number: int, meters: dict[str, Meter], symbols: Sequence[str], span: Sequence[str], prices: Path) -> None:
    """Backfill and do one daily cycle with each kind of record, and print what it cost. span: the options that say it."""
    hashes = set()
    for name, meter in meters.items():
        source = ("--source", f"folder:{prices}", "--adjustment", "split")
        backfill = meter.run("backfill", *symbols, *source, *span, "--workers", "1")
        made = meter.forecasts()
        show(number, name, "backfill", backfill, made)
        meter.answer("track", *symbols)
        show(number, name, "daily cycle", meter.run("run"), meter.forecasts() - made)
        hashes.add(meter.answer("verify", "--content-hash"))
        print(f"{number:5}  {name:9}  {meter.record_bytes() / meter.forecasts():.0f} bytes a forecast")
    print(f"{number:5}  content hashes {'equal' if len(hashes) == 1 else 'DIFFER'}")


def show(number: int, name: str, work: str, spent: Spent, forecasts: int) -> None:
    """Print a line of the table."""
    each = 1e6 * spent.total / max(forecasts, 1)
    figures = f"{spent.wall:8.1f} {spent.ours:8.1f} {spent.server:8.1f} {spent.total:8.1f}   {each:8.0f}"
    print(f"{number:5}  {name:9}  {work:11} {figures}", flush=True)


def main() -> None:
    """Print a table of what both kinds of record cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prices", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tickers", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    files = sorted(path for path in given.prices.glob("*.parquet") if not path.name.startswith("^"))[: given.tickers]
    days = [day.isoformat() for day in pq.read_table(files[0], columns=["date"])["date"].to_pylist()[-given.sessions - 1 :]]
    symbols, span = [path.stem for path in files], ("--start", days[0], "--end", days[-2])
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n{HEAD}")
    for number in range(1, given.rounds + 1):
        with ExitStack() as stack:
            cluster = stack.enter_context(postgres_cluster(SERVER))
            shutil.rmtree(given.folder / "homes", ignore_errors=True)
            kinds = {"SQLite": None, "PostgreSQL": cluster}
            meters = {name: Meter(given.folder / "homes" / name, found) for name, found in kinds.items()}
            make_round(number, meters, symbols, span, given.prices)


if __name__ == "__main__":
    main()
