"""How long do reads of a large record take, in a file and on a server? `python benchmarks/large_reads.py RECORD [RECORD ...]`.

RECORD is the path of a SQLite file or the URL of a PostgreSQL database on this machine. Each read is one of the program's own, by
a connection that was just opened. Printed are the shortest and the middle time of nine in milliseconds, and the least processor
time, which other programs disturb least: of this process and of the server's for the connection, without what that one gives
to parallel workers. The bar is the time that a read may take on an idle machine; a read whose processor time is over it is
marked. docs/performance.md has the figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tickercast.jobs.pages.compare import compare_page
from tickercast.jobs.pages.risk import risk_page
from tickercast.jobs.pages.site import served_site
from tickercast.jobs.pages.ticker import ticker_page
from tickercast.jobs.pages.today import today_facts
from tickercast.jobs.workspace.place import Place
from tickercast.storage.address import POSTGRES_PREFIXES
from tickercast.storage.connection import Reader
from tickercast.storage.reader import select_rows, snapshot, view_named, view_query

ROUNDS = 9
LATEST = view_query(view_named("latest_forecast"), ["AAPL"])
TICKERS = "SELECT symbol FROM tickers WHERE tracked = 1 ORDER BY symbol LIMIT 5"

Read = Callable[[Reader], object]


def reads(now: datetime, five: list[str]) -> dict[str, tuple[int, Read]]:
    """Return the bar of each read in milliseconds and the read, by its name."""
    site = served_site(now)
    return {
        "latest_forecast of a ticker": (10, lambda connection: select_rows(connection, LATEST, five[:1])),
        "facts of Today": (100, lambda connection: today_facts(connection, now)),
        "page of a ticker": (300, lambda connection: ticker_page(connection, site, now, five[0])),
        "page Compare of five": (300, lambda connection: compare_page(connection, site, now, five)),
        "page Risk": (300, lambda connection: risk_page(connection, site, now)),
    }


def measure(place: Place) -> None:
    """Print the times of the reads of one record."""
    with snapshot(place.database) as connection:
        five = [row[0] for row in connection.execute(TICKERS)]
    print(f"{place.database}\n{'':30}{'shortest':>10}{'middle':>10}{'processor':>10}{'bar':>8}  ms")
    for name, (bar, read) in reads(datetime.now(UTC), five).items():
        rounds = [timed(place, read) for _ in range(ROUNDS + 1)][1:]  # the first one fills the caches
        wall, processor = sorted(wall for wall, _ in rounds), min(processor for _, processor in rounds)
        print(f"{name:30}{wall[0]:10.1f}{wall[ROUNDS // 2]:10.1f}{processor:10.1f}{bar:8}{'  over' if processor > bar else ''}")


def timed(place: Place, read: Read) -> tuple[float, float]:
    """Return the time of a read by a new connection, and of processors, of this process and the server's for it, ms."""
    with snapshot(place.database) as connection:
        server = None if place.database_file else connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        began, used = time.perf_counter(), processor_seconds(server)
        read(connection)
        return 1000 * (time.perf_counter() - began), 1000 * (processor_seconds(server) - used)


def processor_seconds(server: int | None) -> float:
    """Return the processor time of this process and of another one."""
    other = int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9 if server else 0.0
    return time.process_time() + other


def place_of(record: str) -> Place:
    """Return the place of a record that a user names."""
    if record.startswith(POSTGRES_PREFIXES):
        return Place(Path(), record, "")
    return Place(Path(record).parent, f"sqlite:///{Path(record).absolute()}", "")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("records", nargs="+", metavar="RECORD")
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    for each in parser.parse_args().records:
        measure(place_of(each))
