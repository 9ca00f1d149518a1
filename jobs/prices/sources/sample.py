"""The sample source: AAPL, FB, GOOG, IBM and MSFT from 2000 to 2013, as traded, from the bokeh_sampledata package. No network.

The package has closes as traded and adjusted closes, but no splits. The three splits of these years are listed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from tickercast.jobs.prices.sources.adjusting import implied_dividends
from tickercast.jobs.prices.sources.base import Fetch, SourceSettings, UnknownTicker
from tickercast.storage.bars import Listing, make_bars, refuse_bad_rows

TICKERS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
# By ex-date, as the exchanges announced them. The ratio of close to adjusted close changes by the same factor there.
SPLITS = {
    "AAPL": {date(2000, 6, 21): 2.0, date(2005, 2, 28): 2.0},
    "MSFT": {date(2003, 2, 18): 2.0},
}


class SampleSource:
    """Real prices of five tickers, for the demo and for tests."""

    kind = "sample"
    live = False
    requests = 0

    def tickers(self) -> list[str]:
        """Return the five tickers."""
        return list(TICKERS)

    def left_out(self) -> list[str]:
        """Return an empty list."""
        return []

    def version(self, ticker: str, older_names: Sequence[str] = ()) -> None:
        """Return None: the sample never changes, but its reader may."""
        return None

    def fetch(self, ticker: str, start: date | None, older_names: Sequence[str] = ()) -> Fetch:
        """Return the bars from `start` on, or all of them. Raises UnknownTicker, and SourceSettings without the package."""
        name = next((name for name in (ticker, *older_names) if name in TICKERS), None)
        if name is None:
            raise UnknownTicker(f"{ticker}: not in the sample; it has {', '.join(TICKERS)}")
        columns = _columns(name)
        days = np.array(columns["date"], dtype="datetime64[D]")
        values = {name: np.array(columns[name], np.float64) for name in ("open", "high", "low", "close", "volume")}
        split = np.ones(len(days))
        for ex_date, ratio in SPLITS.get(name, {}).items():
            split[np.searchsorted(days, np.datetime64(ex_date))] = ratio
        dividend = implied_dividends(values["close"], np.array(columns["adj_close"], np.float64), split)
        bars, refused = refuse_bad_rows(make_bars(days, {**values, "dividend": dividend, "split": split}))
        if start is not None:
            bars = bars.select(bars.session >= np.datetime64(start))
        return Fetch(Listing(ticker, "USD", "XNYS", "America/New_York", "as_traded"), bars, refused)


def require_sample() -> None:
    """Raise SourceSettings without the package that has the prices."""
    _columns("IBM")


def _columns(ticker: str) -> dict[str, Any]:
    try:
        from bokeh_sampledata import stocks
    except ImportError as error:
        raise SourceSettings("the sample prices need an extra: pip install 'tickercast[demo]'") from error
    columns: dict[str, Any] = getattr(stocks, ticker)
    return columns
