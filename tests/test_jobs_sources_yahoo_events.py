"""Dates of reports from Yahoo: what its calendar and its pages say, and each way in which they can fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.loopback_reports import HEAD, Reply, calendar_body, page_body
from tests.loopback_yahoo import LoopbackYahoo, loopback_yahoo, yahoo_at
from tickercast.jobs.prices.sources.base import BadSourceData, SourceError, SourceUnavailable
from tickercast.jobs.prices.sources.yahoo_events import YahooEvents

pytestmark = pytest.mark.slow

NEW_YORK, TOKYO = "America/New_York", "Asia/Tokyo"
EVENING = datetime(2024, 4, 24, 20, 30, tzinfo=UTC)  # 16:30 in New York, 5:30 of the next day in Tokyo
TODAY = date(2024, 5, 1)


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    with loopback_yahoo() as state:
        yield state


@pytest.fixture
def events(server: LoopbackYahoo, tmp_path: Path) -> YahooEvents:
    source = yahoo_at(server.url, tmp_path)
    source.events.timeout_seconds = 1.0
    return source.events


@pytest.mark.parametrize(("zone", "day"), [(NEW_YORK, date(2024, 4, 24)), (TOKYO, date(2024, 4, 25))])
def test_the_next_report_is_on_its_day_in_the_exchanges_zone(
    server: LoopbackYahoo, events: YahooEvents, zone: str, day: date
) -> None:
    server.events.calendars["IBM"] = calendar_body(EVENING)
    assert events.next_date("IBM", zone) == day


def test_of_an_estimated_range_the_first_day_counts(server: LoopbackYahoo, events: YahooEvents) -> None:
    server.events.calendars["IBM"] = calendar_body(datetime(2024, 4, 29, 20, tzinfo=UTC), EVENING)
    assert events.next_date("IBM", NEW_YORK) == date(2024, 4, 24)


@pytest.mark.parametrize(
    "body", [calendar_body(), b'{"quoteSummary": {"result": [{"calendarEvents": {"maxAge": 1}}], "error": null}}']
)
def test_a_calendar_without_a_date_has_no_next_report(server: LoopbackYahoo, events: YahooEvents, body: bytes) -> None:
    server.events.calendars["IBM"] = body
    assert events.next_date("IBM", NEW_YORK) is None


def test_past_reports_are_the_days_of_the_page_up_to_today(server: LoopbackYahoo, events: YahooEvents) -> None:
    winter, later = datetime(2024, 1, 24, 21, 5, tzinfo=UTC), datetime(2024, 7, 24, 20, tzinfo=UTC)
    server.events.pages["IBM"] = page_body(later, EVENING, winter)
    assert events.past_dates("IBM", NEW_YORK, TODAY) == [date(2024, 1, 24), date(2024, 4, 24)]


def test_a_company_that_yahoo_does_not_know_has_no_dates(events: YahooEvents) -> None:
    assert (events.next_date("IBM", NEW_YORK), events.past_dates("IBM", NEW_YORK, TODAY)) == (None, None)


def test_a_page_without_a_table_has_no_reports(server: LoopbackYahoo, events: YahooEvents) -> None:
    server.events.pages["IBM"] = b"<html><body><p>No results</p></body></html>"
    assert events.past_dates("IBM", NEW_YORK, TODAY) is None


@pytest.mark.parametrize(
    ("kind", "reply", "error"),
    [
        ("calendar", Reply(429), SourceUnavailable),
        ("history", Reply(429), SourceUnavailable),
        ("calendar", Reply(503), SourceUnavailable),
        ("history", Reply(503), SourceUnavailable),
        ("calendar", Reply(200, b"{", wait=3.0), SourceUnavailable),
        ("history", Reply(200, b"<", wait=3.0), SourceUnavailable),
        ("calendar", Reply(200, b"{}" * 50, drip=0.1), SourceUnavailable),
        ("history", Reply(200, page_body(EVENING), cut=40), SourceUnavailable),
        ("calendar", Reply(401, b"{}"), SourceUnavailable),
        ("calendar", Reply(200, b"<html>"), BadSourceData),
        ("calendar", Reply(200, b'{"quoteSummary": {"result": null}}'), BadSourceData),
        ("calendar", Reply(200, b'{"quoteSummary": {"result": [{"calendarEvents": {"earnings": {"earningsDate": ["soon"]}}}]}}'),
         BadSourceData),
        ("calendar", Reply(200, calendar_body().replace(b"[]", b"[1e30]")), BadSourceData),
        ("history", Reply(200, page_body(EVENING, head=("Ticker", *HEAD[1:]))), BadSourceData),
        ("history", Reply(200, page_body(EVENING).replace(b" at ", b" around ")), BadSourceData),
        ("history", Reply(200, page_body()), BadSourceData),
    ],
    ids=["429", "page 429", "503", "page 503", "slow", "slow page", "drip", "cut page", "401", "no JSON", "empty result",
         "text for a day", "absurd instant", "other columns", "other dates", "no row"],
)  # fmt: skip
def test_a_fault_is_a_source_error_that_names_the_ticker(
    server: LoopbackYahoo, events: YahooEvents, kind: str, reply: Reply, error: type[SourceError]
) -> None:
    server.events.faults[kind] = reply
    with pytest.raises(error, match=r"^IBM: "):
        events.next_date("IBM", NEW_YORK) if kind == "calendar" else events.past_dates("IBM", NEW_YORK, TODAY)


def test_nothing_is_requested_while_the_circuit_is_open(server: LoopbackYahoo, events: YahooEvents) -> None:
    events.client.open_circuit("Yahoo responded 429")
    with pytest.raises(SourceUnavailable, match="IBM: Yahoo responded 429; no request was sent"):
        events.next_date("IBM", NEW_YORK)
    assert server.events.requests == []
