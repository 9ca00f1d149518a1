"""Symbols end to end: every kind of symbol from track to SQL, with its own calendar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest

from tests.loopback_yahoo import NEW_YORK, LoopbackYahoo
from tests.price_builders import day_of
from tests.price_homes import PriceHome
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.storage.bars import Bars, make_bars

pytestmark = pytest.mark.slow

LAST = "2024-05-15"


@dataclass(frozen=True, slots=True)
class Kind:
    """A symbol with what Yahoo states of it and the calendar that it trades by."""

    symbol: str
    zone: str
    currency: str
    exchange: str


KINDS = (
    Kind("BRK-B", NEW_YORK, "USD", "XNYS"),
    Kind("^GSPC", NEW_YORK, "USD", "XNYS"),
    Kind("^AXJO", "Australia/Sydney", "AUD", "XASX"),
    Kind("EURUSD=X", "Europe/London", "USD", "24/5"),
    Kind("BTC-USD", "UTC", "USD", "24/7"),
    Kind("GC=F", NEW_YORK, "USD", "us_futures"),
    Kind("0700.HK", "Asia/Hong_Kong", "HKD", "XHKG"),
    Kind("M&M.NS", "Asia/Kolkata", "INR", "XBOM"),
)


def bars_of(exchange: str) -> Bars:
    """Return a random walk over the last 150 sessions of an exchange up to a Wednesday."""
    sessions = exchange_calendar(exchange).sessions
    days = sessions[sessions <= np.datetime64(LAST)][-150:]
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(days))))
    values = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": np.full(len(days), 5)}
    return make_bars(days, values)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.symbol)
def test_every_kind_of_symbol_works_from_track_to_sql(
    price_home: Callable[..., PriceHome], server: LoopbackYahoo, kind: Kind
) -> None:
    bars = bars_of(kind.exchange)
    server.serve(kind.symbol, bars, currency=kind.currency, exchangeTimezoneName=kind.zone)
    home = price_home(kind.symbol)
    home.run(day_of("2024-05-17"))
    assert home.bars(kind.symbol).session.tolist() == bars.session.tolist()
    listing = home.history(kind.symbol).listing
    assert (listing.exchange, listing.currency, listing.time_zone) == (kind.exchange, kind.currency, kind.zone)
    last: date = bars.session[-1].item()
    target = exchange_calendar(kind.exchange).session_offset(last, 1)
    first = home.rows("forecast_history", "ticker", "origin", "target")[0]
    assert first == (kind.symbol, last.isoformat(), target.isoformat())
