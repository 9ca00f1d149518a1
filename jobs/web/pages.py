"""Our pages by address. What each shows is made elsewhere (jobs.pages), in a thread and from one snapshot of the record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from urllib.parse import unquote

from tickercast.jobs import clock
from tickercast.jobs.monitoring.state import HomeState, read_state
from tickercast.jobs.pages.compare import compare_page
from tickercast.jobs.pages.health import health_page
from tickercast.jobs.pages.risk import risk_page
from tickercast.jobs.pages.site import TICKER_FOLDER, Site, served_site
from tickercast.jobs.pages.ticker import ticker_page
from tickercast.jobs.pages.today import today_page
from tickercast.jobs.web.descriptions import OTHERS
from tickercast.jobs.web.request import Request
from tickercast.jobs.web.responses import MakePage, Page
from tickercast.jobs.workspace.limits import read_limits
from tickercast.jobs.workspace.place import Place
from tickercast.storage.connection import Reader
from tickercast.storage.reader import snapshot

TICKERS = f"/{TICKER_FOLDER}/"
PLAIN = "text/plain; charset=utf-8"

# Returns a page as HTML.
Text = Callable[[Reader, Site, datetime, Request], str]


class OurPages:
    """The pages of one home."""

    def __init__(self, place: Place, executor: Executor) -> None:
        self.place, self.executor = place, executor
        self._pages: dict[str, Text] = {"/": self._today, "/compare": self._compare, "/health": self._health, "/risk": self._risk}

    async def health(self) -> Page:
        """Return a page that says that the database can be read. Raises StorageError."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._health_line)

    def _health_line(self) -> Page:
        with snapshot(self.place.database):
            return Page(b"ok\n", content_type=PLAIN)

    def page_of(self, path: str) -> MakePage | None:
        """Return the maker of the page at an address, None where there is none of ours."""
        text = self._ticker if path.startswith(TICKERS) else self._pages.get(path)
        return partial(self._made, text) if text else None

    async def _made(self, text: Text, request: Request) -> Page:
        return await asyncio.get_running_loop().run_in_executor(self.executor, self._page, text, request)

    def _page(self, text: Text, request: Request) -> Page:
        now = clock.now()
        with snapshot(self.place.database) as connection:
            return Page(text(connection, served_site(now, others=OTHERS), now, request).encode())

    def _ticker(self, connection: Reader, site: Site, now: datetime, request: Request) -> str:
        symbol = unquote(request.path.removeprefix(TICKERS))
        return ticker_page(connection, site, now, symbol, request.first("config"))

    def _compare(self, connection: Reader, site: Site, now: datetime, request: Request) -> str:
        return compare_page(connection, site, now, request.all("t"), request.all("c"))

    def _health(self, connection: Reader, site: Site, now: datetime, request: Request) -> str:
        return health_page(connection, site, now, self._state(now))

    def _today(self, connection: Reader, site: Site, now: datetime, request: Request) -> str:
        return today_page(connection, site, now, self._state(now), search=request.first("ticker") or "")

    def _risk(self, connection: Reader, site: Site, now: datetime, request: Request) -> str:
        return risk_page(connection, site, now, request.first("ticker") or "")

    def _state(self, now: datetime) -> HomeState:
        return read_state(self.place, read_limits(self.place.folder), now)
