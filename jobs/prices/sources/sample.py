"""The sample source: AAPL, FB, GOOG, IBM and MSFT, 2000 to 2013, as traded, from the bokeh_sampledata package. No network.

The package's closes are as traded beside an adjusted close; it names no splits, so the three of that span are written here.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

from jobs.prices.sources.adjusting import implied_dividends
from jobs.prices.sources.base import Fetch, SourceSettings, UnknownTicker
from storage.bars import Listing, make_bars, refuse_bad_rows

TICKERS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
# Ex-dates as the exchanges announced them; at each, close and adjusted close part by this ratio.
SPLITS = {
    "AAPL": {date(2000, 6, 21): 2.0, date(2005, 2, 28): 2.0},
    "MSFT": {date(2003, 2, 18): 2.0},
}


class SampleSource:
    """Real prices of five tickers for a first look and for tests."""

    kind = "sample"
    live = False
    requests = 0

    def tickers(self) -> list[str]:
        return list(TICKERS)

    def fetch(self, ticker: str, start: date | None) -> Fetch:
        if ticker not in TICKERS:
            raise UnknownTicker(f"{ticker}: not in the sample; it has {', '.join(TICKERS)}")
        data = _read(ticker)
        days = np.array(data["date"], dtype="datetime64[D]")
        split = np.ones(len(days))
        for ex_date, ratio in SPLITS.get(ticker, {}).items():
            split[np.searchsorted(days, np.datetime64(ex_date))] = ratio
        close, adjusted = (np.array(data[name], np.float64) for name in ("close", "adj_close"))
        values = {name: np.array(data[name], np.float64) for name in ("open", "high", "low")}
        dividend = implied_dividends(close, adjusted, split)
        bars, refused = refuse_bad_rows(
            make_bars(
                days,
                {**values, "close": close, "volume": np.array(data["volume"]), "dividend": dividend, "split": split},
            )
        )
        if start is not None:
            bars = bars.select(bars.session >= np.datetime64(start))
        return Fetch(Listing(ticker, "USD", "XNYS", "America/New_York", "as_traded"), bars, refused)


def _read(ticker: str) -> dict[str, Any]:
    try:
        from bokeh_sampledata import stocks
    except ImportError as error:
        raise SourceSettings("the sample prices are an extra: pip install 'tickercast[demo]'") from error
    data: dict[str, Any] = getattr(stocks, ticker)
    return data
