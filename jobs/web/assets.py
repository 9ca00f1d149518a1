"""The files that pages load: those of our pages and the chart library (jobs.pages.site), and the style sheets of this package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tickercast.jobs.pages.site import ASSET_NAMES, PLOTLY, asset_path, asset_version
from tickercast.jobs.web.responses import Page

ASSETS = Path(__file__).with_name("assets")
OWN_NAMES = ("plain.css", "record.css", "record.js")
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


def asset(name: str, query: str) -> Page | None:
    """Return a file that pages load, None for any other name. With its version in the address it may be kept for ever."""
    if name not in (*OWN_NAMES, *ASSET_NAMES, PLOTLY):  # before the cache, which visitors could fill with names of their own
        return None
    found = _asset(name)
    is_versioned = name not in OWN_NAMES and query == f"v={asset_version(name)}"
    return found.cached_forever if is_versioned else found


def compress_largest() -> None:
    """Compress the largest file before a browser waits for it."""
    if (library := asset(PLOTLY, f"v={asset_version(PLOTLY)}")) is not None:
        _ = library.compressed


@cache
def _asset(name: str) -> Page:
    path = ASSETS / name if name in OWN_NAMES else asset_path(name)
    return Page(path.read_bytes(), content_type=TYPES[path.suffix])
