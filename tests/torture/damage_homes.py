"""A small home with prices from a folder, which trials copy: a backfill of two tickers whose chains begin from bundled priors."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from tests.forecast_builders import moved, sample
from tests.price_builders import write_csv
from tests.torture.builds import Build
from tests.torture.ended import run_command
from tests.torture.harness import Bench

TICKERS = ("AAPL", "IBM")
OTHERS = ("MSFT",)  # of the other home
FIRST, MIDDLE, LAST, NEXT = (date(2026, 1, day) for day in (13, 20, 23, 27))  # origins of the three backfills
DATABASE, SETTINGS_NAME = "tickercast.db", "tickercast.toml"
BARS = 190
MARK = "made"
SETTINGS = """[source]
kind = "folder"
path = "{source}"
adjustment = "as_traded"
[model]
history_sessions = 140
reference = "none"
[training]
cold_every = 4
[events]
source = "{source}/events.csv"
"""


@dataclass(frozen=True, slots=True)
class Homes:
    """Folders that trials only read or copy.

    source: price files and events. home: a home at rest. older: the same home some sessions before. other: another home. logged:
    the home after two more sessions, which are in its write-ahead log alone. twin: the same at rest. backup: the home's backup.
    """

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def older(self) -> Path:
        return self.folder / "older"

    @property
    def other(self) -> Path:
        return self.folder / "other"

    @property
    def logged(self) -> Path:
        return self.folder / "logged"

    @property
    def twin(self) -> Path:
        return self.folder / "twin"

    @property
    def backup(self) -> Path:
        return self.folder / "backup.tar"


_MADE: list[Path] = []  # folders that this process made


def homes_of(bench: Bench) -> Homes:
    """Return the homes beside a bench's prepared folder. The sound program makes them, once for all harnesses and tests."""
    folder = bench.prepared.parent / "homes"
    if not (folder / MARK).exists():
        if _MADE:
            folder.symlink_to(_MADE[0])
        else:
            shutil.rmtree(folder, ignore_errors=True)  # of a kill
            _make_homes(Homes(folder))
            (folder / MARK).touch()
            _MADE.append(folder)
    return Homes(folder)


def _make_homes(homes: Homes) -> None:
    homes.folder.mkdir()
    write_source(homes.source, MIDDLE)
    new_home(homes, homes.home)
    new_home(homes, homes.other)
    backfill(homes.other, *OTHERS, last=MIDDLE)
    backfill(homes.home, *TICKERS, last=MIDDLE)
    shutil.copytree(homes.home, homes.older)
    write_source(homes.source, LAST)
    backfill(homes.home, *TICKERS, last=LAST)
    write_source(homes.source, NEXT)
    shutil.copytree(homes.home, homes.twin)
    with closing(sqlite3.connect(homes.twin / DATABASE)) as keeper:
        keeper.execute("SELECT count(*) FROM sqlite_master").fetchone()  # who keeps it open keeps the log from being applied
        backfill(homes.twin, *TICKERS, last=NEXT)
        shutil.copytree(homes.twin, homes.logged, ignore=shutil.ignore_patterns("*-shm", "cache", "*.lock"))
    succeed(homes.folder, "--home", homes.home, "backup", homes.backup)


def new_home(homes: Homes, folder: Path) -> None:
    """Make a home whose prices come from the source."""
    folder.mkdir()
    (folder / SETTINGS_NAME).write_text(SETTINGS.format(source=homes.source), encoding="utf-8")
    succeed(folder, "--home", folder, "init")


def backfill(folder: Path, *tickers: str, last: date) -> None:
    """Backfill a home up to a session."""
    succeed(folder, "--home", folder, "backfill", *tickers, "--start", FIRST, "--end", last, "--workers", 1)


def succeed(folder: Path, *arguments: object) -> None:
    """Run a command of the sound program. Raises AssertionError unless it does what it should."""
    ended = run_command(Build(), folder, arguments)
    assert ended.code == 0, ended.err


def write_source(folder: Path, last: date) -> None:
    """Write the price files up to a session, and a file of company events: past reports and one ahead."""
    for symbol in (*TICKERS, *OTHERS):
        bars = moved(sample(symbol), str(NEXT), BARS)
        write_csv(folder, symbol, bars.select(bars.session <= np.datetime64(last)), "stock")
    days = ("2025-04-28", "2025-07-22", "2025-10-28", "2026-01-26")
    rows = [f"{symbol},{day},earnings,2025-01-02T12:00:00Z" for symbol in TICKERS for day in days]
    (folder / "events.csv").write_text("\n".join(["ticker,date,kind,recorded_at", *rows, ""]), encoding="utf-8")
