"""How pages are linked: as files of a folder, or as paths of a server. Templates get a Site and never build a URL themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from tickercast.jobs.errors import UsageError
from tickercast.storage.files import quote_ticker

ASSETS = Path(__file__).with_name("assets")
ASSET_NAMES = ("style.css", "charts.js", "tables.js")
PLOTLY = "plotly.min.js"
# The pages of our own and their titles, in the order of the navigation. A module of this package makes each.
PAGES = {"today": "Today", "compare": "Compare", "risk": "Risk", "health": "Health"}
TICKER_FOLDER = "ticker"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages are.

    is_live: whether a server makes them when they are asked for. made_at: when these were made, UTC. root: what stands before
    every path, such as `/` or `../`. end: of the names of pages, `.html` for files. others: titles and paths of pages that are
    not ours, below root. pages: those of ours that exist, name to title.
    """

    is_live: bool
    made_at: datetime
    root: str = ""
    end: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    pages: Mapping[str, str] = field(default_factory=lambda: PAGES)

    def page_url(self, name: str) -> str:
        """Return the URL of a page of ours by its name: today, health and so on."""
        if name == "today":
            return (self.root or "./") if self.is_live else f"{self.root}index{self.end}"
        return f"{self.root}{name}{self.end}"

    def ticker_url(self, symbol: str) -> str:
        """Return the URL of a ticker's page. Every symbol has one: ^GSPC, BRK-B, EURUSD=X."""
        name = quote(symbol, safe="") if self.is_live else quote(f"{quote_ticker(symbol)}{self.end}")
        return f"{self.root}{TICKER_FOLDER}/{name}"

    def asset_url(self, name: str) -> str:
        """Return the URL of a file of ASSET_NAMES or of plotly's script. It changes with the file, so it may be cached."""
        return f"{self.root}assets/{name}?v={asset_version(name)}"

    def navigation(self) -> list[tuple[str, str, str]]:
        """Return the name, the title and the URL of each page that a user can go to from everywhere."""
        ours = [(name, title, self.page_url(name)) for name, title in self.pages.items()]
        return [*ours, *((title.lower(), title, f"{self.root}{path}") for title, path in self.others.items())]

    def below(self) -> Site:
        """Return the site as seen from a ticker's page: files of a folder are linked relatively."""
        return self if self.is_live else replace(self, root="../")


def served_site(made_at: datetime, *, root: str = "/", others: Mapping[str, str] | None = None) -> Site:
    """Return the site of a server. root: the path it is reached under. others: pages that are not ours, title to path."""
    return Site(is_live=True, made_at=made_at, root=root, others=others or {})


def static_site(made_at: datetime, pages: Mapping[str, str] = PAGES) -> Site:
    """Return the site of files in a folder, as seen from the folder. pages: those of ours that exist, name to title."""
    return Site(is_live=False, made_at=made_at, end=".html", pages=pages)


def ticker_file(symbol: str) -> Path:
    """Return the path of a ticker's page below the folder of a static site."""
    return Path(TICKER_FOLDER) / f"{quote_ticker(symbol)}.html"


def asset_path(name: str) -> Path:
    """Return the path of an asset on this machine. Raises UsageError for plotly's script where plotly is not installed."""
    if name != PLOTLY:
        return ASSETS / name
    found = find_spec("plotly")  # plotly itself is not loaded
    if found is None or not found.submodule_search_locations:
        raise UsageError("the pages need plotly for their charts: pip install 'tickercast[report]'")
    return Path(found.submodule_search_locations[0]) / "package_data" / PLOTLY


@cache
def asset_version(name: str) -> str:
    """Return a text that changes when an asset does."""
    if name == PLOTLY:
        try:
            return version("plotly")
        except PackageNotFoundError:
            return "none"
    return hashlib.sha256(asset_path(name).read_bytes()).hexdigest()[:12]
