"""The sources: one contract for all three, then each by itself. Yahoo is the real client on a loopback server."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.loopback_yahoo import MISSING, LoopbackYahoo, Reply, chart_body, yahoo_at
from tests.price_builders import sample_bars, write_csv
from tickercast.jobs.prices.sources import open_source
from tickercast.jobs.prices.sources.base import (
    BadSourceData,
    Source,
    SourceError,
    SourceSettings,
    SourceUnavailable,
    UnknownTicker,
)
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.prices.sources.yahoo import YahooSource
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import log_returns

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
START = date(2013, 1, 2)
WEEK = [(date(2024, 3, 4) + timedelta(days=i), 100.0 + i, 1000) for i in range(5)]


@pytest.fixture
def yahoo(server: LoopbackYahoo, tmp_path: Path) -> YahooSource:
    return yahoo_at(server.url, tmp_path / "cache")


@pytest.fixture(params=["sample", "folder", "yahoo"])
def source(request: pytest.FixtureRequest, tmp_path: Path, server: LoopbackYahoo, yahoo: YahooSource) -> Source:
    """Return each source, with IBM's sample prices from the end of 2012 on."""
    bars = sample_bars("IBM", "2012-12-03")
    if request.param == "folder":
        return FolderSource(str(write_csv(tmp_path, "IBM", bars).parent), "as_traded")
    if request.param == "yahoo":
        rows = zip(bars.session.tolist(), bars.close.tolist(), bars.volume.tolist(), strict=True)
        server.record("IBM", chart_body("IBM", list(rows)))
        return yahoo
    return SampleSource()


def test_a_fetch_is_in_session_order_with_usable_prices(source: Source) -> None:
    fetch = source.fetch("IBM", START)
    assert (np.diff(fetch.bars.session) > np.timedelta64(0, "D")).all()
    assert (fetch.bars.close > 0).all()
    assert fetch.bars.session[-1].item() == date(2013, 3, 1)


def test_a_fetch_names_its_listing(source: Source) -> None:
    listing = source.fetch("IBM", None).listing
    assert (listing.ticker, listing.currency, listing.exchange, listing.time_zone, listing.price_basis) == (
        "IBM", "USD", "XNYS", "America/New_York", "as_traded",
    )  # fmt: skip


def test_an_unknown_ticker_is_named(source: Source) -> None:
    with pytest.raises(UnknownTicker, match="NOSUCH"):
        source.fetch("NOSUCH", None)


def test_closes_agree_over_the_sources(source: Source) -> None:
    ours, sample = source.fetch("IBM", START).bars, SampleSource().fetch("IBM", START).bars
    assert np.allclose(ours.close[-40:], sample.close[-40:])


def test_the_samples_splits_leave_no_false_return() -> None:
    bars = SampleSource().fetch("AAPL", None).bars
    at = np.searchsorted(bars.session, np.array(["2000-06-21", "2005-02-28"], dtype="datetime64[D]"))
    assert bars.split[at].tolist() == [2.0, 2.0]
    assert (np.abs(log_returns(bars, "close")[at]) < 0.12).all()


def test_the_special_dividend_of_microsoft_is_in_the_sample() -> None:
    bars = SampleSource().fetch("MSFT", None).bars
    assert bars.dividend.max() == pytest.approx(3.08, abs=0.1)  # 2004-11-15, 3.08 with the regular one
    assert bars.session[bars.dividend.argmax()].item() == date(2004, 11, 15)


