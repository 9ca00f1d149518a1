"""The sources: one contract for all three, and what is each one's own. Yahoo is the real client against a loopback server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from jobs.prices.sources.base import BadSourceData, Source, SourceError, SourceSettings, SourceUnavailable, UnknownTicker
from jobs.prices.sources.folder import FolderSource
from jobs.prices.sources.sample import SampleSource
from jobs.prices.sources.yahoo import YahooSource
from storage.bars import log_returns
from tests.loopback_yahoo import MISSING, LoopbackYahoo, Reply, chart_body, loopback_yahoo, yahoo_at

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
START = date(2013, 1, 2)
WEEK = [(date(2024, 3, 4) + timedelta(days=i), 100.0 + i, 1000) for i in range(5)]


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    with loopback_yahoo() as server:
        yield server


@pytest.fixture
def yahoo(server: LoopbackYahoo, tmp_path: Path) -> YahooSource:
    return yahoo_at(server.url, tmp_path / "cache")


@pytest.fixture(params=["sample", "folder", "yahoo"])
def source(request: pytest.FixtureRequest, tmp_path: Path, server: LoopbackYahoo, yahoo: YahooSource) -> Source:
    """Return each source, holding IBM's sample prices of 2013."""
    bars = SampleSource().fetch("IBM", date(2012, 12, 3)).bars
    if request.param == "folder":
        lines = ["Date,Open,High,Low,Close,Volume,Ignored"]
        rows = zip(bars.session, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
        lines += [f"{day},{o},{h},{low},{c},{v},x" for day, o, h, low, c, v in rows]
        (tmp_path / "IBM.csv").write_text("\n".join(lines))
        return FolderSource(str(tmp_path), "as_traded")
    if request.param == "yahoo":
        rows = list(zip(bars.session.tolist(), bars.close.tolist(), bars.volume.tolist(), strict=True))
        server.record("IBM", chart_body("IBM", rows))
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


def test_the_samples_special_dividend_of_microsoft_is_found() -> None:
    bars = SampleSource().fetch("MSFT", None).bars
    assert bars.dividend.max() == pytest.approx(3.08, abs=0.1)  # 2004-11-15, 3.08 with the regular one
    assert bars.session[bars.dividend.argmax()].item() == date(2004, 11, 15)


def write_csv(folder: Path, name: str, text: str) -> FolderSource:
    (folder / name).write_text(text)
    return FolderSource(str(folder), "split")


def test_split_adjusted_prices_with_their_split_are_what_was_traded(tmp_path: Path) -> None:
    before = (DATA / "GOOGL_presplit.csv").read_text()
    after = (DATA / "GOOGL_splitadj.csv").read_text().splitlines()
    text = [f"{after[0]},split", *(f"{line},0" for line in after[1:]), "2022-07-18,112,114,108,109,109,1,20"]
    ours = write_csv(tmp_path, "GOOGL.csv", "\n".join(text)).fetch("GOOGL", None)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "GOOGL.csv").write_text(before)
    theirs = FolderSource(str(tmp_path / "old"), "as_traded").fetch("GOOGL", None)
    assert ours.listing.price_basis == "as_traded"
    assert np.allclose(ours.bars.close[:-1], theirs.bars.close, rtol=1e-4)
    assert np.allclose(ours.bars.volume[:-1], theirs.bars.volume, rtol=1e-2)


def test_rows_newest_first_with_offsets_keep_their_days(tmp_path: Path) -> None:
    source = write_csv(
        tmp_path,
        "A.csv",
        "Date,Open,High,Low,Close,Volume\n2024-03-05 00:00:00-05:00,2,2,2,2,5\n2024-03-04 00:00:00+09:00,1,1,1,1,5\n",
    )
    assert source.fetch("A", None).bars.session.tolist() == [date(2024, 3, 4), date(2024, 3, 5)]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a,b\n1,2\n", "no column date"),
        ("date,open,high,low,close\n2024-03-04,1,1,1,x\n", "x"),
        ("date,open,high,low,close\nsoon,1,1,1,1\n", "soon"),
        ("date,open,high,low,close\n2024-03-04,1,1,1,0\n", "no usable row"),
        ("", "cannot be read"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(BadSourceData, match=wrong):
        write_csv(tmp_path, "A.csv", text).fetch("A", None)


def test_a_folder_without_its_adjustment_stated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceSettings, match="--adjustment"):
        FolderSource(str(tmp_path), "")


