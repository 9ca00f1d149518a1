"""The page Compare: several tickers, or configs, beside each other. A plain form chooses them; the URL says which."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from tickercast.jobs.pages import compare_charts
from tickercast.jobs.pages.compare_facts import MOST_ENTRIES, Comparison, compare_facts
from tickercast.jobs.pages.rendering import render
from tickercast.jobs.pages.site import Site
from tickercast.storage.connection import Reader


def compare_page(connection: Reader, site: Site, now: datetime, tickers: Sequence[str] = (), configs: Sequence[str] = ()) -> str:
    """Return the page. tickers, configs: those that were chosen; none = the widest next ranges, the active config."""
    found = compare_facts(connection, tickers, configs)
    names = entry_names(found)
    return render(
        "compare.html",
        site,
        page="compare",
        found=found,
        rows=list(zip(names, found.entries, strict=True)),
        most=MOST_ENTRIES,
        ranges=compare_charts.ranges(found.entries, names) if found.entries else None,
        widths=compare_charts.widths(found.entries, names) if found.entries else [],
        chosen=list(dict.fromkeys(entry.ticker for entry in found.entries)) if found.is_chosen else [],
        chosen_configs=list(configs),
        without={entry.ticker: _without(found, entry.ticker, configs) for entry in found.entries},
        now=now,
    )


def entry_names(found: Comparison) -> list[str]:
    """Return the name of each entry: its ticker, with its preset and the start of its config's id where they differ."""
    if not found.has_configs:
        return [entry.ticker for entry in found.entries]
    return [f"{entry.ticker} {entry.config['preset']} {entry.config['config'][:6]}" for entry in found.entries]


def _without(found: Comparison, ticker: str, configs: Sequence[str]) -> str:
    """Return the query of the same comparison without a ticker."""
    rest = dict.fromkeys(entry.ticker for entry in found.entries if entry.ticker != ticker)
    return urlencode([*(("t", each) for each in rest), *(("c", config) for config in configs)])
