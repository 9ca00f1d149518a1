"""Time daily life with many tickers: `python benchmarks/ten_thousand.py FOLDER [--tickers 10000] [--sessions 5] [--prices FEED]`.

FOLDER gets a feed of resampled tickers, one Parquet file each, and a home. Prices are resampled in blocks of a month from the
files in FEED (one CSV or Parquet for each ticker), or from the five tickers of the sample. The home is backfilled, then each file
gets one more bar, and one daily `run` is measured: wall time, processor time and the peak memory of the command and its workers.
Then `status` and others. docs/performance.md has the figures.
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
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tickercast.jobs.prices.sources.base import Source
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.storage.bars import Bars, adjusted

BLOCK = 21  # sessions that are resampled together
SAMPLED_SECONDS = 0.25
READS = (
    ("status",), ("status", "--check"), ("tickers", "--format", "csv"), ("forecast", "--format", "csv"),
    ("sql", "SELECT count(*) FROM latest_forecast"), ("skill", "--format", "csv"), ("verify",),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command cost. megabytes: the most that it and its workers held at once, memory that they share counted once."""

    wall: float
    processor: float
    megabytes: float
    output: str

    def __str__(self) -> str:
        return f"{self.wall:8.2f} s {self.processor:8.2f} s of processor {self.megabytes:6.0f} MB"


def cost_of(home: Path, *arguments: str) -> Cost:
    """Return what `tickercast` with some arguments cost. Raises RuntimeError when it fails."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "tickercast", "--home", str(home), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peaks: list[float] = []
    sampler = threading.Thread(target=sample_memory, args=(process, peaks))
    sampler.start()
    output, _ = process.communicate()
    sampler.join()
    if process.returncode not in (0, 3, 4):
        raise RuntimeError(f"tickercast {arguments[0]}: exit {process.returncode}: {output[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - began, processor, max(peaks, default=0.0), output)


def sample_memory(process: subprocess.Popen[str], peaks: list[float]) -> None:
    """Note the memory of a process and its children until it ends."""
    while process.poll() is None:
        peaks.append(sum(proportional_megabytes(pid) for pid in family(process.pid)))
        time.sleep(SAMPLED_SECONDS)


def family(pid: int) -> list[int]:
    """Return a process and all that it started."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def proportional_megabytes(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def base_bars(prices: Path | None, bars: int) -> list[Bars]:
    """Return the adjusted bars that tickers are resampled from, those with enough of them."""
    source: Source = FolderSource(str(prices), "split") if prices else SampleSource()
    names = [name for name in source.tickers() if not name.startswith("^")]
    found = [adjusted(source.fetch(name, None).bars) for name in names]
    last = max(one.session[-1] for one in found)
    return [one for one in found if len(one) > bars and one.session[-1] == last]


def resampled(base: Bars, bars: int, rng: np.random.Generator) -> pa.Table:
    """Return a table of as many bars at the base's last sessions: its daily moves in blocks of BLOCK, drawn anew."""
    starts = rng.integers(1, len(base) - BLOCK, size=-(-bars // BLOCK))
    drawn = (starts[:, None] + np.arange(BLOCK)).ravel()[:bars]
    before = base.close[drawn - 1]
    close = 50 * np.cumprod(base.close[drawn] / before)
    last = np.concatenate([[50.0], close[:-1]])
    columns = {name: last * getattr(base, name)[drawn] / before for name in ("open", "high", "low")}
    values = {"date": base.session[-bars:], **columns, "close": close}
    table = {name: pa.array(array) for name, array in values.items()}
    return pa.table({**table, "volume": pa.array(base.volume[drawn]), "kind": pa.array(["stock"] * bars)})


def write_feed(folder: Path, bases: list[Bars], bars: int, left_out: int, numbers: range) -> None:
    """Write the files of some tickers, without the last bars."""
    for number in numbers:
        table = resampled(bases[number % len(bases)], bars, np.random.default_rng(number))
        pq.write_table(table.slice(0, bars - left_out), folder / f"T{number:05d}.parquet")


def feed(folder: Path, prices: Path | None, given: argparse.Namespace, left_out: int) -> None:
    """Write the files of all tickers, on all cores."""
    folder.mkdir(parents=True, exist_ok=True)
    write = partial(write_feed, folder, base_bars(prices, given.bars), given.bars, left_out)
    parts = [range(begin, min(begin + 500, given.tickers)) for begin in range(0, given.tickers, 500)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, parts))
    if prices and (prices / "^VIX.csv").exists():
        shutil.copyfile(prices / "^VIX.csv", folder / "^VIX.csv")


def show_sizes(home: Path, tickers: int) -> None:
    """Print the bytes of the database and the price files, for each ticker."""
    files = [path.stat().st_size for path in (home / "prices").glob("*/*.parquet")]
    database = sum(path.stat().st_size for path in home.glob("tickercast.db*"))
    print(f"bytes a ticker: database {database / tickers:,.0f}, price files {sum(files) / tickers:,.0f} in {len(files):,} files")


def main() -> None:
    """Print what each command cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tickers", type=int, default=10_000)
    parser.add_argument("--bars", type=int, default=600)
    parser.add_argument("--sessions", type=int, default=5, help="sessions to backfill before the daily run")
    parser.add_argument("--prices", type=Path, help="a folder of split-adjusted prices to resample")
    given = parser.parse_args()
    prices, home = given.folder / "feed", given.folder / "home"
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, SQLite {sqlite3.sqlite_version}")
    symbols = [f"T{number:05d}" for number in range(given.tickers)]
    source = ("--source", f"folder:{prices}", "--adjustment", "split")
    feed(prices, given.prices, given, left_out=1)
    print(f"{'init':28} {cost_of(home, 'init')}")
    print(f"{'track':28} {cost_of(home, 'track', *symbols, *source)}")
    days = [str(day) for day in base_bars(given.prices, given.bars)[0].session[-1 - given.sessions :]]
    print(f"{f'backfill, {given.sessions} sessions':28} {cost_of(home, 'backfill', '--start', days[0])}")
    feed(prices, given.prices, given, left_out=0)
    day = cost_of(home, "run")
    print(f"{'run, one session':28} {day}\n{day.output.strip().splitlines()[-1]}")
    print(f"{'run, nothing due':28} {cost_of(home, 'run')}")
    show_sizes(home, given.tickers)
    for arguments in READS:
        print(f"{' '.join(arguments):28.28} {cost_of(home, *arguments)}")


if __name__ == "__main__":
    main()
