"""A home on which one backfill takes long and commits often: many tickers, and a stack for each."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.torture.builds import Build
from tests.torture.homes import SETTINGS, TICKERS, Feed, make_feed
from tests.torture.program import must_run

COPIES = 28  # tickers with the prices of the first one: a backfill of all of them outlasts a trial
ALL_TICKERS = (*TICKERS, *(f"C{number:02}" for number in range(COPIES)))


def make_crowded_home(build: Build, folder: Path, tickers: Sequence[str] = ALL_TICKERS) -> Feed:
    """Create <folder>/home, which tracks the tickers and has no bar yet, and its feed. tickers: those of the feed and more."""
    feed = make_feed(folder / "feed")
    for ticker in tickers[len(TICKERS) :]:
        shutil.copy(folder / "feed" / f"{TICKERS[0]}.csv", folder / "feed" / f"{ticker}.csv")
    must_run(build, folder / "home", "init")
    (folder / "home" / "tickercast.toml").write_text(SETTINGS.format(feed=feed.folder), encoding="utf-8")
    must_run(build, folder / "home", "track", *tickers)
    return feed
