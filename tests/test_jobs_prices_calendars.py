"""Prices and calendars: which bars are of closed sessions, and that each session is forecast once, wherever and whenever."""

from __future__ import annotations

import time as clock_module
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.loopback_yahoo import LoopbackYahoo
from tests.price_builders import day_of, sample_bars
from tests.price_homes import PriceHome
from tickercast.jobs.exchanges.calendars import ExchangeCalendar, exchange_calendar
from tickercast.jobs.runs.backlog import daily_due_sessions
from tickercast.storage.bars import Bars, concatenate_bars, make_bars

pytestmark = pytest.mark.slow

TUESDAY = day_of("2012-06-12")
AFTER_CLOSE = timedelta(minutes=45)
MakeHome = Callable[..., PriceHome]


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-11-01")


def on_day(bars: Bars, session: str) -> Bars:
    """Return the first of some bars on another day."""
    return replace(bars.select(slice(0, 1)), session=np.array([session], dtype="datetime64[D]"))


# --- which bars are admitted ---


@pytest.mark.parametrize(("hour", "last"), [(20, "2012-06-11"), (21, "2012-06-12")])
def test_a_bar_is_stored_once_its_session_has_closed(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars, hour: int, last: str
) -> None:
    # New York closes at 20:00 UTC in summer, and 45 minutes pass before a bar counts.
    home = price_home("IBM")
    server.serve("IBM", ibm.through(TUESDAY))
    home.run(TUESDAY, hour=hour)
    assert home.last_bar("IBM") == day_of(last)


def test_bars_of_weekends_and_of_the_future_are_refused(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> None:
    home = price_home("IBM")
    odd = [on_day(ibm, "2012-06-09"), on_day(ibm, "2012-09-03")]
    server.serve("IBM", concatenate_bars([ibm.through(TUESDAY), *odd]))
    home.run(TUESDAY)
    assert home.rows("gate", "session", "state", "code", "message") == [
        ("2012-06-09", "refused", "no session", "not a session of XNYS"),
        ("2012-09-03", "refused", "future", "a session that has not started"),
    ]
    assert home.last_bar("IBM") == TUESDAY


@pytest.mark.parametrize(("session", "codes"), [("2012-06-13", []), ("2012-06-14", ["future"])])
def test_a_bar_is_of_the_future_from_the_day_after_tomorrow_on(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars, session: str, codes: list[str]
) -> None:
    home = price_home("IBM")
    server.serve("IBM", concatenate_bars([ibm.through(TUESDAY), on_day(ibm, session)]))
    home.run(TUESDAY)
    assert [row[0] for row in home.rows("gate", "code")] == codes


# --- holidays and half days ---


def test_a_holiday_has_no_forecast_and_a_half_day_counts_after_its_early_close(
    price_home: MakeHome, server: LoopbackYahoo, ibm: Bars
) -> None:
    home = price_home("IBM")
    server.serve("IBM", ibm)
    home.run(day_of("2012-07-02"))
    assert home.run(day_of("2012-07-03"), hour=17).startswith("1 of 1 tickers, 0 new forecasts, 0 requests")
    assert "5 new forecasts" in home.run(day_of("2012-07-03"), hour=18)  # New York closed at 13:00, which is 17:00 UTC
    assert "0 new forecasts, 0 requests" in home.run(day_of("2012-07-04"))
    targets = [row[0] for row in home.rows("latest_forecast", "target")]
    assert targets == ["2012-07-05", "2012-07-06", "2012-07-09", "2012-07-10", "2012-07-11"]


# --- each session once, whatever the hour ---


def sessions_of_daily_runs(exchange: str, hour: int) -> tuple[list[date], list[date]]:
    """Return the sessions that three years of runs at one hour (UTC) find due, and the sessions there were."""
    calendar = exchange_calendar(exchange)
    days = calendar.sessions[np.searchsorted(calendar.sessions, np.datetime64("2022-11-01")) :]
    bars = make_bars(days, {name: np.ones(len(days)) for name in ("open", "high", "low", "close")})
    committed: set[date] = {days[0].item()}
    due: list[date] = []
    for offset in range((date(2026, 1, 5) - date(2022, 12, 1)).days):
        now = datetime.combine(date(2022, 12, 1) + timedelta(days=offset), time(hour, 7), UTC)
        closed = calendar.last_closed_session(now, 45)
        assert closed is not None
        due += daily_due_sessions(bars.through(closed), committed, 1)
        committed.update(due)
    return due, days[1:].tolist()


@pytest.mark.parametrize("exchange", ["XNYS", "XTKS", "XLON"])
@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_each_session_is_due_exactly_once_whatever_the_hour_of_the_run(exchange: str, hour: int) -> None:
    due, sessions = sessions_of_daily_runs(exchange, hour)
    assert due == sessions[: len(due)]
    assert len(due) > 750


@pytest.mark.parametrize("exchange", ["XNYS", "XTKS", "XLON"])
def test_a_session_counts_as_closed_45_minutes_after_its_close_and_not_before(exchange: str) -> None:
    calendar = exchange_calendar(exchange)
    sessions = calendar.sessions[-300:-200].tolist()
    instants = [calendar.close_at(session) + AFTER_CLOSE for session in sessions]
    assert [calendar.last_closed_session(instant, 45) for instant in instants] == sessions
    just_before = [calendar.last_closed_session(instant - timedelta(seconds=1), 45) for instant in instants]
    assert just_before[1:] == sessions[:-1]


def bars_until(calendar: ExchangeCalendar, last: date) -> Bars:
    """Return a random walk over the last 150 sessions of a calendar up to a day."""
    days = calendar.sessions[calendar.sessions <= np.datetime64(last)][-150:]
    close = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, len(days))))
    values = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": np.full(len(days), 5)}
    return make_bars(days, values)


