"""What does one ticker cost on one day?

    python benchmarks/ticker_day.py [--tickers 500] [--days 9] [--prices FOLDER] [--url URL] [--out FILE.json]

A loopback server in a process of its own stands for Yahoo. A new home tracks the tickers, and daily cycles are done as at the
last sessions of the prices, in this process and without workers. The first ones are not counted: they store the history and
begin each chain. Processor time is sampled and told apart by what the program is doing. Bytes, commits, calls of fsync and
requests are counted. URL: of an empty database on PostgreSQL; without it the record is in SQLite. `million.py` reads the file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import statistics
import tempfile
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import psycopg
import sqlalchemy as sa

from tests.loopback_reports import calendar_body, page_body
from tests.loopback_yahoo import REFERENCE, loopback_yahoo
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.prices.sources.base import Source
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.writer import open_for_writing
from tickercast.storage.address import PostgresServer
from tickercast.storage.bars import Bars
from tickercast.storage.database import Engine

SIZE = "SELECT pg_database_size(current_database())"
OUR_PROCESSES = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%%tickercast%%'"
SAMPLE_SECONDS = 0.001  # of processor time
FIRST_DAYS = 7  # until each day has targets of all horizons to score
BEFORE_FIRST = 600  # bars that the first day stores
QUARTER = timedelta(days=91)  # from one report of a company to the next
COOKIE_PATHS = ("/", "/consent")  # asked for before each request, since cookies of Yahoo's host are not valid on the loopback
HOUR_AFTER_CLOSE = 23  # UTC, in New York
# What the program is doing, by the innermost frame that one of these names: a function, or a part of a file's path.
IN_THREADS = "request and answer"  # which threads of their own do
PHASES = {
    "refresh_skill_and_risk": "skill and risk", "score_settled": "scores", "revise_scores": "scores", "forecast_stack": "network",
    "commit_stack": "commit of forecasts", "storage/bar_files": "price files", "storage/price_cleanup": "price files",
    "storage/price_store": "price files", "prices/sources/": "request and answer", "jobs/prices/": "gates and bars",
}  # fmt: skip


class Sampler:
    """Seconds of processor time by phase: of the main thread by what it is doing, and of all other threads together."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.main = self.process = 0.0
        signal.signal(signal.SIGPROF, self._sample)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        main, process = time.thread_time() - self.main, time.process_time() - self.process
        self.main, self.process = self.main + main, self.process + process
        self.seconds[phase_of(frame)] += main  # type: ignore[assignment]
        self.seconds[IN_THREADS] += process - main  # type: ignore[assignment]

    def begin(self) -> None:
        """Count from now on."""
        self.main, self.process = time.thread_time(), time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_SECONDS, SAMPLE_SECONDS)

    def end(self) -> None:
        """Count no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)


def phase_of(frame: FrameType | None) -> str:
    """Return what a thread is doing that is at a frame."""
    while frame is not None:
        code = frame.f_code
        for name, phase in PHASES.items():
            if name == code.co_name or ("/" in name and name in code.co_filename):
                return phase
        frame = frame.f_back
    return "the rest"


class Counts:
    """What is counted of the cycles: commits, calls of fsync, bytes stored and written, processor time of a local server."""

    def __init__(self, engine: Engine, database: Path | PostgresServer) -> None:
        self.engine, self.database = engine, database
        self.commits, self.fsyncs = 0, 0
        sa.event.listen(engine, "commit", self._count_commit)
        self._count_fsyncs()

    def _count_commit(self, _connection: object) -> None:
        self.commits += 1

    def _count_fsyncs(self) -> None:
        real = os.fsync

        def counted(descriptor: int) -> None:
            self.fsyncs += 1
            real(descriptor)

        os.fsync = counted

    def database_bytes(self) -> int:
        """Return the bytes of the record's pages that are in use. On PostgreSQL, without rows that nobody sees any more."""
        if isinstance(self.database, PostgresServer):
            with psycopg.connect(self.database.url, autocommit=True) as direct:
                direct.execute("VACUUM FULL")
                return int(direct.execute(SIZE).fetchone()[0])  # type: ignore[index]
        with self.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
            return int(pages - free) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())

    def log_bytes(self) -> int:
        """Return how many bytes were written so far: of WAL on PostgreSQL, by this process to all files on SQLite."""
        if not isinstance(self.database, PostgresServer):
            return int(Path("/proc/self/io").read_text().split("wchar:")[1].split()[0])
        with self.engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")).scalar_one())

    def server_seconds(self) -> float:
        """Return the processor time of the server's processes for us so far, 0 on SQLite. The server is on this machine."""
        if not isinstance(self.database, PostgresServer):
            return 0.0
        with self.engine.connect() as connection:
            pids = connection.exec_driver_sql(OUR_PROCESSES).scalars().all()
        fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def serve(pipe: Connection, prices: Path | None, tickers: int) -> None:
    """Serve the bars of as many tickers, in a process of its own. A day sets the newest session; None ends it.

    Sends the address, then for each message the requests since the last one, by kind.
    """
    with loopback_yahoo() as server:
        requests: Counter[str] = Counter()
        reply = server.reply

        def counted(path: str, query: dict[str, list[str]]) -> Any:
            if path not in COOKIE_PATHS:
                requests["/".join(urlsplit(path).path.split("/")[:4])] += 1
            return reply(path, query)

        server.reply = counted  # type: ignore[method-assign]
        for symbol, bars in named_bars(prices, tickers).items():
            server.serve(symbol, bars)
            server.served.setdefault(REFERENCE, (bars, {}))
        pipe.send(server.url)
        while (day := pipe.recv()) is not None:
            server.today = day
            reports = {symbol: next_report(symbol, day) for symbol in server.served}
            server.events.calendars = {symbol: calendar_body(report) for symbol, report in reports.items()}
            server.events.pages = {symbol: page_body(report - QUARTER) for symbol, report in reports.items()}
            pipe.send(dict(requests))
            requests.clear()


