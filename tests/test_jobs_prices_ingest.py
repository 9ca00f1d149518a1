"""Prices from the real client and a loopback Yahoo into the store: day by day, restated, missing, silent, shrunken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import pytest

from tests.loopback_yahoo import LoopbackYahoo, Reply, body_of, without_prices
from tests.price_builders import day_of, sample_bars, span
from tests.price_homes import PriceHome, stored_history, view_rows
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.due import cycle_is_due
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import VALUE_FIELDS, Bars, log_returns
from tickercast.storage.database import open_writer

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "data"
TUESDAY, WEDNESDAY = day_of("2012-06-12"), day_of("2012-06-13")
MakeHome = Callable[..., PriceHome]


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-11-01")


@pytest.fixture
def stored(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home in which IBM is stored up to a Tuesday."""
    home = price_home("IBM")
    server.serve("IBM", ibm)
    home.serve_and_run(TUESDAY)
    return home


# --- day by day, through a split and a dividend ---


@pytest.fixture(scope="module")
def through_a_split() -> Bars:
    """Return MSFT with 140 bars and more before its 2:1 split of 2003-02-18 and the dividend of the day after it."""
    return span(sample_bars("MSFT", "2002-07-01"), "2002-07-01", "2003-02-24")


@pytest.fixture
def days(through_a_split: Bars) -> list[date]:
    return span(through_a_split, "2003-02-13", "2003-02-24").session.tolist()


@pytest.fixture
def daily(price_home: MakeHome, server: LoopbackYahoo, through_a_split: Bars, days: Sequence[date]) -> PriceHome:
    """Return a home that fetched MSFT at the end of each day around its split."""
    home = price_home("MSFT", name="daily")
    server.serve("MSFT", through_a_split)
    home.run_days(days)
    return home


def test_daily_fetches_through_a_split_and_a_dividend_store_what_was_traded(daily: PriceHome, through_a_split: Bars) -> None:
    bars = daily.bars("MSFT")
    assert bars.session.tolist() == through_a_split.session.tolist()
    near = {f: np.allclose(getattr(bars, f), getattr(through_a_split, f), rtol=1e-4, atol=1e-9) for f in VALUE_FIELDS}
    assert near == dict.fromkeys(VALUE_FIELDS, True)
    assert np.nanmax(np.abs(log_returns(bars, "close") - log_returns(through_a_split, "close"))) < 1e-5


def test_daily_fetches_store_what_one_fetch_of_the_whole_stores(
    daily: PriceHome, price_home: MakeHome, days: Sequence[date]
) -> None:
    whole = price_home("MSFT", name="whole")
    whole.run(days[-1])
    ours, theirs = daily.bars("MSFT"), whole.bars("MSFT")
    near = {f: np.allclose(getattr(ours, f), getattr(theirs, f), rtol=1e-4, atol=1e-9) for f in VALUE_FIELDS}
    assert near == dict.fromkeys(VALUE_FIELDS, True)


def test_a_split_on_its_day_is_neither_a_restatement_nor_a_fault(daily: PriceHome) -> None:
    assert (daily.rows("restatement", "field"), daily.rows("gate", "code")) == ([], [])


def test_a_ticker_costs_one_request_a_day_once_its_time_zone_is_known(daily: PriceHome, days: Sequence[date]) -> None:
    requests = [request for request in daily.server.chart_requests if not request.endswith(" 1d")]
    assert len(requests) == len(days)


# --- one request a day, restatements ---


def test_a_second_run_of_a_day_sends_no_request(stored: PriceHome, server: LoopbackYahoo) -> None:
    before = len(server.chart_requests)
    assert ", 0 requests" in stored.run(TUESDAY)
    assert len(server.chart_requests) == before


