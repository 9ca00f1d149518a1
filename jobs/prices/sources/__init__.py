"""Where prices come from: yahoo, folder, sample. Each gives a Fetch; open_source picks the one that settings or options name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.prices.sources.base import Source, SourceSettings

if TYPE_CHECKING:
    from jobs.workspace.home import Home


def open_source(home: Home, option: str | None = None, adjustment: str | None = None) -> Source:
    """Return the source of an option `yahoo`, `folder:PATH` or `sample`, else of the settings.

    Raises SourceSettings for another kind, a missing folder, or a folder whose adjustment is not stated.
    """
    settings = home.settings
    kind, _, path = (option or settings.source.kind).partition(":")
    if kind == "sample":
        from jobs.prices.sources.sample import SampleSource

        return SampleSource()
    if kind == "folder":
        from jobs.prices.sources.folder import FolderSource, parse_splits

        splits = parse_splits(settings.source.splits)
        return FolderSource(path or settings.source.path, adjustment or settings.source.adjustment, splits)
    if kind == "yahoo":
        from jobs.prices.sources.yahoo import YahooSource
        from jobs.prices.sources.yahoo_client import Door

        yahoo = settings.yahoo
        door = Door(yahoo.base_url or None, yahoo.requests_per_second, yahoo.ticker_seconds, yahoo.run_seconds)
        return YahooSource(door, timeout_seconds=yahoo.timeout_seconds, cache_folder=home.cache / "yfinance")
    raise SourceSettings(f"{kind!r} is no source; use yahoo, folder:PATH or sample")
