"""The page Health says what `status --check` says, and what ran, failed and was told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import Record, small_record
from tests.home_states import BEATING, FAILING, FRESH, LATE, NOW, PLENTY, UNTRACKED, state
from tests.html_pages import Page
from tickercast.jobs.monitoring.state import HomeState
from tickercast.jobs.pages.health import Month, attention_groups, growth_chart, health_facts, health_page
from tickercast.jobs.pages.site import static_site
from tickercast.storage.reader import snapshot

MONDAY = datetime(2024, 3, 11, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    found = small_record(tmp_path_factory.mktemp("health"))
    found.force("UPDATE run_tickers SET status = 'failed', message = 'no <bars>; run `tickercast status`'")
    return found


@pytest.fixture
def connection(record: Record) -> Iterator[sqlite3.Connection]:
    with snapshot(record.database) as found:
        yield found


def page_of(connection: sqlite3.Connection, home: HomeState) -> Page:
    return Page(health_page(connection, static_site(home.now), home.now, home))


def test_tickers_that_need_attention_have_their_condition_and_their_reason(connection: sqlite3.Connection) -> None:
    home = state(FRESH, LATE, replace(FAILING, failure="no answer"), UNTRACKED)
    found = health_facts(connection, NOW, home).attention
    assert [(item.facts.symbol, item.condition, item.reason) for item in found] == [
        (
            "LATE",
            "late",
            "LATE is late: 2 closed sessions without forecasts, the first closed at 2026-11-26T14:00Z; last forecast "
            "from 2026-11-26",
        ),
        ("FAIL", "failing", "no answer"),
    ]


def test_tickers_that_are_late_for_one_reason_are_one_row_with_all_their_names(connection: sqlite3.Connection) -> None:
    home = state(*(replace(LATE, symbol=symbol) for symbol in ("A", "B", "C")), replace(FAILING, failure="no answer"))
    late, failing = attention_groups(health_facts(connection, NOW, home).attention)
    assert [one.facts.symbol for one in late.tickers] == ["A", "B", "C"]
    assert late.reason.startswith("each is late: 2 closed sessions")
    assert (len(failing.tickers), failing.reason) == (1, "no answer")
    page = page_of(connection, home)
    assert {"ticker/A.html", "ticker/B.html", "ticker/C.html"} <= set(page.links)


def test_failures_of_the_last_month_are_counted_by_ticker(connection: sqlite3.Connection) -> None:
    [failure] = health_facts(connection, MONDAY + timedelta(days=20), state()).failures
    assert (failure["ticker"], failure["times"]) == ("IBM", 1)
    assert health_facts(connection, MONDAY + timedelta(days=40), state()).failures == []


def test_the_months_share_the_size_of_the_database_by_their_forecasts(connection: sqlite3.Connection) -> None:
    assert health_facts(connection, NOW, state()).months == [Month("2024-03", 1, 4, size=PLENTY.database)]


def test_growth_is_drawn_from_the_second_month_on() -> None:
    months = [Month("2024-02", 20, 9800, 8e6), Month("2024-03", 21, 10290, 8.4e6)]
    chart = growth_chart(months)
    assert growth_chart(months[:1]) is None
    assert chart is not None
    assert chart.text == "10,290 in 2024-03, about 8.4 MB of the database."
    assert chart.table.rows[0] == ("2024-02", "20", "9,800", "8.0 MB")


def test_a_home_that_works_says_so_and_when_the_daemon_looks_next(connection: sqlite3.Connection) -> None:
    page = page_of(connection, state(FRESH, daemon=BEATING, is_alive=True))
    assert page.faults == []
    assert "OK : 1 of 1 tracked ticker fresh; daemon running since" in page.text
    assert "Next look 2026-11-27 00:00 UTC in 1 hour" in page.text


def test_a_daemon_that_died_is_critical(connection: sqlite3.Connection) -> None:
    page = page_of(connection, state(FRESH, daemon=BEATING))
    assert "CRITICAL : daemon died" in page.text
    assert "State died" in page.text


def test_runs_notices_and_failures_are_listed_and_their_texts_escaped(connection: sqlite3.Connection) -> None:
    found = replace(state(LATE), now=MONDAY + timedelta(days=3))
    page = page_of(connection, found)
    assert page.faults == []
    assert "no <bars>; run tickercast status" in page.text
    assert "IBM is 3 hours late" in page.text
    assert "1 backfill 2024-03-12 23:00 UTC" in page.text


def test_an_empty_record_says_what_begins_it(empty: sqlite3.Connection) -> None:
    page = page_of(empty, state())
    assert page.faults == []
    assert "Nothing has run yet." in page.text


@pytest.fixture
def empty(empty_database: Path) -> Iterator[sqlite3.Connection]:
    with snapshot(empty_database) as found:
        yield found
