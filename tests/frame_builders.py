"""Long frames of the sample's real prices that tests of the Python door share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tests.forecast_builders import moved, sample
from tickercast.storage.bars import Bars

# Reports of IBM, the last one two sessions after the newest bar.
REPORTS = pd.DataFrame({
    "ticker": "IBM", "date": ["2014-10-20", "2015-01-20", "2015-04-20", "2015-07-20", "2015-10-19", "2016-02-03"],
})  # fmt: skip


def index_bars(count: int = 320) -> Bars:
    """Return bars of a volatility index: the volatility of IBM over a year, in percent a year."""
    bars = bars_of("IBM", count)
    moves = pd.Series(np.diff(np.log(bars.close), prepend=np.nan))
    level = (100 * np.sqrt(252) * moves.ewm(span=250, min_periods=20).std()).bfill().to_numpy()
    return replace(bars, open=level, high=level, low=level, close=level, volume=np.zeros(count, np.int64))


def index_frame() -> pd.DataFrame:
    """Return the levels of the volatility index by day."""
    bars = index_bars()
    return pd.DataFrame({"ds": bars.session.astype("datetime64[us]"), "y": bars.close})


def bars_of(ticker: str, count: int = 320) -> Bars:
    """Return a sample ticker's newest bars on sessions of 2014 to 2016, which bundled priors serve."""
    return moved(sample(ticker), count=count)


def long_frame(*tickers: str, count: int = 320, **columns: Any) -> pd.DataFrame:
    """Return the bars of some tickers as a long frame. columns: more of them, or others."""
    return pd.concat([_frame(ticker, bars_of(ticker, count)) for ticker in tickers], ignore_index=True).assign(**columns)


def closes_only(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the three columns that every frame has."""
    return frame[["unique_id", "ds", "y"]]


def _frame(ticker: str, bars: Bars) -> pd.DataFrame:
    others = {name: getattr(bars, name) for name in ("open", "high", "low", "volume", "dividend", "split")}
    days = bars.session.astype("datetime64[us]")
    return pd.DataFrame({"unique_id": np.repeat(ticker, len(bars)), "ds": days, "y": bars.close, **others})