def test_one_parquet_with_a_ticker_column_holds_many(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    day = np.array(["2024-03-04", "2024-03-04"], dtype="datetime64[D]")
    columns = {"date": pa.array(day), "ticker": ["A", "B"], **{n: [1.0, 2.0] for n in ("open", "high", "low", "close")}}
    pq.write_table(pa.table(columns), tmp_path / "all.parquet")
    source = FolderSource(str(tmp_path), "full")
    assert source.tickers() == ["A", "B"]
    assert (source.fetch("B", None).bars.close[0], source.fetch("B", None).listing.price_basis) == (
        2.0,
        "fully_adjusted",
    )


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


@pytest.mark.parametrize(
    ("ticker", "count", "first", "last", "exchange", "zone", "currency"),
    [
        ("BTC-USD", 3, "2020-01-01", "2020-01-03", "24/7", "UTC", "USD"),
        ("GC=F", 1, "2020-01-02", "2020-01-02", "us_futures", "America/New_York", "USD"),
        ("WSU.DE", 3, "2023-08-04", "2023-08-08", "XETR", "Europe/Berlin", "EUR"),
        ("OCDO.L", 1, "2020-01-02", "2020-01-02", "XLON", "Europe/London", "GBp"),
        ("ALL.AX", 64, "2021-10-13", "2022-01-13", "XASX", "Australia/Sydney", "AUD"),
    ],
)
def test_a_recorded_answer_parses_to_its_bars(
    server: LoopbackYahoo,
    yahoo: YahooSource,
    ticker: str,
    count: int,
    first: str,
    last: str,
    exchange: str,
    zone: str,
    currency: str,
) -> None:
    server.record(ticker, (DATA / "yahoo" / f"{ticker}.json").read_bytes())
    fetch = yahoo.fetch(ticker, None)
    assert (len(fetch.bars), str(fetch.bars.session[0]), str(fetch.bars.session[-1])) == (count, first, last)
    assert (fetch.listing.exchange, fetch.listing.time_zone, fetch.listing.currency) == (exchange, zone, currency)
    assert fetch.refused == ()


@pytest.mark.parametrize("recorded", ["AAPL_closes_alone", "AAPL_no_times"])
def test_a_recorded_answer_without_full_bars_is_a_typed_error(server: LoopbackYahoo, yahoo: YahooSource, recorded: str) -> None:
    server.record("AAPL", (DATA / "yahoo" / f"{recorded}.json").read_bytes())
    with pytest.raises(BadSourceData, match="AAPL: Yahoo's response is not a price history"):
        yahoo.fetch("AAPL", None)


def test_an_answer_without_bars_is_an_unknown_ticker(server: LoopbackYahoo, yahoo: YahooSource) -> None:
    server.record("CAPIO.ST", (DATA / "yahoo" / "no_data.json").read_bytes())
    with pytest.raises(UnknownTicker, match=r"CAPIO\.ST"):
        yahoo.fetch("CAPIO.ST", None)


def test_an_answer_for_another_symbol_is_refused(server: LoopbackYahoo, yahoo: YahooSource) -> None:
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
    ("answer", "error"),
    [
        (Reply(429, b"Edge: Too Many Requests"), SourceUnavailable),
        (Reply(500, b"oops"), SourceUnavailable),
        (Reply(200, b"<html>Will be right back</html>"), BadSourceData),
        (Reply(200, chart_body("T", WEEK)[:300]), BadSourceData),
        (Reply(404, json.dumps(MISSING).encode()), UnknownTicker),
    ],
)
def test_a_fault_that_stays_is_a_typed_error_after_few_tries(
    server: LoopbackYahoo, yahoo: YahooSource, answer: Reply, error: type[SourceError]
) -> None:
    server.record("T", chart_body("T", WEEK))
    server.faults = [answer] * 100
    with pytest.raises(error, match="T: "):
        yahoo.fetch("T", None)
    assert len(server.charts_asked) <= 8


@pytest.mark.parametrize("answer", [Reply(429, b"Too Many Requests"), Reply(500, b"oops"), Reply(200, b"{")])
def test_a_fault_that_passes_is_retried(server: LoopbackYahoo, yahoo: YahooSource, answer: Reply) -> None:
    server.record("T", chart_body("T", WEEK))
    server.faults = [answer]
    assert len(yahoo.fetch("T", None).bars) == 5


def test_a_server_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    closed = "http://127.0.0.1:9"
    yahoo = yahoo_at(closed, tmp_path)
    with pytest.raises(SourceUnavailable, match="does not respond"):
        yahoo.fetch("T", None)
