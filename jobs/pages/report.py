"""The pages as files in a folder, readable by a web server: what `report` writes, and what the daemon refreshes.

Files are replaced one by one, so a reader sees each as it was or as it is. They can be made again, so no disk is waited for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from tickercast.jobs.errors import UsageError
from tickercast.jobs.monitoring.state import read_state
from tickercast.jobs.pages.compare import compare_page
from tickercast.jobs.pages.health import health_page
from tickercast.jobs.pages.risk import risk_page
from tickercast.jobs.pages.site import (
    ASSET_NAMES,
    PAGES,
    PLOTLY,
    TICKER_FOLDER,
    Site,
    asset_path,
    static_site,
    ticker_file,
)
from tickercast.jobs.pages.ticker import ticker_page
from tickercast.jobs.pages.today import today_page
from tickercast.jobs.terminal.progress import ShowProgress
from tickercast.jobs.workspace.limits import read_limits
from tickercast.jobs.workspace.place import Place, refuse_store
from tickercast.storage.connection import Reader
from tickercast.storage.errors import StoreUnwritable, not_stored
from tickercast.storage.reader import snapshot

INDEX = "index.html"
OWN_MARK = b'<meta name="generator" content="Tickercast">'
MARK_WITHIN = 600  # bytes from the beginning of a page
PUBLIC_FILE, PUBLIC_FOLDER = 0o644, 0o755
STORED = "SELECT ticker FROM freshness ORDER BY ticker"
FORECAST = "SELECT ticker FROM latest_forecast WHERE horizon = 1"

Make = Callable[[Reader, Site], str]


def write_report(place: Place, folder: Path, now: datetime, show: ShowProgress, tickers: Sequence[str] | None = None) -> Path:
    """Write the pages into a folder and return the path of Today. tickers: pages about these alone; None = about all.

    Pages of tickers that are no longer stored are removed. Raises UsageError without plotly, without forecasts and for a folder
    of a store, UnknownStoredTicker, and StoreUnwritable.
    """
    refuse_store(folder / INDEX)
    assets = {name: asset_path(name) for name in (*ASSET_NAMES, PLOTLY)}
    makers = _makers(place, now, tickers)
    site = static_site(now, {name: PAGES[name] for name in makers})
    with snapshot(place.database) as connection:
        wanted = _wanted(connection, tickers)
        total = len(wanted) + len(makers)
        for name, asset in assets.items():
            write_public(folder / "assets" / name, asset.read_bytes())
        for done, symbol in enumerate(wanted, start=1):
            write_public(folder / ticker_file(symbol), ticker_page(connection, site.below(), now, symbol).encode())
            show(done, total)
        for done, (name, make) in enumerate(makers.items(), start=len(wanted) + 1):
            write_public(folder / site.page_url(name), make(connection, site).encode())
            show(done, total)
    if tickers is None:
        _remove_others(folder / TICKER_FOLDER, {ticker_file(symbol).name for symbol in wanted})
    return folder / INDEX


def write_public(path: Path, content: bytes) -> None:
    """Write a file that everybody may read, in folders that everybody may enter where they are new. Raises StoreUnwritable."""
    try:
        _make_public(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), PUBLIC_FILE)
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreUnwritable(f"{path}: {error.strerror}; earlier pages stay; free space or mend permissions") from error


def _make_public(folder: Path) -> None:
    if not folder.is_dir():
        _make_public(folder.parent)
        folder.mkdir(exist_ok=True)
        folder.chmod(PUBLIC_FOLDER)


def _makers(place: Place, now: datetime, tickers: Sequence[str] | None) -> dict[str, Make]:
    """Return what makes each page by its name. Those that are about all tickers are left out of a report of some."""
    state = read_state(place, read_limits(place.folder), now)
    makers: dict[str, Make] = {
        "today": lambda connection, site: today_page(connection, site, now, state, tickers),
        "compare": lambda connection, site: compare_page(connection, site, now, tickers or ()),
    }
    if tickers is None:
        makers["risk"] = lambda connection, site: risk_page(connection, site, now)
        makers["health"] = lambda connection, site: health_page(connection, site, now, state)
    return makers


def _wanted(connection: Reader, tickers: Sequence[str] | None) -> list[str]:
    """Return the tickers to make pages of. Raises UsageError where none of them has a forecast, UnknownStoredTicker."""
    stored = [row[0] for row in connection.execute(STORED)]
    for symbol in tickers or ():
        if symbol not in stored:
            raise not_stored(symbol)
    wanted = stored if tickers is None else list(dict.fromkeys(tickers))
    forecast = {row[0] for row in connection.execute(FORECAST)}
    if not forecast.intersection(wanted):
        raise UsageError("there are no forecasts to report yet; run `tickercast backfill` first")
    return wanted


def _remove_others(folder: Path, names: set[str]) -> None:
    """Remove the pages of tickers that a report made before and that have none now. What somebody else put there stays."""
    for path in folder.glob("*.html"):
        if path.name not in names and OWN_MARK in path.read_bytes()[:MARK_WITHIN]:
            path.unlink()
