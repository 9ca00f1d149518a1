"""How long the reading commands take from a cold start, beside Python's own start: `python benchmarks/reading.py HOME`.

HOME is read and not changed, apart from its cache. docs/performance.md has figures of a home of 100 tickers and 250 sessions.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7
COMMANDS = {
    "Python alone": ["-c", "pass"],
    "--version": ["-m", "tickercast", "--version"],
    **{name: ["-m", "tickercast", "--home", "HOME", name] for name in ("status", "tickers", "forecast", "skill")},
    "sql, one forecast": [
        "-m", "tickercast", "--home", "HOME", "sql",
        "SELECT ticker, q05, q50, q95 FROM latest_forecast WHERE horizon = 1 LIMIT 1",
    ],
    "sql, all forecasts counted": [
        "-m", "tickercast", "--home", "HOME", "sql", "SELECT count(*), avg(q50) FROM forecast_history",
    ],
}  # fmt: skip


def seconds_of(arguments: list[str], home: Path) -> tuple[float, float]:
    """Return the wall time of a program's run, and its processor time with its child's."""
    command = [sys.executable, *(str(home) if word == "HOME" else word for word in arguments)]
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parent.parent)
    took, after = time.perf_counter() - began, os.times()
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Print the median of seven runs of each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    home = parser.parse_args().home
    with sqlite3.connect(f"file:{home / 'tickercast.db'}?mode=ro", uri=True) as connection:
        forecasts = connection.execute("SELECT count(*) FROM forecasts").fetchone()[0]
    print(f"{forecasts} forecasts; {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, ", end="")
    print(f"Python {platform.python_version()}; medians of {ROUNDS} runs, milliseconds")
    for name, arguments in COMMANDS.items():
        seconds_of(arguments, home)  # reads the files into memory
        walls, processors = zip(*(seconds_of(arguments, home) for _ in range(ROUNDS)), strict=True)
        wall, processor = statistics.median(walls), statistics.median(processors)
        print(f"{name:28} {1000 * wall:5.0f} wall {1000 * processor:5.0f} processor {1000 * min(walls):5.0f} quickest")


if __name__ == "__main__":
    main()
