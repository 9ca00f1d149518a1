"""Small homes that harnesses disturb: two tickers of a folder, some sessions, a small network. Real commands make them."""

from __future__ import annotations

import json
import random
import shutil
import tarfile
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from tests.torture.builds import REPOSITORY, Build
from tests.torture.program import must_run

TICKERS = ("AAA", "BBB")
FIRST_SESSION = date(2024, 1, 2)
BEFORE = 150  # sessions before the first origin
SESSIONS = 60  # sessions that may be origins
OLD_HOMES = REPOSITORY / "tests" / "data" / "homes"
SETTINGS = """[source]
kind = "folder"
path = "{feed}"
adjustment = "as_traded"
[model]
history_sessions = 140
[training]
cold_epochs = 1
warm_epochs = 0
[compute]
workers = 1
stack = 1
"""


@dataclass(frozen=True, slots=True)
class Feed:
    """A folder of prices. sessions: those that may be origins, in order, as ISO dates."""

    folder: str
    sessions: tuple[str, ...]

    def instant(self, position: int) -> str:
        """Return an instant after the close of a session, for `run --now`."""
        return f"{self.sessions[position]}T23:00Z"


def make_feed(folder: Path) -> Feed:
    """Write random walks of the tickers on the sessions of New York, and remember what was made in <folder>.json."""
    from tickercast.jobs.exchanges.calendars import exchange_calendar

    days = [day for day in exchange_calendar("XNYS").sessions.tolist() if day >= FIRST_SESSION][: BEFORE + SESSIONS]
    folder.mkdir(parents=True)
    for ticker in TICKERS:
        (folder / f"{ticker}.csv").write_text(_random_walk(ticker, days), encoding="utf-8")
    feed = Feed(str(folder), tuple(map(str, days[BEFORE:])))
    _note_of(folder).write_text(json.dumps(asdict(feed)), encoding="utf-8")
    return feed


def read_feed(folder: Path) -> Feed:
    """Return the feed that `make_feed` made."""
    values = json.loads(_note_of(folder).read_text(encoding="utf-8"))
    return Feed(values["folder"], tuple(values["sessions"]))


def make_home(build: Build, home: Path, feed: Feed, *, runs: int = 0) -> None:
    """Create a home that tracks the tickers, after so many daily runs."""
    home.parent.mkdir(parents=True, exist_ok=True)
    must_run(build, home, "init")
    (home / "tickercast.toml").write_text(SETTINGS.format(feed=feed.folder), encoding="utf-8")
    must_run(build, home, "track", *TICKERS)
    for position in range(runs):
        must_run(build, home, "run", "--now", feed.instant(position))


def copy_home(home: Path, target: Path) -> Path:
    """Copy a home that no process writes. Its price folder is its own: the home before is not registered in it."""
    shutil.copytree(home, target)
    (target / "prices" / ".databases").unlink(missing_ok=True)
    return target


def unpack_old_home(folder: Path, version: str) -> None:
    """Unpack the home that a landed version made into a folder. The folder of its source is missing."""
    with tarfile.open(OLD_HOMES / f"{version}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    settings = folder / "tickercast.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("FEED", str(folder / "feed")), encoding="utf-8")


def _note_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _random_walk(ticker: str, days: list[date]) -> str:
    rng, close = random.Random(ticker), 100.0
    lines = ["date,open,high,low,close,volume"]
    for day in days:
        opened, close = close, close * (1 + rng.gauss(0, 0.012))
        high, low = 1.004 * max(opened, close), 0.996 * min(opened, close)
        lines.append(f"{day},{opened:.4f},{high:.4f},{low:.4f},{close:.4f},{rng.randrange(10_000, 20_000)}")
    return "\n".join([*lines, ""])
