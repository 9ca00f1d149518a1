"""Time prices: 500 tickers x 10 years from a folder into the store, their daily top-up from a loopback server, and reading them.

    python benchmarks/prices.py FILE.parquet [--adjustment split]     # one Parquet with a ticker column, of 100 tickers or so

The file's tickers are stored under several names each until there are 500. Peak memory is the process's.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import pandas as pd

from tests.loopback_yahoo import loopback_yahoo
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.runs.run import run_options, run_over
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage import queries
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import Bars, adjusted, as_known
from tickercast.storage.database import open_writer, reading, upgrade_database

TICKERS, YEARS = 500, 10


def many(path: Path, folder: Path) -> None:
    """Write 500 tickers x 10 years as one Parquet, from a file that holds fewer."""
    frame = pd.read_parquet(path)
    frame = frame[
        frame["date"].astype("datetime64[s]") >= frame["date"].astype("datetime64[s]").max() - pd.Timedelta(days=365 * YEARS)
    ]
    whole = frame.groupby("ticker").filter(lambda part: len(part) > 245 * YEARS)
    names = sorted(whole["ticker"].unique())
    copies = []
    for number in range(TICKERS):
        part = whole[whole["ticker"] == names[number % len(names)]]
        copies.append(part.assign(ticker=f"{names[number % len(names)]}{number // len(names)}"))
    pd.concat(copies).to_parquet(folder / "many.parquet")


def timed(label: str, work: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{label:48s} {time.perf_counter() - began:6.1f} s   {peak:5.0f} MB peak so far")
    return result


def ingest(home: Home, kind: str, symbols: list[str], now: datetime) -> str:
    engine = open_writer(home.database)
    options = run_options(home, kind=kind, now=now, config=home.settings.config(), workers=1)
    message = run_over(home, engine, Sources(home), options, symbols, lambda _bars, _committed: [])
    engine.dispose()
    return message


def read_all(home: Home, known_at: datetime) -> int:
    rows = 0
    with reading(home.database) as connection:
        files = [queries.current_file(connection, ticker.id) for ticker in queries.list_tickers(connection)]
    for file in files:
        assert file is not None
        rows += len(adjusted(as_known(read_bars(home.prices, file.path, file.sha256), known_at=known_at)).close)
    return rows


def make_home(folder: Path, settings: str) -> Home:
    folder.mkdir()
    (folder / "tickercast.toml").write_text(settings, encoding="utf-8")
    home = create_home(folder)
    upgrade_database(home.database)
    return home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--adjustment", default="split")
    asked = parser.parse_args()
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    folder = Path(tempfile.mkdtemp(prefix="tickercast-prices-"))
    (folder / "files").mkdir()
    many(asked.file, folder / "files")
    source = FolderSource(str(folder / "files"), asked.adjustment)
    symbols = source.tickers()
    home = make_home(
        folder / "home", f'[source]\nkind = "folder"\npath = "{folder / "files"}"\nadjustment = "{asked.adjustment}"\n'
    )
    now = datetime.now(UTC)
    print(timed(f"{len(symbols)} tickers x {YEARS} years from the folder", lambda: ingest(home, "backfill", symbols, now)))
    print(timed("their adjusted closes as known now", lambda: read_all(home, now + timedelta(seconds=1))), "closes")
    with loopback_yahoo() as server:
        live = make_home(folder / "live", f'[yahoo]\nbase_url = "{server.url}"\nrequests_per_second = 1000\n')
        bars: dict[str, Bars] = {symbol: source.fetch(symbol, None).bars for symbol in symbols}
        for symbol in symbols:
            server.serve(symbol, bars[symbol])
        days = bars[symbols[0]].session.tolist()[-2:]
        for label, day in zip(("first ingest from the loopback server", "top-up a day later"), days, strict=True):
            server.today = day
            at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=23)
            print(timed(label, lambda at=at: ingest(live, "run", symbols, at)))


if __name__ == "__main__":
    main()
