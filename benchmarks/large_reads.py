"""How long do reads of a large record take, in a file and on a server? `python benchmarks/large_reads.py RECORD [RECORD ...]`.

RECORD is the path of a SQLite file or the URL of a PostgreSQL database. Each read is one of the program's own: the newest
forecasts of one ticker, the facts of page Today, and the first paint of each page, with a new connection as a command opens one.
Each is done five times; printed are the shortest and the middle time in milliseconds, and the processor time of this process,
which other programs disturb least; that of a server is not in it.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tickercast.jobs.monitoring.state import read_state
from tickercast.jobs.pages.compare import compare_page
from tickercast.jobs.pages.health import health_page
from tickercast.jobs.pages.risk import risk_page
from tickercast.jobs.pages.site import served_site
from tickercast.jobs.pages.ticker import ticker_page
from tickercast.jobs.pages.today import today_facts, today_page
from tickercast.jobs.workspace.limits import Limits
from tickercast.jobs.workspace.place import Place
from tickercast.storage.address import POSTGRES_PREFIXES
from tickercast.storage.connection import Reader
from tickercast.storage.reader import select_rows, snapshot, view_named, view_query

ROUNDS = 5
LATEST = view_query(view_named("latest_forecast"), ["AAPL"])


def reads(place: Place, now: datetime) -> dict[str, Callable[[Reader], object]]:
    """Return the reads by their names."""
    site, state = served_site(now), read_state(place, Limits(), now)
    return {
        "latest_forecast of AAPL": lambda connection: select_rows(connection, LATEST, ["AAPL"]),
        "facts of Today": lambda connection: today_facts(connection, now),
        "page Today": lambda connection: today_page(connection, site, now, state),
        "page of AAPL": lambda connection: ticker_page(connection, site, now, "AAPL"),
        "page Compare": lambda connection: compare_page(connection, site, now, (), ()),
        "page Risk": lambda connection: risk_page(connection, site, now),
        "page Health": lambda connection: health_page(connection, site, now, state),
    }


def timed(work: Callable[[], object]) -> tuple[float, float, float]:
    """Return the shortest and the middle time of some rounds, and the least processor time, milliseconds."""
    work()  # fills the caches
    wall, processor = [], []
    for _ in range(ROUNDS):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return 1000 * min(wall), 1000 * sorted(wall)[ROUNDS // 2], 1000 * min(processor)


def in_snapshot(place: Place, read: Callable[[Reader], object]) -> object:
    """Return what a read finds in a transaction of its own."""
    with snapshot(place.database) as connection:
        return read(connection)


def measure(record: str) -> None:
    """Print the times of one record."""
    is_server = record.startswith(POSTGRES_PREFIXES)
    place = Place(
        Path() if is_server else Path(record).parent, record if is_server else f"sqlite:///{Path(record).absolute()}", ""
    )
    now = datetime.now(UTC)
    print(place.database)
    print(f"  {'':26}{'shortest':>10}{'middle':>10}{'processor':>10}  ms")
    print("  {:26}{:10.1f}{:10.1f}{:10.1f}".format("a connection", *timed(lambda: in_snapshot(place, lambda _: None))))
    print("  {:26}{:10.1f}{:10.1f}{:10.1f}".format("state of the home", *timed(lambda: read_state(place, Limits(), now))))
    for name, read in reads(place, now).items():
        shortest, middle, processor = timed(lambda read=read: in_snapshot(place, read))  # type: ignore[misc]
        print(f"  {name:26}{shortest:10.1f}{middle:10.1f}{processor:10.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("records", nargs="+", metavar="RECORD")
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    for each in parser.parse_args().records:
        measure(each)
