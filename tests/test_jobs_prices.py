"""Prices end to end: the real client, a loopback Yahoo, the store. Names begin with the fault's number where it has one."""

from __future__ import annotations

import json
import time as clock_module
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from jobs.errors import JobError, NothingFetched, SomeTickersFailed, UsageError
from jobs.exchanges.calendars import exchange_calendar
from jobs.prices.quarantine import refuse, release
from jobs.prices.sources.sample import SampleSource
from jobs.prices.tickers import track
from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.runs.daily import cycle_is_due, missing_sessions, run_once
from jobs.workspace.home import Home
from storage import queries
from storage.bar_files import read_bars
from storage.bars import BarHistory, Bars, as_known, log_returns, make_bars
from storage.database import open_writer, reading
from tests.conftest import Command
from tests.loopback_yahoo import NEW_YORK, LoopbackYahoo, Reply, body_of, loopback_yahoo

pytestmark = pytest.mark.slow

FAST = "[training]\ncold_epochs = 1\nwarm_epochs = 0\n[model]\nhistory_sessions = 140\n"
MSFT = SampleSource().fetch("MSFT", None).bars


@dataclass
class Shop:
    """A home whose prices come from a loopback server."""

    home: Home
    engine: Engine
    server: LoopbackYahoo

    def run(self, day: date, hour: int = 23) -> str:
        return run_once(self.home, self.engine, now=datetime.combine(day, time(hour), UTC), workers=1)

    def history(self, symbol: str) -> BarHistory:
        with reading(self.home.database) as connection:
            ticker = queries.ticker_by_symbol(connection, symbol)
            assert ticker is not None
            file = queries.current_file(connection, ticker.id)
        assert file is not None
        return read_bars(self.home.prices, file.path, file.sha256)

    def bars(self, symbol: str) -> Bars:
        return as_known(self.history(symbol))

    def rows(self, view: str, *columns: str) -> list[tuple[Any, ...]]:
        with reading(self.home.database) as connection:
            answer = queries.read_view(connection, view)
        places = [answer.columns.index(column) for column in columns]
        return [tuple(row[i] for i in places) for row in answer.rows]

    def status(self, symbol: str) -> str:
        return str(dict(self.rows("freshness", "ticker", "status"))[symbol])


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    with loopback_yahoo() as server:
        yield server


@pytest.fixture
def open_shop(make_home: Callable[[str, str], Home], server: LoopbackYahoo) -> Iterator[Callable[..., Shop]]:
    """Return a function (name, *tracked) that makes a home with tickers from the server."""
    engines: list[Engine] = []

    def make(name: str, *tickers: str, settings: str = "") -> Shop:
        yahoo = f'[yahoo]\nbase_url = "{server.url}"\nrequests_per_second = 1000\ntimeout_seconds = 5\n'
        home = make_home(name, FAST + yahoo + settings)
        engines.append(open_writer(home.database))
        if tickers:
            track(home, engines[-1], tickers)
        return Shop(home, engines[-1], server)

    yield make
    for engine in engines:
        engine.dispose()


def span(bars: Bars, first: str, last: str) -> Bars:
    return bars.select((bars.session >= np.datetime64(first)) & (bars.session <= np.datetime64(last)))


def at_level(bars: Bars, session: str, factor: float) -> Bars:
    """Return the bars with the prices of one session times a factor."""
    scale = np.where(bars.session == np.datetime64(session), factor, 1.0)
    return replace(bars, **{name: getattr(bars, name) * scale for name in ("open", "high", "low", "close")})


def day_of(text: str) -> date:
    return date.fromisoformat(text)


# --- as traded, day by day ---


@pytest.fixture(scope="module")
def through_a_split() -> Bars:
    """Return MSFT from 140 bars before its 2:1 split of 2003-02-18, with the dividend of the day after."""
    return span(MSFT, "2002-07-01", "2003-03-20")


