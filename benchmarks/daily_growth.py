"""Does a daily cycle cost more as the record grows? `python benchmarks/daily_growth.py HOME FOLDER [--copies 6] [--keep 20]`.

HOME is a home whose tracked tickers have one closed session without forecasts, and is not changed. FOLDER gets two copies of it:
one keeps the newest sessions of the record alone, the other one has the record several times more, at the sessions before it.
Then one daily cycle is done in each, on one worker in a process of its own, and processor time is compared, which other programs
disturb least. docs/performance.md has the figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

from tickercast.jobs.pages.today import today_facts
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.upgrade import fill_skill_and_risk
from tickercast.jobs.workspace.home import open_home
from tickercast.jobs.workspace.writer import open_for_writing
from tickercast.storage.reader import snapshot

STEP = 10_000_000  # added to the numbers of origins and models of each copy
ROUNDS = 5
OLD_ORIGINS = "SELECT id FROM origins WHERE origin < ?"
OF_CHAIN = "SELECT 1 FROM models m WHERE m.number = x.model_number AND m.role = 'chain'"
HAS_SCORE = "SELECT 1 FROM scores z WHERE z.origin_id = x.origin_id AND z.horizon = x.horizon"
# Which rows of each table are copied, and what the changed columns become.
COPIED: dict[str, tuple[str, dict[str, str]]] = {
    "models": (
        f"JOIN earlier e ON e.day = x.origin WHERE x.role = 'chain' AND x.number < {STEP} ORDER BY x.number",
        {"number": "x.number + :step", "id": "x.id || :step", "origin": "e.session", "parent_number": "x.parent_number + :step",
         "cold_ancestor_number": "x.cold_ancestor_number + :step"},
    ),
    "losses": (f"WHERE x.model_number < {STEP} AND EXISTS ({OF_CHAIN})", {"model_number": "x.model_number + :step"}),
    "origins": (
        f"JOIN earlier e ON e.day = x.origin WHERE x.id < {STEP} ORDER BY x.id",
        {"id": "x.id + :step", "origin": "e.session", "model_number": "x.model_number + :step"},
    ),
    "forecasts": (
        f"JOIN earlier e ON e.day = x.target WHERE x.origin_id < {STEP} AND EXISTS ({HAS_SCORE}) ORDER BY x.origin_id, x.horizon",
        {"origin_id": "x.origin_id + :step", "target": "e.session"},
    ),
    "scores": (f"WHERE x.origin_id < {STEP} ORDER BY x.origin_id, x.horizon", {"origin_id": "x.origin_id + :step"}),
}  # fmt: skip


def keep_newest(connection: sqlite3.Connection, sessions: int) -> None:
    """Remove the origins before the newest sessions, with their forecasts, scores and losses."""
    [(first,)] = connection.execute("SELECT DISTINCT origin FROM origins ORDER BY origin DESC LIMIT 1 OFFSET ?", (sessions - 1,))
    for table in ("scores", "forecasts", "unscored"):
        connection.execute(f"DELETE FROM {table} WHERE origin_id IN ({OLD_ORIGINS})", (first,))
    connection.execute("DELETE FROM losses WHERE model_number IN (SELECT number FROM models WHERE origin < ?)", (first,))
    connection.execute("DELETE FROM origins WHERE origin < ?", (first,))


def add_earlier(connection: sqlite3.Connection, copies: int) -> None:
    """Add copies of the record of what is scored, each at the sessions before the last copy."""
    days = [row[0] for row in connection.execute("SELECT DISTINCT session FROM bars ORDER BY session")]
    place = {day: i for i, day in enumerate(days)}
    used = [row[0] for row in connection.execute("SELECT origin FROM origins UNION SELECT target FROM forecasts ORDER BY 1")]
    [(span,)] = connection.execute("SELECT count(DISTINCT origin) FROM origins")
    connection.execute("CREATE TEMP TABLE earlier (day TEXT PRIMARY KEY, session TEXT)")
    for copy in range(1, copies + 1):
        connection.execute("DELETE FROM earlier")
        pairs = [(day, days[place[day] - copy * span]) for day in used if place.get(day, 0) >= copy * span]
        connection.executemany("INSERT INTO earlier VALUES (?, ?)", pairs)
        for table, (which, changed) in COPIED.items():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(changed.get(name, f"x.{name}") for name in names)
            statement = f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} x {which}"
            connection.execute(statement, {"step": copy * STEP} if ":step" in statement else {})


def changed_copy(home: Path, folder: Path, change: Callable[[sqlite3.Connection], None]) -> int:
    """Copy a home, change its record below all rules, compute its sums and skill, and return how many forecasts it has.

    Digests are not counted again, so `verify --deep` of the copy fails.
    """
    shutil.copytree(home, folder)
    with closing(sqlite3.connect(folder / "tickercast.db")) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        change(connection)
        for _, sql in triggers:
            connection.execute(sql)
        connection.execute("INSERT OR IGNORE INTO unsummed SELECT DISTINCT config_id, 0 FROM origins")
        connection.commit()
        connection.execute("VACUUM")
        [(forecasts,)] = connection.execute("SELECT count(*) FROM forecasts")
    fill_skill_and_risk(open_home(folder), datetime.now(UTC))
    return int(forecasts)


def cycle_seconds(folder: Path) -> float:
    """Return the processor time of one daily cycle."""
    with open_for_writing(folder, command="run", wait_seconds=5) as (home, engine):
        began = time.process_time()
        print(run_once(home, engine, workers=1))
        return time.process_time() - began


def show_queries(folder: Path) -> None:
    """Print the least processor time of each query, in milliseconds."""
    with snapshot(folder / "tickercast.db") as connection:
        [(ticker,)] = connection.execute("SELECT min(ticker) FROM latest_forecast")
        queries: dict[str, Callable[[], object]] = {
            "latest_forecast, one ticker": lambda: connection.execute(
                "SELECT * FROM latest_forecast WHERE ticker = ?", (ticker,)
            ).fetchall(),
            "latest_forecast, horizon 1": lambda: connection.execute(
                "SELECT * FROM latest_forecast WHERE horizon = 1"
            ).fetchall(),
            "facts of the page Today": lambda: today_facts(connection, datetime.now(UTC)),
        }
        for name, query in queries.items():
            print(f"{name:30} {1000 * min(seconds_of(query) for _ in range(ROUNDS)):8.1f} ms")


def seconds_of(query: Callable[[], object]) -> float:
    """Return the processor time of a query."""
    began = time.process_time()
    query()
    return time.process_time() - began


def main() -> None:
    """Print the cycles of both records, their ratio, and the queries on each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=6)
    parser.add_argument("--keep", type=int, default=20)
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, SQLite {sqlite3.sqlite_version}")
    changes: dict[str, Callable[[sqlite3.Connection], None]] = {
        "short": lambda connection: keep_newest(connection, given.keep),
        "long": lambda connection: add_earlier(connection, given.copies),
    }
    seconds = []
    for name, change in changes.items():
        forecasts = changed_copy(given.home, given.folder / name, change)
        # A process of its own, so that both load and warm up the same.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds.append(pool.submit(cycle_seconds, given.folder / name).result())
        print(f"{forecasts:,} forecasts: {seconds[-1]:.2f} s of processor time for one daily cycle")
        show_queries(given.folder / name)
    print(f"ratio {seconds[1] / seconds[0]:.2f}")


if __name__ == "__main__":
    main()