def next_report(symbol: str, day: date) -> datetime:
    """Return when a company next reports, as seen from a day: once a quarter, on a day of the quarter that is its own."""
    left = (crc32(symbol.encode()) - day.toordinal()) % QUARTER.days
    return datetime(day.year, day.month, day.day, 21, tzinfo=UTC) + timedelta(days=left)


def named_bars(prices: Path | None, tickers: int) -> dict[str, Bars]:
    """Return the bars of as many tickers: of a folder or of the sample, some under several names."""
    source: Source = FolderSource(str(prices), "split") if prices else SampleSource()
    names = [name for name in source.tickers() if not name.startswith("^")]
    found = [source.fetch(name, None).bars for name in names[:tickers]]
    last = max(bars.session[-1] for bars in found)
    whole = [bars for bars in found if bars.session[-1] == last and len(bars) > BEFORE_FIRST]
    return {f"T{number:05d}": whole[number % len(whole)] for number in range(tickers)}


def price_file_bytes(home: Home) -> tuple[int, int]:
    """Return the bytes of all price files, and those of the newest file of each ticker."""
    folders = [path for path in home.prices.iterdir() if path.is_dir()]
    files = [[path.stat() for path in folder.glob("*.parquet")] for folder in folders]
    return sum(f.st_size for one in files for f in one), sum(max(one, key=lambda f: f.st_mtime).st_size for one in files if one)


def fsync_seconds(folder: Path) -> float:
    """Return the median time to append 4 kB to a file and have it on disk."""
    times = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    (folder / "fsync").unlink()
    return statistics.median(times)


def measured(home: Home, engine: Engine, pipe: Connection, days: list[date], tickers: int) -> dict[str, Any]:
    """Do a daily cycle for each day and return what the counted ones cost, by ticker-day. All times in seconds."""
    counts, sampler = Counts(engine, home.place.database), Sampler()
    for day in days[:FIRST_DAYS]:
        cycle(home, engine, pipe, day)
    counts.commits, counts.fsyncs = 0, 0
    stored, logged, server = counts.database_bytes(), counts.log_bytes(), counts.server_seconds()
    requests: Counter[str] = Counter()
    began, processor = time.perf_counter(), time.process_time()
    newest = price_file_bytes(home)[1]
    for day in days[FIRST_DAYS:]:
        sampler.begin()
        requests.update(cycle(home, engine, pipe, day))
        sampler.end()
    processor, wall = time.process_time() - processor, time.perf_counter() - began
    server, logged = counts.server_seconds() - server, counts.log_bytes() - logged
    ticker_days = tickers * len(days[FIRST_DAYS:])
    return {
        "tickers": tickers, "days": len(days[FIRST_DAYS:]),
        "wall": wall / ticker_days, "processor": processor / ticker_days, "server": server / ticker_days,
        "phases": {name: seconds / ticker_days for name, seconds in sampler.seconds.most_common()},
        "requests": {name: count / ticker_days for name, count in requests.items()},
        "database_bytes": (counts.database_bytes() - stored) / ticker_days,
        "log_bytes": logged / ticker_days,
        "price_bytes": (price_file_bytes(home)[1] - newest) / ticker_days, "price_file_bytes": newest / tickers,
        "commits": counts.commits / ticker_days, "fsyncs": counts.fsyncs / ticker_days,
        "fsync": fsync_seconds(home.folder),
    }  # fmt: skip


def cycle(home: Home, engine: Engine, pipe: Connection, day: date) -> dict[str, int]:
    """Do the daily cycle of a day and return the requests that it sent, by kind."""
    pipe.send(day)
    pipe.recv()
    message = run_once(home, engine, now=datetime(day.year, day.month, day.day, HOUR_AFTER_CLOSE, tzinfo=UTC), workers=1)
    print(f"{day}: {message}", flush=True)
    pipe.send(day)
    return dict(pipe.recv())


def main() -> None:
    """Print the costs, and write them to a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--days", type=int, default=FIRST_DAYS + 2)
    parser.add_argument("--prices", type=Path, help="a folder of split-adjusted prices, in place of the sample")
    parser.add_argument("--url", default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tickercast-day-")) / "home"
    folder.mkdir(mode=0o750)
    pipe, other = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(other, given.prices, given.tickers), daemon=True)
    server.start()
    settings = f'[yahoo]\nbase_url = "{pipe.recv()}"\nrequests_per_second = 1000\n[store]\nurl = "{given.url}"\n'
    (folder / "tickercast.toml").write_text(settings)
    last = named_bars(given.prices, given.tickers)["T00000"].session[-1].item()
    calendar = exchange_calendar("XNYS")
    days = [calendar.session_offset(last, -back) for back in range(given.days - 1, -1, -1)]
    with closing(pipe), open_for_writing(folder, command="run", wait_seconds=5, create="density") as (home, engine):
        track(home, engine, [f"T{number:05d}" for number in range(given.tickers)])
        found = measured(home, engine, pipe, days, given.tickers)
        pipe.send(None)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    found = {"machine": machine, "record": "PostgreSQL" if given.url else "SQLite", **found}
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
