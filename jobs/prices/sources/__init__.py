"""The sources of prices: yahoo, folder and sample. Each returns a Fetch. open_source opens the one that is configured.

Not here: which of the bars are stored (jobs.prices.gates, jobs.prices.ingest).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickercast.jobs.prices.sources.base import Source, SourceSettings

if TYPE_CHECKING:
    from tickercast.jobs.workspace.home import Home


def open_source(home: Home, option: str | None = None, adjustment: str | None = None) -> Source:
    """Return the source that an option `yahoo`, `folder:PATH` or `sample` names, else the one of the settings.

    Raises SourceSettings for another kind, a missing folder, or a folder without a stated adjustment.
    """
    settings = home.settings
    kind, _, path = (option or settings.source.kind).partition(":")
    if kind == "sample":
        from tickercast.jobs.prices.sources.sample import SampleSource

        return SampleSource()
    if kind == "folder":
        from tickercast.jobs.prices.sources.folder import FolderSource, parse_splits

        splits = parse_splits(settings.source.splits)
        return FolderSource(path or settings.source.path, adjustment or settings.source.adjustment, splits)
    if kind == "yahoo":
        from tickercast.jobs.prices.sources.yahoo import YahooSource
        from tickercast.jobs.prices.sources.yahoo_client import YahooClient

        yahoo = settings.yahoo
        client = YahooClient(yahoo.base_url or None, yahoo.requests_per_second, yahoo.ticker_seconds, yahoo.run_seconds)
        return YahooSource(client, timeout_seconds=yahoo.timeout_seconds, cache_folder=home.cache / "yfinance")
    raise SourceSettings(f"{kind!r} is not a source; use yahoo, folder:PATH or sample")
