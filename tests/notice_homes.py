"""A small home that follows two tickers in a folder, whose notices go to a real web server; and what happens to it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.loopback_webhook import LoopbackWebhook
from tests.price_builders import day_of, sample_bars, write_csv
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.notices import tell_when_due
from tickercast.jobs.workspace.home import Home, create_home, open_home
from tickercast.storage.database import open_writer

SMALL = "[training]\ncold_epochs = 1\nwarm_epochs = 0\n[model]\nhistory_sessions = 140\nreference = 'none'\nevents = false\n"
FRIDAY, MONDAY = day_of("2012-06-08"), day_of("2012-06-11")
MONDAY_CLOSE = datetime(2012, 6, 11, 20, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATE = MONDAY_CLOSE + 45 * MINUTE + 6 * HOUR


class Followed:
    """A home that follows IBM and MSFT in a folder, with forecasts up to a Friday, and whose notices go to a web server."""

    def __init__(self, home: Home, folder: Path, webhook: LoopbackWebhook) -> None:
        self.home, self.folder, self.webhook = home, folder, webhook

    def set(self, notices: str = "") -> None:
        """Write the settings file."""
        text = f'{SMALL}[notices]\nurls = ["{self.webhook.url}"]\ndisk_free_megabytes = 0\n{notices}'
        (self.home.folder / "tickercast.toml").write_text(text)

    def write_prices(self, last: date) -> None:
        """Let the folder have the bars up to a day."""
        write_prices(self.folder, last)

    def run(self, now: datetime) -> None:
        """Do a daily run; tickers may fail."""
        engine = open_writer(self.home.database)
        with suppress(SomeTickersFailed):
            run_once(open_home(self.home.folder), engine, now=now, workers=1)
        engine.dispose()

    def tell(self, now: datetime) -> datetime | None:
        """Do what a look of a daemon that has just started does."""
        return tell_when_due(open_home(self.home.folder), now)

    def rows(self, query: str) -> list[Any]:
        connection = sqlite3.connect(self.home.database)
        found = connection.execute(query).fetchall()
        connection.close()
        return found


def write_prices(folder: Path, last: date) -> None:
    for symbol in ("IBM", "MSFT"):
        write_csv(folder, symbol, sample_bars(symbol, "2011-11-01").through(last))


def follow(home: Home, folder: Path) -> None:
    """Follow the two tickers, or let them follow a folder that has moved."""
    engine = open_writer(home.database)
    track(home, engine, ["IBM", "MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    engine.dispose()


def make_followed(folder: Path, empty_database: Path) -> Path:
    """Make such a home and its prices in a folder, which tests copy, and return the folder."""
    home = create_home(folder / "home")
    (home.folder / "tickercast.toml").write_text(SMALL)
    shutil.copy(empty_database, home.database)
    write_prices(folder / "own", FRIDAY)
    follow(home, folder / "own")
    engine = open_writer(home.database)
    run_once(open_home(home.folder), engine, now=datetime(2012, 6, 8, 23, tzinfo=UTC), workers=1)
    engine.dispose()
    return folder


def copy_followed(made: Path, folder: Path, webhook: LoopbackWebhook) -> Followed:
    """Return a copy of such a home."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    follow(open_home(folder / "home"), folder / "own")
    copy = Followed(open_home(folder / "home"), folder / "own", webhook)
    copy.set()
    return copy
