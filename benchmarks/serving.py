"""The server under load beside a backfill of the same home: response times, errors, and what the writer notices.

    python benchmarks/serving.py HOME [--clients 50] [--seconds 60] [--pause 1.0] -- backfill --start 2023-08-04 --end 2023-09-29

HOME is copied twice. The command after -- runs alone on the first copy, and beside the server and its clients on the second. A
client has one connection, as a browser, loads a page of the mixture, looks at it for a moment around the pause, and so on for at
least the seconds and until the command ends. A status other than 200 and 304 is an error, and so is a response of 10 seconds.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

LIMIT_SECONDS = 10.0
# The pages of the mixture with their shares, in percent. {} is a ticker.
MIXTURE = {
    "/": 25, "/ticker/{}": 35, "/compare": 5, "/health": 5, "/record": 4, "/record/latest_forecast": 4, "/record/skill": 4,
    "/record/scored_forecast?ticker={}": 5, "/record/bar?ticker={}&_sort_desc=session": 4, "/record/prices?ticker={}": 4,
    "/record/next_session": 3, "/record/latest_forecast.csv": 2,
}  # fmt: skip


@dataclass
class Load:
    """What the clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    adding: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: str, seconds: float, size: int, error: str | None) -> None:
        with self.adding:
            self.seconds.setdefault(page, []).append(seconds)
            self.bytes += size
            if error:
                self.errors[f"{page}: {error}"] += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds that a client looks at a page")
    parser.add_argument("command", nargs="+", help="the command that writes, after --")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tickercast-serving-"))
    try:
        alone, beside = (shutil.copytree(options.home, folder / name) for name in ("alone", "beside"))
        print(f"alone: {written(alone, options.command)}", flush=True)
        measure(beside, options)
    finally:
        shutil.rmtree(folder)


def measure(home: Path, options: argparse.Namespace) -> None:
    """Serve a home to clients beside the command, and print what both saw."""
    with closing(sqlite3.connect(f"file:{home / 'tickercast.db'}?mode=ro", uri=True)) as connection:
        tickers = [row[0] for row in connection.execute("SELECT DISTINCT ticker FROM latest_forecast")]
    server = subprocess.Popen(program(home, "serve", "--port", "0"), stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = urlsplit(server.stdout.readline()).netloc
    load, stop = Load(), threading.Event()
    clients = [
        threading.Thread(target=browse, args=(address, tickers, options.pause, random.Random(number), load, stop))
        for number in range(options.clients)
    ]
    began = time.monotonic()
    for client in clients:
        client.start()
    told = written(home, options.command)
    time.sleep(max(0.0, options.seconds - (time.monotonic() - began)))
    stop.set()
    for client in clients:
        client.join()
    seconds = time.monotonic() - began
    server.terminate()
    _, status, used = os.wait4(server.pid, 0)  # with the processes of its queries
    code, processor = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
    print(f"beside {options.clients} clients: {told}")
    print(f"server: exit code {code}, {processor:.1f} s of processor time, load of the machine {os.getloadavg()[0]:.1f}")
    report(load, seconds)


def written(home: Path, command: list[str]) -> str:
    """Run the command that writes, and return its time, its exit code, its last line and the largest write-ahead log."""
    began = time.monotonic()
    process = subprocess.Popen(program(home, *command), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    largest, log = 0, home / "tickercast.db-wal"
    while process.poll() is None:
        largest = max(largest, log.stat().st_size if log.exists() else 0)
        time.sleep(0.1)
    assert process.stderr is not None
    lines = process.stderr.read().strip().splitlines()
    busy = [line for line in lines if "busy" in line or "holds the database" in line]
    last = lines[-1] if lines else ""
    return (
        f"{time.monotonic() - began:.1f} s, exit code {process.returncode}, {len(busy)} lines of a busy database, "
        f"write-ahead log up to {largest / 1e6:.1f} MB, {last!r}"
    )


def browse(address: str, tickers: list[str], pause: float, chance: random.Random, load: Load, stop: threading.Event) -> None:
    """Load pages until the end, as one browser that keeps what it has seen."""
    connection = http.client.HTTPConnection(address, timeout=LIMIT_SECONDS)
    tags: dict[str, str] = {}
    stop.wait(chance.uniform(0, pause))
    while not stop.is_set():
        page = chance.choices(list(MIXTURE), weights=list(MIXTURE.values()))[0]
        path = page.format(quote(chance.choice(tickers), safe=""))
        began = time.monotonic()
        try:
            headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": tags[path]} if path in tags else {})
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            size = len(answer.read())
            tags[path] = answer.headers.get("ETag", "")
            error = None if answer.status in (200, 304) else str(answer.status)
        except (OSError, http.client.HTTPException) as failure:
            connection.close()
            size, error = 0, type(failure).__name__
        load.add(page, time.monotonic() - began, size, error)
        stop.wait(chance.expovariate(1 / pause) if pause else 0)


def report(load: Load, seconds: float) -> None:
    """Print the response times by page, and the errors."""
    every = [value for values in load.seconds.values() for value in values]
    print(
        f"{len(every)} responses in {seconds:.0f} s, {load.bytes / 1e6:.0f} MB, {load.errors.total()} errors {dict(load.errors)}"
    )
    print(f"{'page':<42}{'n':>7}{'median':>9}{'p95':>8}{'p99':>8}{'most':>8}  milliseconds")
    for page, values in [("all", every), *sorted(load.seconds.items())]:
        cuts = statistics.quantiles(values, n=100) if len(values) > 1 else values * 99
        print(
            f"{page:<42}{len(values):>7}"
            + "".join(f"{1000 * value:>8.0f}" for value in (cuts[49], cuts[94], cuts[98], max(values)))
        )


def program(home: Path, *arguments: str) -> list[str]:
    """Return the command line of the program for a home."""
    return [sys.executable, "-m", "tickercast", "--home", os.fspath(home), *arguments]


if __name__ == "__main__":
    main()