def test_day_by_day_through_a_split_and_a_dividend_is_one_ingest_of_the_whole(
    open_shop: Callable[..., Shop], server: LoopbackYahoo, through_a_split: Bars
) -> None:
    server.serve("MSFT", through_a_split)
    daily, whole = open_shop("daily", "MSFT"), open_shop("whole", "MSFT")
    days = [d for d in through_a_split.session.tolist() if d >= day_of("2003-02-10")]
    for day in days:
        server.today = day
        daily.run(day)
    whole.run(days[-1])
    a, b = daily.bars("MSFT"), whole.bars("MSFT")
    assert a.session.tolist() == b.session.tolist() == through_a_split.session.tolist()
    for name in ("open", "high", "low", "close", "dividend", "split", "volume"):
        assert np.allclose(getattr(a, name), getattr(b, name), rtol=1e-4, atol=1e-9), name
        assert np.allclose(getattr(a, name), getattr(through_a_split, name), rtol=1e-4, atol=1e-9), name
    assert np.nanmax(np.abs(log_returns(a, "close") - log_returns(through_a_split, "close"))) < 1e-5
    assert daily.rows("restatement", "field") == []
    assert daily.rows("gate", "code") == []
    # One request for the whole history, then one a day.
    assert len([asked for asked in server.charts_asked if "1d" not in asked]) == len(days) + 1


def test_a_split_that_yahoo_applies_late_is_held_and_then_mended(
    open_shop: Callable[..., Shop], server: LoopbackYahoo, through_a_split: Bars
) -> None:
    shop = open_shop("late", "MSFT")
    bars = through_a_split
    server.serve("MSFT", span(bars, "2002-07-01", "2003-02-14"))
    shop.run(day_of("2003-02-14"))
    ex_date = replace(bars, split=np.ones(len(bars)))  # the price halves, and no split is told
    server.serve("MSFT", span(ex_date, "2002-07-01", "2003-02-18"))
    shop.run(day_of("2003-02-18"))
    assert shop.rows("gate", "session", "state", "code") == [("2003-02-18", "held", "split not told")]
    assert (shop.status("MSFT"), shop.bars("MSFT").session[-1].item()) == ("held", day_of("2003-02-14"))
    server.serve("MSFT", span(bars, "2002-07-01", "2003-02-19"))
    shop.run(day_of("2003-02-19"))
    assert [row[:2] for row in shop.rows("gate", "session", "state")] == [("2003-02-18", "refused")]
    assert shop.bars("MSFT").split[-2:].tolist() == [2.0, 1.0]
    assert (shop.status("MSFT"), shop.rows("restatement", "field")) == ("active", [])
    decided = shop.rows("gate", "recorded_at", "decided_at")[0]
    assert decided[0].startswith("2003-02-18")
    assert decided[1].startswith("2003-02-19")


def test_a_split_told_but_not_applied_is_held(
    open_shop: Callable[..., Shop], server: LoopbackYahoo, through_a_split: Bars
) -> None:
    shop = open_shop("unapplied", "MSFT")
    server.serve("MSFT", span(through_a_split, "2002-07-01", "2003-02-14"))
    shop.run(day_of("2003-02-14"))
    later = span(through_a_split, "2002-07-01", "2003-02-18")
    body = json.loads(body_of("MSFT", later))  # as traded before the split, and the split told
    server.served.clear()
    server.record("MSFT", json.dumps(body).encode())
    shop.run(day_of("2003-02-18"))
    assert {row[0] for row in shop.rows("gate", "state")} == {"held"}
    assert shop.rows("restatement", "field") == []
    assert np.allclose(shop.bars("MSFT").close, span(through_a_split, "2002-07-01", "2003-02-14").close, rtol=1e-6)


# --- held bars: hindsight is dated, people decide ---


