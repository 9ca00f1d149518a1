"""Company events from Yahoo in daily runs: when they are requested, what is stored, and that a fault changes nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.loopback_reports import Reply, ReportAnswers, calendar_body, page_body
from tests.loopback_yahoo import LoopbackYahoo, loopback_yahoo
from tests.price_builders import Clock, day_of, sample_bars
from tests.price_homes import PriceHome
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.event_requests import EventRequests
from tickercast.jobs.prices.tickers import rename, track
from tickercast.storage import queries
from tickercast.storage.database import reading
from tickercast.storage.verify import content_hash, find_deep_problems, find_problems

pytestmark = pytest.mark.slow

FRIDAY, MONDAY, TUESDAY = day_of("2012-06-08"), day_of("2012-06-11"), day_of("2012-06-12")
NEXT_MONTH = day_of("2012-07-11")
PAST = datetime(2012, 4, 17, 20, 5, tzinfo=UTC)
NEXT, MOVED = datetime(2012, 6, 26, 20, 5, tzinfo=UTC), datetime(2012, 6, 27, 20, 5, tzinfo=UTC)
MakeHome = Callable[..., PriceHome]


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    with loopback_yahoo() as state:
        for ticker in ("IBM", "MSFT"):
            state.serve(ticker, sample_bars(ticker, "2011-06-01"))
            state.events.calendars[ticker] = calendar_body(NEXT)
            state.events.pages[ticker] = page_body(NEXT, PAST)
        yield state


def events_of(home: PriceHome) -> list[tuple[Any, ...]]:
    """Return ticker, date and day of the record of each stored event."""
    rows = home.rows("company_event", "ticker", "date", "recorded_at", "source")
    return sorted((ticker, day, at[:10], source) for ticker, day, at, source in rows)


def forecasts_of(home: PriceHome) -> list[tuple[Any, ...]]:
    names = ("ticker", "origin", "horizon", "location", "scale", "dof", "q05", "q95", "context", "input_sha256", "model_id")
    return sorted(home.rows("forecast_history", *names))


def content_of(home: PriceHome) -> tuple[str, list[tuple[Any, ...]]]:
    """Return the hash of the record and those of its price files."""
    with reading(home.home.database) as connection:
        return content_hash(connection), sorted(home.rows("price_file", "ticker", "sha256"))


def test_a_run_stores_past_reports_and_the_next_one(price_home: MakeHome) -> None:
    home = price_home("IBM")
    assert home.serve_and_run(FRIDAY).startswith("1 of 1 tickers")
    assert events_of(home) == [("IBM", "2012-04-17", "2012-06-08", "yahoo"), ("IBM", "2012-06-26", "2012-06-08", "yahoo")]


def test_events_are_requested_after_all_bars(price_home: MakeHome) -> None:
    home = price_home("IBM", "MSFT")
    order: list[str] = []
    reply = home.server.reply
    home.server.reply = lambda path, query: (order.append(path), reply(path, query))[1]  # type: ignore[method-assign]
    home.serve_and_run(FRIDAY)
    paths = [path.split("/")[-2] for path in order if path.startswith(("/v8/", "/v10/", "/calendar"))]
    assert list(dict.fromkeys(paths)) == ["chart", "quoteSummary", "calendar"]
    assert paths.index("quoteSummary") > len(paths) - paths[::-1].index("chart") - 1


def test_the_next_report_is_requested_once_a_session_and_past_ones_once_a_month(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.run_days([FRIDAY, FRIDAY, MONDAY, TUESDAY, NEXT_MONTH])
    assert home.server.events.requests == [
        "IBM calendar", "IBM history", "IBM calendar", "IBM calendar", "IBM calendar", "IBM history"
    ]  # fmt: skip


def test_a_report_weeks_ahead_is_requested_once_a_week(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.server.events.calendars["IBM"] = calendar_body(datetime(2012, 7, 18, 20, 5, tzinfo=UTC))
    home.run_days([FRIDAY, MONDAY, TUESDAY, day_of("2012-06-18")])
    assert home.server.events.requests == ["IBM calendar", "IBM history", "IBM calendar"]


def test_a_report_that_moves_is_another_row(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.serve_and_run(FRIDAY)
    home.server.events.calendars["IBM"] = calendar_body(MOVED)
    home.run_days([MONDAY, TUESDAY])
    home.server.events.calendars["IBM"] = calendar_body(NEXT)
    home.run_days([day_of("2012-06-13")])
    ahead = [(day, recorded) for _, day, recorded, _ in events_of(home) if day > "2012-06-20"]
    assert ahead == [("2012-06-26", "2012-06-08"), ("2012-06-26", "2012-06-13"), ("2012-06-27", "2012-06-11")]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(429), "Yahoo responded 429"),
        (Reply(503), "does not respond (HTTP 503)"),
        (Reply(200, b"<html>"), "has no dates of reports"),
    ],
    ids=["429", "503", "changed"],
)  # fmt: skip
def test_a_failed_request_changes_no_bar_and_no_exit_code(price_home: MakeHome, reply: Reply, reason: str) -> None:
    home = price_home("IBM", "MSFT")
    home.server.events.faults = {"calendar": reply, "history": reply}
    message = home.serve_and_run(FRIDAY)
    assert message.startswith("2 of 2 tickers, 10 new forecasts")
    assert "company events of 2 of 2 tickers not fetched, first IBM: " in message
    assert reason in message
    assert (home.last_bar("IBM"), events_of(home)) == (FRIDAY, [])


def test_a_failed_request_leaves_the_record_of_a_company_without_events(price_home: MakeHome) -> None:
    """Bars and forecasts are byte for byte those of a home that asked and was told that there is nothing."""
    home, other = price_home("IBM", name="failed"), price_home("IBM", name="nothing")
    home.server.events.faults = {"calendar": Reply(503), "history": Reply(429)}
    home.run_days([FRIDAY, MONDAY])
    home.server.events = ReportAnswers()
    other.run_days([FRIDAY, MONDAY])
    assert content_of(home) == content_of(other)


def test_a_failed_request_for_one_ticker_changes_nothing_of_another(price_home: MakeHome) -> None:
    home, alone = price_home("IBM", "MSFT", name="two"), price_home("MSFT", name="alone")
    home.server.events.calendars["IBM"] = b"<html>"
    for made in (home, alone):
        made.run_days([FRIDAY, MONDAY])
    assert [row for row in forecasts_of(home) if row[0] == "MSFT"] == forecasts_of(alone) != []
    assert [event for event in events_of(home) if event[0] == "MSFT"] == events_of(alone) != []


def test_after_a_failure_the_next_run_requests_again(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.server.events.faults = {"calendar": Reply(503)}
    home.serve_and_run(FRIDAY)
    home.server.events.faults = {}
    assert "company events" not in home.run(day_of("2012-06-09"), hour=1)
    assert [day for _, day, _, _ in events_of(home)] == ["2012-04-17", "2012-06-26"]


def test_a_page_without_a_table_of_a_company_with_a_calendar_is_a_fault(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.server.events.pages["IBM"] = b"<html><body>Welcome</body></html>"
    assert "IBM: Yahoo's page of past reports has no table" in home.serve_and_run(FRIDAY)


def test_a_company_that_yahoo_knows_nothing_of_has_no_note(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.server.events.calendars.clear()
    home.server.events.pages.clear()
    assert "company events" not in home.serve_and_run(FRIDAY)


def test_a_config_without_events_requests_none(price_home: MakeHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_MODEL__EVENTS", "false")
    home = price_home("IBM")
    home.serve_and_run(FRIDAY)
    assert (home.server.events.requests, events_of(home)) == ([], [])
    assert home.server.reference_requests > 0


def test_only_stocks_have_events(price_home: MakeHome) -> None:
    home = price_home("IBM", "MSFT")
    track(home.home, home.engine, ["IBM"], kind="fund")
    home.serve_and_run(FRIDAY)
    assert {ticker for ticker, *_ in events_of(home)} == {"MSFT"}
    assert home.server.events.requests == ["MSFT calendar", "MSFT history"]


def test_after_three_silent_tickers_the_others_wait_for_the_next_run(price_home: MakeHome) -> None:
    names = ["A", "B", "C", "D", "E"]
    home = price_home(*names)
    for name in names:
        home.server.serve(name, sample_bars("IBM", "2012-05-01"))
    home.server.events.faults = {"calendar": Reply(503)}
    home.server.today = FRIDAY
    home.run(FRIDAY)
    tickers = _stored(home)
    now = datetime(2012, 6, 12, 23, tzinfo=UTC)
    requests = EventRequests(home.engine, Sources(home.home), now, 45)
    home.server.events.requests.clear()
    note = requests.fetch(tickers, threading.Event())
    assert home.server.events.requests == ["A calendar", "B calendar", "C calendar"]
    assert note is not None
    assert "of 3 of 5 tickers not fetched" in note
    assert "of 2 tickers left for the next run" in note


def test_events_take_a_bounded_time(price_home: MakeHome) -> None:
    home = price_home("IBM", "MSFT")
    home.server.today = FRIDAY
    home.run(FRIDAY)
    clock = Clock()
    requests = EventRequests(home.engine, Sources(home.home), datetime(2012, 6, 12, 23, tzinfo=UTC), 45, clock)
    home.server.events.requests.clear()
    reply = home.server.events.answer

    def slow(path: str, query: dict[str, list[str]]) -> Reply | None:
        clock.seconds += 61
        return reply(path, query)

    home.server.events.answer = slow  # type: ignore[method-assign]
    note = requests.fetch(_stored(home), threading.Event())
    assert note == "company events of 1 ticker left for the next run; the stored ones serve"


def test_a_renamed_ticker_keeps_its_events_and_a_record_with_events_is_sound(price_home: MakeHome) -> None:
    home = price_home("IBM")
    home.serve_and_run(FRIDAY)
    rename(home.engine, "IBM", "BLUE")
    assert {ticker for ticker, *_ in events_of(home)} == {"BLUE"}
    with reading(home.home.database) as connection:
        assert [*find_problems(connection, home.home.prices), *find_deep_problems(connection, home.home.prices)] == []


def _stored(home: PriceHome) -> list[queries.TickerRow]:
    with home.engine.connect() as connection:
        return [ticker for ticker in queries.list_tickers(connection) if ticker.tracked]