def test_a_run_says_that_the_holidays_of_an_exchange_end_and_forecasts_on(price_home: MakeHome, server: LoopbackYahoo) -> None:
    bombay = exchange_calendar("XBOM")
    assert bombay.known_until is not None
    bars = bars_until(bombay, date(2026, 11, 24))
    last = bars.session[-1].item()
    server.today = last
    server.serve("INFY.NS", bars, currency="INR", exchangeTimezoneName="Asia/Kolkata")
    home = price_home("INFY.NS")
    line = home.run(last, hour=22)
    targets = [row[0] for row in home.rows("latest_forecast", "target")]
    assert ("5 new forecasts" in line, "the holidays of XBOM are known until" in line) == (True, True)
    assert targets == [str(bombay.session_offset(last, horizon)) for horizon in range(1, 6)]
    assert [
        (row[0], row[1].startswith("the holidays of XBOM are known until")) for row in home.rows("event", "kind", "message")
    ] == [("calendar", True)]


# --- time zones and instants ---


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati", "Australia/Lord_Howe"])
def host_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Set the time zone of this process, and set it back afterwards."""
    monkeypatch.setenv("TZ", request.param)
    clock_module.tzset()
    yield request.param
    monkeypatch.undo()
    clock_module.tzset()


@pytest.mark.usefixtures("host_zone")
def test_the_hosts_time_zone_changes_nothing(price_home: MakeHome, server: LoopbackYahoo, ibm: Bars) -> None:
    home = price_home("IBM")
    server.serve("IBM", ibm)
    home.run(TUESDAY, hour=21)
    assert home.bars("IBM").session.tolist() == ibm.through(TUESDAY).session.tolist()
    assert home.rows("latest_forecast", "target")[0] == ("2012-06-13",)


def test_a_leap_second_is_not_an_instant(tickercast: Command, tmp_path: Path) -> None:
    done = tickercast("--home", tmp_path, "run", "--now", "2016-12-31T23:59:60Z")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