@pytest.fixture
def hundredfold(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> Shop:
    """Return a shop in which IBM's bar of 2012-06-12 came a hundred times too high."""
    shop = open_shop("hundredfold", "IBM")
    bars = SampleSource().fetch("IBM", day_of("2011-11-01")).bars
    server.serve("IBM", at_level(bars, "2012-06-12", 100.0))
    for day in ("2012-06-11", "2012-06-12"):
        server.today = day_of(day)
        shop.run(server.today)
    return shop


def test_s16_a_hundredfold_bar_is_never_trained_on_and_refused_once_the_price_is_back(
    hundredfold: Shop, server: LoopbackYahoo
) -> None:
    assert hundredfold.status("IBM") == "held"
    assert max(row[0] for row in hundredfold.rows("forecast_history", "origin")) == "2012-06-11"
    server.today = day_of("2012-06-13")
    hundredfold.run(server.today)
    assert hundredfold.rows("gate", "session", "state", "decided_at") == [
        ("2012-06-12", "refused", "2012-06-13T23:00:00.000000Z")
    ]
    assert hundredfold.status("IBM") == "active"
    assert max(row[0] for row in hundredfold.rows("forecast_history", "origin")) == "2012-06-13"
    # What was known on the 12th stays what it was.
    then = as_known(hundredfold.history("IBM"), known_at=datetime(2012, 6, 12, 23, tzinfo=UTC))
    assert then.session[-1].item() == day_of("2012-06-11")


def test_a_released_bar_is_stored_as_it_came_and_stays(hundredfold: Shop, server: LoopbackYahoo) -> None:
    told = release(hundredfold.home, hundredfold.engine, "IBM", None)
    assert "1 held bars are stored" in told
    assert hundredfold.bars("IBM").session[-1].item() == day_of("2012-06-12")
    assert hundredfold.bars("IBM").close[-1] > 10_000
    assert hundredfold.rows("gate", "state") == [("ok",)]
    with pytest.raises(UsageError, match="no bar is held"):
        release(hundredfold.home, hundredfold.engine, "IBM", None)


def test_a_bar_refused_by_hand_is_not_held_again(hundredfold: Shop, server: LoopbackYahoo) -> None:
    refuse(hundredfold.engine, "IBM", day_of("2012-06-12"))
    assert hundredfold.status("IBM") == "active"
    hundredfold.run(day_of("2012-06-12"), hour=23)
    assert hundredfold.rows("gate", "state") == [("refused",)]
    assert hundredfold.bars("IBM").session[-1].item() == day_of("2012-06-11")


def test_held_bars_are_shown_and_decided_on_the_command_line(hundredfold: Shop, tickercast: Command) -> None:
    home = hundredfold.home.folder
    shown = tickercast("--home", home, "status", "--format", "csv").stdout.splitlines()
    assert dict(zip(shown[0].split(","), shown[1].split(","), strict=True))["held_bars"] == "1"
    wrong = tickercast("--home", home, "release", "IBM", "--session", "2012-06-01")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    done = tickercast("--home", home, "refuse", "IBM")
    assert (done.returncode, "1 held bars are refused" in done.stderr) == (0, True)


# --- one request a day, restatements ---


def test_a_second_run_of_a_day_asks_for_nothing(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("twice", "IBM")
    server.serve("IBM", SampleSource().fetch("IBM", day_of("2011-11-01")).bars)
    server.today = day_of("2012-06-12")
    shop.run(server.today)
    asked = len(server.charts_asked)
    assert ", 0 requests" in shop.run(server.today)
    assert len(server.charts_asked) == asked


def test_s19_an_edited_bar_is_a_restatement_with_its_event_and_the_whole_history_is_asked_for_once(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("edited", "IBM")
    bars = SampleSource().fetch("IBM", day_of("2011-11-01")).bars
    server.serve("IBM", bars)
    server.today = day_of("2012-06-12")
    shop.run(server.today)
    before = shop.rows("forecast_history", "q50")
    close = bars.close.copy()
    for day in ("2012-01-10", "2012-06-08"):
        place = int(np.searchsorted(bars.session, np.datetime64(day)))
        close[place] = bars.low[place] * 1.0005
    server.serve("IBM", replace(bars, close=close))
    server.today = day_of("2012-06-13")
    asked = len(server.charts_asked)
    shop.run(server.today)
    assert shop.rows("restatement", "session", "field") == [("2012-01-10", "close"), ("2012-06-08", "close")]
    assert len(server.charts_asked) == asked + 2
    assert shop.rows("forecast_history", "q50")[: len(before)] == before


def test_s18_a_retroactive_scaling_of_all_history_is_held_not_mixed_in(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("scaled", "IBM")
    bars = SampleSource().fetch("IBM", day_of("2011-11-01")).bars
    server.serve("IBM", bars)
    server.today = day_of("2012-06-12")
    shop.run(server.today)
    stored = shop.bars("IBM")
    server.serve("IBM", replace(bars, **{n: getattr(bars, n) / 3 for n in ("open", "high", "low", "close")}))
    server.today = day_of("2012-06-13")
    shop.run(server.today)
    assert shop.rows("gate", "session", "state", "code") == [("2012-06-13", "held", "rescaled")]
    assert shop.bars("IBM").close.tolist() == stored.close.tolist()
    with pytest.raises(UsageError, match="scale"):
        release(shop.home, shop.engine, "IBM", None)


# --- missing and empty ---


def ibm_without(*missing: str) -> Bars:
    bars = SampleSource().fetch("IBM", day_of("2011-11-01")).bars
    return bars.select(~np.isin(bars.session, np.array(missing, dtype="datetime64[D]")))


def test_s10_a_missing_session_is_asked_for_again_then_noted_as_a_gap(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("gap", "IBM")
    server.serve("IBM", ibm_without("2012-06-11"))
    server.today = day_of("2012-06-08")
    shop.run(server.today)
    server.today = day_of("2012-06-12")
    asked = len(server.charts_asked)
    shop.run(server.today)
    assert len(server.charts_asked) == asked + 2
    assert shop.rows("gate", "session", "state", "code") == [("2012-06-11", "ok", "gap")]
    server.today = day_of("2012-06-13")
    shop.run(server.today)
    assert len(server.charts_asked) == asked + 3


def test_s11_a_last_bar_without_prices_is_asked_for_later_and_no_forecast_pretends(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("empty", "IBM")
    bars = ibm_without()
    server.serve("IBM", bars)
    server.today = day_of("2012-06-12")
    body = json.loads(body_of("IBM", bars.through(server.today)))
    for name in ("open", "high", "low", "close"):
        body["chart"]["result"][0]["indicators"]["quote"][0][name][-1] = None
    server.faults = [Reply(200, json.dumps(body).encode())]
    shop.run(server.today)
    assert (shop.status("IBM"), shop.bars("IBM").session[-1].item()) == ("quiet", day_of("2012-06-11"))
    assert shop.rows("gate", "session", "state", "code") == [("2012-06-12", "refused", "null price")]
    shop.run(server.today, hour=23)
    assert (shop.status("IBM"), shop.bars("IBM").session[-1].item()) == ("active", day_of("2012-06-12"))


def test_s08_s09_a_ticker_that_falls_silent_is_suspended_once_and_asked_for_less_and_less(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("silent", "IBM", "GOOG")
    server.serve("IBM", ibm_without())
    server.serve("GOOG", span(SampleSource().fetch("GOOG", day_of("2011-11-01")).bars, "2011-11-01", "2012-06-08"))
    days = [d for d in ibm_without().session.tolist() if day_of("2012-06-08") <= d <= day_of("2012-07-20")]
    asked = []
    for day in days:
        server.today = day
        before = len(server.charts_asked)
        shop.run(day)  # exit 0: never a failure
        asked.append(sum(text.startswith("GOOG ") for text in server.charts_asked[before:]) > 0)
        assert shop.status("IBM") == "active"
        if day == days[1]:
            assert shop.status("GOOG") == "quiet"
    assert shop.status("GOOG") == "suspended"
    assert sum(asked[11:]) < len(asked[11:]) / 2
    with reading(shop.home.database) as connection:
        events = connection.exec_driver_sql("SELECT count(*) FROM events WHERE kind = 'status'").scalar()
    assert events == 1
    now = datetime.combine(days[-1], time(23), UTC)
    assert not cycle_is_due(shop.home, now)


def test_an_unknown_ticker_fails_twice_and_is_then_suspended(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("unknown", "IBM", "NOSUCH")
    server.serve("IBM", ibm_without())
    days = ibm_without().session.tolist()[140:144]
    for number, day in enumerate(days):
        server.today = day
        if number < 2:
            with pytest.raises(SomeTickersFailed, match="NOSUCH"):
                shop.run(day)
        else:
            assert "suspended, asked for again later: NOSUCH" in shop.run(day)
    assert (shop.status("IBM"), shop.status("NOSUCH")) == ("active", "suspended")


def test_s26_a_shrunken_history_takes_nothing_away(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("shrunken", "IBM")
    bars = ibm_without()
    server.serve("IBM", bars)
    server.today = day_of("2012-06-12")
    shop.run(server.today)
    before = len(shop.bars("IBM"))
    server.serve("IBM", bars.select(np.isin(bars.session, np.array(["2012-05-29", "2012-06-13"], dtype="datetime64[D]"))))
    server.today = day_of("2012-06-13")
    shop.run(server.today)
    assert len(shop.bars("IBM")) == before + 1
    assert ("shrunken", "ok") in shop.rows("gate", "code", "state")


def test_s12_s13_only_closed_sessions_come_in(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("running", "IBM")
    bars = ibm_without()
    weekend = bars.select(np.array([150]))
    weekend = replace(weekend, session=np.array(["2012-06-09"], dtype="datetime64[D]"))
    future = replace(weekend, session=np.array(["2012-09-03"], dtype="datetime64[D]"))
    upto = bars.through(day_of("2012-06-12"))
    both = Bars(*(np.concatenate([getattr(x, f) for x in (upto, weekend, future)]) for f in Bars.__dataclass_fields__))
    server.serve("IBM", both)
    shop.run(day_of("2012-06-12"), hour=20)  # 16:00 in New York, the session not yet counted as closed
    assert shop.bars("IBM").session[-1].item() == day_of("2012-06-11")
    assert shop.rows("gate", "session", "code") == [("2012-06-09", "no session"), ("2012-09-03", "future")]
    shop.run(day_of("2012-06-12"), hour=21)
    assert shop.bars("IBM").session[-1].item() == day_of("2012-06-12")


def test_s22_another_currency_is_refused_and_the_stored_bars_stay(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("currency", "IBM")
    server.serve("IBM", ibm_without())
    server.today = day_of("2012-06-12")
    shop.run(server.today)
    server.serve("IBM", ibm_without(), currency="GBp")
    server.today = day_of("2012-06-13")
    with pytest.raises(SomeTickersFailed, match="in currency USD, these are GBp"):
        shop.run(server.today)
    assert shop.bars("IBM").session[-1].item() == day_of("2012-06-12")


# --- transport ---


def test_s02_a_429_for_ever_stops_the_asking_for_all(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    names = [f"T{i}" for i in range(20)]
    shop = open_shop("limited", *names)
    server.always = Reply(429, b"Edge: Too Many Requests", (("Retry-After", "0"),))
    with pytest.raises(NothingFetched, match="429"):
        shop.run(day_of("2012-06-12"))
    assert len(server.charts_asked) <= 5
    assert {asked.split()[0] for asked in server.charts_asked} == {"T0"}


def test_s04_a_server_that_answers_nobody_is_not_asked_for_every_ticker(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("down", *(f"T{i}" for i in range(20)), settings="ticker_seconds = 2\n")
    server.always = Reply(503, b"down")
    with pytest.raises(NothingFetched, match="HTTP 503"):
        shop.run(day_of("2012-06-12"))
    assert {asked.split()[0] for asked in server.charts_asked} == {"T0", "T1", "T10"}


def test_s01_a_429_that_passes_is_waited_for_as_asked(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("once", "IBM")
    server.serve("IBM", ibm_without())
    server.today = day_of("2012-06-12")
    server.faults = [Reply(429, b"Too Many Requests", (("Retry-After", "1"),))]
    began = datetime.now(UTC)
    shop.run(server.today)
    assert datetime.now(UTC) - began >= timedelta(seconds=1)


@pytest.mark.parametrize(
    "fault",
    [Reply(200, b"x" * 60_000, drip=0.05), Reply(200, b"{}", wait=30)],
    ids=["s06 one byte at a time", "s05 never"],
)
def test_a_slow_answer_ends_with_the_tickers_time(open_shop: Callable[..., Shop], server: LoopbackYahoo, fault: Reply) -> None:
    shop = open_shop("slow", "IBM", settings="ticker_seconds = 1.5\n")
    server.always = fault
    began = datetime.now(UTC)
    with pytest.raises(NothingFetched):
        shop.run(day_of("2012-06-12"))
    assert datetime.now(UTC) - began < timedelta(seconds=15)
    server.always = None


def test_s24_a_body_beyond_all_bounds_is_not_taken(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("bomb", "IBM", settings="ticker_seconds = 8\n")
    server.always = Reply(200, b" " * 25_000_000)
    with pytest.raises(JobError, match="more than 20 MB"):
        shop.run(day_of("2012-06-12"))


def test_s07_a_cut_answer_is_an_error_and_keeps_all(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("cut", "IBM", settings="ticker_seconds = 6\n")
    server.always = Reply(200, body_of("IBM", ibm_without()), cut=2000)
    with pytest.raises(NothingFetched, match="does not respond"):
        shop.run(day_of("2012-06-12"))


def test_c05_a_clock_a_year_ahead_stops_before_anything_is_stored(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("clock", "IBM", settings="ticker_seconds = 6\n")
    server.always = Reply(200, body_of("IBM", ibm_without()), (("Date", "Mon, 06 Jan 2020 10:00:00 GMT"),))
    with pytest.raises(NothingFetched, match="clock"):
        shop.run(day_of("2012-06-12"))
    assert shop.rows("price_file", "ticker") == []


def test_s25_an_unwritable_cache_is_told_in_one_line(open_shop: Callable[..., Shop], server: LoopbackYahoo) -> None:
    shop = open_shop("cache", "IBM")
    shop.home.cache.mkdir(parents=True, exist_ok=True)
    (shop.home.cache / "yfinance").write_text("a file where a folder should be")
    with pytest.raises((JobError, OSError)):
        shop.run(day_of("2012-06-12"))


# --- calendars: each session once ---

ZONES = {"XNYS": NEW_YORK, "XTKS": "Asia/Tokyo", "XLON": "Europe/London"}


@pytest.mark.parametrize("exchange", ZONES)
@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_c01_c02_each_session_is_owed_exactly_once_whatever_the_hour_of_the_run(exchange: str, hour: int) -> None:
    calendar = exchange_calendar(exchange)
    days = calendar.sessions[np.searchsorted(calendar.sessions, np.datetime64("2022-11-01")) :]
    bars = make_bars(days, {name: np.ones(len(days)) for name in ("open", "high", "low", "close")})
    committed: set[date] = {days[0].item()}
    done: list[date] = []
    for offset in range((date(2026, 1, 5) - date(2022, 12, 1)).days):
        now = datetime.combine(date(2022, 12, 1) + timedelta(days=offset), time(hour, 7), UTC)
        closed = calendar.last_closed_session(now, 45)
        assert closed is not None
        assert calendar.close_at(closed) + timedelta(minutes=45) <= now
        owed = missing_sessions(bars.through(closed), committed, 1)
        done += owed
        committed.update(owed)
    assert done == days[1 : len(done) + 1].tolist()
    assert len(done) > 750


@pytest.mark.parametrize(
    ("symbol", "zone", "currency", "exchange"),
    [
        ("BRK-B", NEW_YORK, "USD", "XNYS"),
        ("^GSPC", NEW_YORK, "USD", "XNYS"),
        ("^AXJO", "Australia/Sydney", "AUD", "XASX"),
        ("EURUSD=X", "Europe/London", "USD", "24/5"),
        ("BTC-USD", "UTC", "USD", "24/7"),
        ("GC=F", NEW_YORK, "USD", "us_futures"),
        ("0700.HK", "Asia/Hong_Kong", "HKD", "XHKG"),
        ("M&M.NS", "Asia/Kolkata", "INR", "XBOM"),
    ],
)
def test_c11_i02_every_kind_of_symbol_works_from_track_to_sql(
    open_shop: Callable[..., Shop], server: LoopbackYahoo, symbol: str, zone: str, currency: str, exchange: str
) -> None:
    calendar = exchange_calendar(exchange)
    days = calendar.sessions[calendar.sessions <= np.datetime64("2024-05-15")][-150:]
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(days))))
    values = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": np.full(len(days), 5)}
    server.serve(symbol, make_bars(days, values), currency=currency, exchangeTimezoneName=zone)
    shop = open_shop("symbols", symbol)
    shop.run(day_of("2024-05-17"))
    assert shop.bars(symbol).session.tolist() == days.tolist()
    assert shop.history(symbol).listing.exchange == exchange
    origins = shop.rows("forecast_history", "ticker", "origin", "target")
    assert origins[0] == (symbol, days[-1].item().isoformat(), calendar.session_offset(days[-1].item(), 1).isoformat())


def test_c10_a_calendar_that_ends_soon_is_told_before_it_does() -> None:
    calendar = exchange_calendar("XNYS")
    near = datetime.combine(calendar.last_session - timedelta(days=40), time(), UTC)
    assert "upgrade exchange-calendars" in str(calendar.end_warning(near))
    assert calendar.end_warning(near - timedelta(days=60)) is None


# --- files ---


def test_googls_vintages_agree_as_traded(make_home: Callable[[str, str], Home], tmp_path: Path) -> None:
    data = Path(__file__).parent / "data"
    told = 'adjustment = "split"\nsplits = ["GOOGL 2022-07-18 20:1"]\n'
    closes = []
    for vintage, how in (("splitadj", told), ("presplit", 'adjustment = "as_traded"\n')):
        folder = tmp_path / vintage
        folder.mkdir()
        (folder / "GOOGL.csv").write_bytes((data / f"GOOGL_{vintage}.csv").read_bytes())
        home = make_home(f"home-{vintage}", f'[source]\nkind = "folder"\npath = "{folder}"\n{how}')
        engine = open_writer(home.database)
        with pytest.raises(SomeTickersFailed, match="a forecast needs"):
            backfill_span(home, engine, BackfillRequest(("GOOGL",), workers=1))
        shop = Shop(home, engine, LoopbackYahoo())
        closes.append(shop.bars("GOOGL").close)
        assert shop.rows("price_file", "price_basis") == [("as_traded",)]
        engine.dispose()
    assert np.allclose(closes[0], closes[1], rtol=1e-4)


@pytest.mark.parametrize("text", ["GOOGL", "GOOGL 2022-02-30 20:1", "GOOGL 2022-07-18 20:0", "../X 2022-07-18 2:1"])
def test_a_split_that_cannot_be_read_is_refused_by_name(make_home: Callable[[str, str], Home], tmp_path: Path, text: str) -> None:
    home = make_home("bad", f'[source]\nkind = "folder"\npath = "{tmp_path}"\nadjustment = "split"\nsplits = ["{text}"]\n')
    engine = open_writer(home.database)
    with pytest.raises(Exception, match=r"source\.splits has"):
        backfill_span(home, engine, BackfillRequest(("GOOGL",)))
    engine.dispose()


def test_c07_c08_a_holiday_owes_nothing_and_a_half_day_counts_after_its_early_close(
    open_shop: Callable[..., Shop], server: LoopbackYahoo
) -> None:
    shop = open_shop("holiday", "IBM")
    server.serve("IBM", ibm_without())
    shop.run(day_of("2012-07-02"))
    assert shop.run(day_of("2012-07-03"), hour=17).startswith("1 of 1 tickers, 0 new forecasts, 0 requests")
    assert "5 new forecasts" in shop.run(day_of("2012-07-03"), hour=18)  # closed at 13:00 in New York
    assert "0 new forecasts, 0 requests" in shop.run(day_of("2012-07-04"))
    targets = [row[0] for row in shop.rows("latest_forecast", "target")]
    assert targets == ["2012-07-05", "2012-07-06", "2012-07-09", "2012-07-10", "2012-07-11"]


@pytest.mark.parametrize("host", ["UTC", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "Australia/Lord_Howe"])
def test_c12_the_hosts_time_zone_changes_nothing(
    open_shop: Callable[..., Shop], server: LoopbackYahoo, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    shop = open_shop("host", "IBM")
    server.serve("IBM", ibm_without())
    monkeypatch.setenv("TZ", host)
    clock_module.tzset()
    try:
        shop.run(day_of("2012-06-12"), hour=21)
    finally:
        monkeypatch.undo()
        clock_module.tzset()
    assert shop.bars("IBM").session.tolist() == ibm_without().through(day_of("2012-06-12")).session.tolist()
    assert shop.rows("latest_forecast", "target")[0] == ("2012-06-13",)


def test_c14_a_leap_second_is_no_instant(tickercast: Command, tmp_path: Path) -> None:
    done = tickercast("--home", tmp_path, "run", "--now", "2016-12-31T23:59:60Z")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