def test_yahoos_split_adjusted_prices_become_as_traded(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    rows = [(date(2024, 3, 6), 50.0, 20), (date(2024, 3, 7), 51.0, 30), (date(2024, 3, 8), 52.0, 10)]
    server.record("T", chart_body("T", rows, {date(2024, 3, 7): 2}))
    bars = yahoo.fetch("T", None).bars
    assert (bars.close.tolist(), bars.volume.tolist(), bars.split.tolist()) == ([100, 51, 52], [10, 30, 10], [1, 2, 1])


def test_a_recorded_split_week_parses(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    server.record("AAPL", (DATA / "yahoo" / "AAPL_split_week.json").read_bytes())
    bars = yahoo.fetch("AAPL", None).bars
    assert (len(bars), bars.session[0].item(), bars.session[-1].item()) == (49, date(2020, 8, 31), date(2020, 11, 6))
    assert (bars.split[0], bars.dividend[-1] > 0) == (4.0, True)


def test_a_recorded_currency_pair_keeps_its_days_and_zone(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    server.record("EURUSD=X", (DATA / "yahoo" / "EURUSD=X.json").read_bytes())
    fetch = yahoo.fetch("EURUSD=X", None)
    assert (fetch.listing.exchange, fetch.listing.time_zone) == ("24/5", "Europe/London")
    assert fetch.bars.session.tolist() == [date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3)]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a recorded response contains: bars, first and last session, listing."""

    ticker: str
    bars: int
    first: str
    last: str
    exchange: str
    zone: str
    currency: str


RECORDED = (
    Recorded("BTC-USD", 3, "2020-01-01", "2020-01-03", "24/7", "UTC", "USD"),
    Recorded("GC=F", 1, "2020-01-02", "2020-01-02", "us_futures", "America/New_York", "USD"),
    Recorded("WSU.DE", 3, "2023-08-04", "2023-08-08", "XETR", "Europe/Berlin", "EUR"),
    Recorded("OCDO.L", 1, "2020-01-02", "2020-01-02", "XLON", "Europe/London", "GBp"),
    Recorded("ALL.AX", 64, "2021-10-13", "2022-01-13", "XASX", "Australia/Sydney", "AUD"),
)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded.ticker)
def test_a_recorded_response_parses_to_its_bars(server: LoopbackYahoo, yahoo: YahooSource, recorded: Recorded) -> None:
    server.record(recorded.ticker, (DATA / "yahoo" / f"{recorded.ticker}.json").read_bytes())
    fetch = yahoo.fetch(recorded.ticker, None)
    bars, listing = fetch.bars, fetch.listing
    assert (len(bars), str(bars.session[0]), str(bars.session[-1])) == (recorded.bars, recorded.first, recorded.last)
    assert (listing.exchange, listing.time_zone, listing.currency) == (recorded.exchange, recorded.zone, recorded.currency)
    assert fetch.refused == ()


@pytest.mark.parametrize("recorded", ["AAPL_closes_alone", "AAPL_no_times"])
def test_a_recorded_response_without_full_bars_is_bad_data(server: LoopbackYahoo, yahoo: YahooSource, recorded: str) -> None:
    server.record("AAPL", (DATA / "yahoo" / f"{recorded}.json").read_bytes())
    with pytest.raises(BadSourceData, match="AAPL: Yahoo's response is not a price history"):
        yahoo.fetch("AAPL", None)


def test_a_response_without_bars_is_an_unknown_ticker(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    server.record("CAPIO.ST", (DATA / "yahoo" / "no_data.json").read_bytes())
    with pytest.raises(UnknownTicker, match=r"CAPIO\.ST"):
        yahoo.fetch("CAPIO.ST", None)


def test_a_response_for_another_symbol_is_refused(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    server.record("T", chart_body("OTHER", WEEK))
    with pytest.raises(BadSourceData, match="OTHER"):
        yahoo.fetch("T", None)


def test_a_row_with_null_prices_is_refused_and_the_rest_kept(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    body = json.loads(chart_body("T", WEEK))
    for values in body["chart"]["result"][0]["indicators"]["quote"][0].values():
        values[-1] = None
    server.record("T", json.dumps(body).encode())
    fetch = yahoo.fetch("T", None)
    assert (len(fetch.bars), fetch.refused[0].session) == (4, WEEK[-1][0])


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(429, b"Edge: Too Many Requests"), SourceUnavailable),
        (Reply(500, b"oops"), SourceUnavailable),
        (Reply(200, b"<html>Will be right back</html>"), BadSourceData),
        (Reply(200, chart_body("T", WEEK)[:300]), BadSourceData),
        (Reply(404, json.dumps(MISSING).encode()), UnknownTicker),
    ],
)
def test_a_fault_that_stays_is_an_error_after_few_attempts(
    server: LoopbackYahoo, yahoo: YahooSource, reply: Reply, error: type[SourceError]
) -> None:
    server.record("T", chart_body("T", WEEK))
    server.always = reply
    with pytest.raises(error, match="T: "):
        yahoo.fetch("T", None)
    assert len(server.chart_requests) <= 8


@pytest.mark.parametrize("reply", [Reply(429, b"Too Many Requests"), Reply(500, b"oops"), Reply(200, b"{")])
def test_a_fault_that_passes_is_retried(server: LoopbackYahoo, yahoo: YahooSource, reply: Reply) -> None:
    server.record("T", chart_body("T", WEEK))
    server.faults = [reply]
    assert len(yahoo.fetch("T", None).bars) == 5


def test_a_server_that_does_not_respond_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="T: Yahoo does not respond"):
        yahoo_at("http://127.0.0.1:9", tmp_path).fetch("T", None)


@pytest.mark.parametrize("base_url", ["", "ftp://mirror", "mirror:8080"])
def test_a_base_url_is_an_http_address(base_url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceSettings, match="is not an http or https address"):
        yahoo_at(base_url, tmp_path)


# --- which source a command opens ---


@pytest.mark.parametrize(("option", "kind"), [(None, "yahoo"), ("yahoo", "yahoo"), ("sample", "sample"), ("folder:.", "folder")])
def test_an_option_names_the_source_before_the_settings(
    make_home: Callable[[str, str], Home], option: str | None, kind: str
) -> None:
    assert open_source(make_home("home", ""), option, "split").kind == kind


def test_an_unknown_kind_of_source_is_named(make_home: Callable[[str, str], Home]) -> None:
    with pytest.raises(SourceSettings, match="'bloomberg' is not a source; use yahoo, folder:PATH or sample"):
        open_source(make_home("home", ""), "bloomberg")