@pytest.fixture
def edited(stored: PriceHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home after Yahoo changed two closes, one of them older than the overlap of a day's request."""
    close = ibm.close.copy()
    for index in np.searchsorted(ibm.session, np.array(["2012-01-10", "2012-06-08"], dtype="datetime64[D]")):
        close[index] = ibm.low[index] * 1.0005
    server.serve("IBM", replace(ibm, close=close))
    server.chart_requests.clear()
    stored.serve_and_run(WEDNESDAY)
    return stored


def test_edited_bars_are_restatements(edited: PriceHome) -> None:
    assert edited.rows("restatement", "session", "field") == [("2012-01-10", "close"), ("2012-06-08", "close")]


def test_an_edited_bar_costs_one_request_of_the_whole_history(edited: PriceHome, server: LoopbackYahoo) -> None:
    starts = [int(request.removeprefix("IBM ")) for request in server.chart_requests]
    assert [start > 0 for start in starts] == [True, False]  # the second one starts before 1970


def test_an_edited_bar_changes_no_forecast_that_was_made(edited: PriceHome, server: LoopbackYahoo) -> None:
    made = edited.rows("forecast_history", "made_at", "q50")
    assert [row[0][:10] for row in made] == ["2012-06-12"] * 5 + ["2012-06-13"] * 5


def test_an_edited_bar_is_an_event(edited: PriceHome) -> None:
    with edited.engine.connect() as connection:
        query = "SELECT session, message FROM events WHERE kind = 'restatement'"
        events = [tuple(row) for row in connection.exec_driver_sql(query)]
    assert events == [("2012-01-10", "2 values of 2 stored bars changed, 2012-01-10 to 2012-06-08")]


# --- missing and empty ---


def test_a_last_bar_without_prices_is_requested_later_and_no_forecast_is_made_from_it(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    home = price_home("IBM")
    server.serve("IBM", ibm)
    server.faults = [Reply(200, without_prices(body_of("IBM", ibm.through(TUESDAY))))]
    home.serve_and_run(TUESDAY)
    assert (home.status("IBM"), home.last_bar("IBM")) == ("quiet", day_of("2012-06-11"))
    assert home.rows("gate", "session", "state", "code") == [("2012-06-12", "refused", "null price")]
    assert {row[0] for row in home.rows("forecast_history", "origin")} == {"2012-06-11"}
    home.serve_and_run(TUESDAY)
    assert (home.status("IBM"), home.last_bar("IBM")) == ("active", TUESDAY)


def test_a_shrunken_history_removes_no_stored_bar(stored: PriceHome, server: LoopbackYahoo, ibm: Bars) -> None:
    before = len(stored.bars("IBM"))
    few = ibm.select(np.isin(ibm.session, np.array(["2012-05-29", "2012-06-13"], dtype="datetime64[D]")))
    server.serve("IBM", few)
    stored.serve_and_run(WEDNESDAY)
    assert len(stored.bars("IBM")) == before + 1
    assert ("shrunken", "ok", "the source delivered 1 of 11 stored bars; the stored ones stay") in stored.rows(
        "gate", "code", "state", "message"
    )


def test_another_currency_is_refused_and_the_stored_bars_stay(stored: PriceHome, server: LoopbackYahoo, ibm: Bars) -> None:
    server.serve("IBM", ibm, currency="GBp")
    server.today = WEDNESDAY
    with pytest.raises(SomeTickersFailed, match="in currency USD, these are GBp; stored bars end 2012-06-12 and stay"):
        stored.run(WEDNESDAY)
    assert stored.last_bar("IBM") == TUESDAY


def test_a_first_fetch_without_a_usable_bar_says_why(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> None:
    home = price_home("IBM")
    saturday = replace(ibm.select(slice(0, 1)), session=np.array(["2012-06-09"], dtype="datetime64[D]"))
    server.serve("IBM", saturday)
    with pytest.raises(SomeTickersFailed, match="1 bar was refused or quarantined, first 2012-06-09 no session"):
        home.run(TUESDAY)


# --- silent and unknown tickers ---


def requested_days(home: PriceHome, ticker: str, days: Sequence[date]) -> list[bool]:
    """Do a daily run on each day and return on which of them the ticker was requested."""
    requested = []
    for day in days:
        home.server.chart_requests.clear()
        home.serve_and_run(day)
        requested.append(ticker in home.server.requested_tickers())
    return requested


@pytest.fixture
def silent(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> PriceHome:
    """Return a home with two tickers. Yahoo has no bar of GOOG after 2012-06-08."""
    home = price_home("IBM", "GOOG")
    server.serve("IBM", ibm)
    server.serve("GOOG", span(sample_bars("GOOG", "2011-11-01"), "2011-11-01", "2012-06-08"))
    return home


def test_a_ticker_is_quiet_before_it_is_suspended(silent: PriceHome) -> None:
    silent.run_days([day_of("2012-06-08"), day_of("2012-06-11")])
    assert (silent.status("IBM"), silent.status("GOOG")) == ("active", "quiet")


def test_a_ticker_that_stays_silent_is_suspended_once_and_requested_less_and_less_often(silent: PriceHome, ibm: Bars) -> None:
    days = span(ibm, "2012-06-08", "2012-07-20").session.tolist()
    requested = requested_days(silent, "GOOG", days)
    # Suspended on the tenth session without a bar, Friday 2012-06-22, and retried 1, 2, 4, 8 and 16 days later, on the next
    # session: Monday the 25th, Wednesday the 27th, Monday 2 July, Tuesday the 10th. The fifth retry is after the span.
    assert requested[:11] == [True] * 11
    retries = [day for day, was in zip(days, requested, strict=True) if was][11:]
    assert retries == [day_of(text) for text in ("2012-06-25", "2012-06-27", "2012-07-02", "2012-07-10")]
    assert (silent.status("IBM"), silent.status("GOOG")) == ("active", "suspended")
    with silent.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM events WHERE kind = 'status'").scalar() == 1


def test_a_suspended_ticker_keeps_no_cycle_due(silent: PriceHome, ibm: Bars) -> None:
    days = span(ibm, "2012-06-08", "2012-06-22").session.tolist()
    silent.run_days(days)
    assert silent.status("GOOG") == "suspended"
    assert not cycle_is_due(silent.home, datetime.combine(days[-1], time(23), UTC))


def test_an_unknown_ticker_fails_twice_and_is_then_suspended(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> None:
    home = price_home("IBM", "NOSUCH")
    server.serve("IBM", ibm)
    days = ibm.session.tolist()[140:144]
    with pytest.raises(SomeTickersFailed, match="NOSUCH"):
        home.serve_and_run(days[0])
    with pytest.raises(SomeTickersFailed, match="NOSUCH"):
        home.serve_and_run(days[1])
    assert "suspended, retried later: NOSUCH" in home.serve_and_run(days[2])
    assert "suspended, retried later: NOSUCH" in home.serve_and_run(days[3])
    assert (home.status("IBM"), home.status("NOSUCH")) == ("active", "suspended")


# --- files ---


def stored_googl(make_home: Callable[[str, str], Home], folder: Path, vintage: str, settings: str) -> Home:
    """Return a home with GOOGL's bars from one of two vintages of the same file. They are too few for a forecast."""
    folder = folder / vintage
    folder.mkdir()
    (folder / "GOOGL.csv").write_bytes((DATA / f"GOOGL_{vintage}.csv").read_bytes())
    home = make_home(f"home-{vintage}", f'[source]\nkind = "folder"\npath = "{folder}"\n{settings}')
    engine = open_writer(home.database)
    with pytest.raises(SomeTickersFailed, match="a forecast needs"):
        backfill_span(home, engine, BackfillRequest(("GOOGL",), workers=1))
    engine.dispose()
    return home


def test_two_vintages_of_a_file_before_and_after_a_split_store_the_same_bars(
    make_home: Callable[[str, str], Home], tmp_path: Path
) -> None:
    stated = 'adjustment = "split"\nsplits = ["GOOGL 2022-07-18 20:1"]\n'
    adjusted = stored_googl(make_home, tmp_path, "splitadj", stated)
    before = stored_googl(make_home, tmp_path, "presplit", 'adjustment = "as_traded"\n')
    closes = [stored_history(home, "GOOGL").bars.close for home in (adjusted, before)]
    assert np.allclose(*closes, rtol=1e-4)
    assert view_rows(adjusted, "price_file", "price_basis") == view_rows(before, "price_file", "price_basis") == [("as_traded",)]
