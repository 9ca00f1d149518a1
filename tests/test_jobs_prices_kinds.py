"""The kind of a ticker: told by the user, the source or the symbol, stored at the first bars, and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.price_builders import day_of, sample_bars
from tests.price_homes import PriceHome
from tickercast.jobs.exchanges.symbols import kind_of_symbol
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.tickers import track
from tickercast.storage.database import reading
from tickercast.storage.errors import TickerSourceFixed

pytestmark = pytest.mark.slow

FRIDAY = day_of("2012-06-08")
HEAD = "date,open,high,low,close,volume,Kind"


def kind_of(home: PriceHome, symbol: str) -> str | None:
    with reading(home.home.database) as connection:
        [(kind,)] = connection.exec_driver_sql("SELECT kind FROM tickers WHERE symbol = ?", (symbol,)).fetchall()
    return None if kind is None else str(kind)


def folder_stating(folder: Path, *kinds: str) -> FolderSource:
    rows = [f"2024-03-0{day},1,1,1,1,9,{kind}" for day, kind in enumerate(kinds, start=4)]
    (folder / "A.csv").write_text("\n".join([HEAD, *rows]))
    return FolderSource(str(folder), "split")


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("^VIX", "index"),
        ("GC=F", "index"),
        ("EURUSD=X", "currency"),
        ("BTC-USD", "crypto"),
        ("BRK-B", "stock"),
        ("M&M.NS", "stock"),
    ],
)
def test_a_symbol_tells_the_kind_where_it_can(symbol: str, kind: str) -> None:
    assert kind_of_symbol(symbol) == kind


@pytest.mark.parametrize(
    ("instrument", "kind"),
    [("EQUITY", "stock"), ("ETF", "fund"), ("MUTUALFUND", "fund"), ("INDEX", "index"), ("FUTURE", "index"),
     ("CRYPTOCURRENCY", "crypto"), ("CURRENCY", "currency"), ("ECNQUOTE", "stock")],
)  # fmt: skip
def test_yahoos_type_of_instrument_is_the_kind(price_home: Callable[..., PriceHome], instrument: str, kind: str) -> None:
    home = price_home("IBM")
    home.server.serve("IBM", sample_bars("IBM", "2011-01-03"), instrumentType=instrument)
    home.serve_and_run(FRIDAY)
    assert kind_of(home, "IBM") == kind


def test_a_kind_that_was_told_before_the_first_bar_counts_more_than_the_sources(price_home: Callable[..., PriceHome]) -> None:
    home = price_home("IBM")
    assert kind_of(home, "IBM") is None
    track(home.home, home.engine, ["IBM"], kind="fund")
    home.server.serve("IBM", sample_bars("IBM", "2011-01-03"))
    home.serve_and_run(FRIDAY)
    assert kind_of(home, "IBM") == "fund"


def test_a_ticker_with_forecasts_keeps_its_kind(price_home: Callable[..., PriceHome]) -> None:
    home = price_home("IBM")
    home.server.serve("IBM", sample_bars("IBM", "2011-01-03"))
    home.serve_and_run(FRIDAY)
    track(home.home, home.engine, ["IBM"], kind="stock")
    with pytest.raises(TickerSourceFixed, match="IBM has forecasts as stock and keeps that kind for life; nothing was changed"):
        track(home.home, home.engine, ["MSFT", "IBM"], kind="fund")
    assert {ticker for (ticker,) in home.rows("freshness", "ticker")} == {"IBM"}


def test_a_ticker_without_forecasts_takes_another_kind(price_home: Callable[..., PriceHome]) -> None:
    home = price_home("IBM")
    home.server.serve("IBM", sample_bars("IBM", "2012-05-01"))  # too few bars for a forecast
    home.serve_and_run(FRIDAY)
    assert kind_of(home, "IBM") == "stock"
    track(home.home, home.engine, ["IBM"], kind="fund")
    assert kind_of(home, "IBM") == "fund"


def test_a_kind_that_is_not_known_yet_is_fetched_though_the_bars_are_complete(price_home: Callable[..., PriceHome]) -> None:
    home = price_home("IBM")
    home.server.serve("IBM", sample_bars("IBM", "2011-01-03"), instrumentType="ETF")
    home.serve_and_run(FRIDAY)
    with home.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tickers SET kind = NULL")
    home.run(FRIDAY)
    assert kind_of(home, "IBM") == "fund"


@pytest.mark.parametrize(("stated", "kind"), [(("Fund", "fund"), "fund"), (("", "crypto"), "crypto"), (("", ""), "")])
def test_a_folders_column_states_the_kind(tmp_path: Path, stated: tuple[str, ...], kind: str) -> None:
    assert folder_stating(tmp_path, *stated).fetch("A", None).listing.kind == kind


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (("etf",), "A: column kind has 'etf'; use stock, fund, index, crypto, currency"),
        (("fund", "stock"), "A: column kind has fund, stock; a ticker has one kind"),
    ],
)
def test_a_kind_that_there_is_not_is_refused_in_one_line(tmp_path: Path, stated: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadSourceData) as caught:
        folder_stating(tmp_path, *stated).fetch("A", None)
    assert str(caught.value) == message
