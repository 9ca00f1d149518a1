"""The page Today shows what SQL says: each ticker's next session, and what changed since yesterday."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import log
from pathlib import Path

import pytest

from tests.builders import SESSIONS, Record, at_night, small_record
from tests.home_states import state
from tests.html_pages import Page
from tickercast.jobs.pages import selection
from tickercast.jobs.pages.changes import changes_since
from tickercast.jobs.pages.site import served_site, static_site
from tickercast.jobs.pages.sparklines import sparkline
from tickercast.jobs.pages.today import today_facts, today_page
from tickercast.jobs.pages.verdicts import Verdict
from tickercast.storage.reader import snapshot

NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)  # 13 hours after the record's run
THURSDAY, FRIDAY = SESSIONS[3].isoformat(), SESSIONS[4].isoformat()  # the newest origin and its target


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return small_record(tmp_path_factory.mktemp("today"))


@pytest.fixture
def connection(record: Record) -> Iterator[sqlite3.Connection]:
    with snapshot(record.database) as found:
        yield found


def test_a_row_has_the_next_session_in_prices_and_against_the_last_one(connection: sqlite3.Connection) -> None:
    [row] = today_facts(connection, NOW).tickers
    assert (row.ticker, row.target, row.last_price, row.q05, row.q50, row.q95) == ("IBM", FRIDAY, 100.0, 98.0, 100.0, 102.0)
    assert (row.move(row.q05), row.width) == (pytest.approx(-0.02), pytest.approx(4.0))
    assert (row.verdict, row.held_bars) == (Verdict("not distinguishable", "backfill", 1), 1)


def test_a_width_is_compared_only_with_a_year_of_widths(connection: sqlite3.Connection) -> None:
    assert today_facts(connection, NOW).tickers[0].relative_width is None  # two widths are no year


def test_the_last_closes_end_at_the_last_price_and_have_the_returns_of_the_bars(connection: sqlite3.Connection) -> None:
    # Closes of Monday to Thursday are 100 to 103, and the forecast's last price is 100.
    [row] = today_facts(connection, NOW).tickers
    assert row.closes == pytest.approx([100 * close / 103 for close in (100, 101, 102, 103)])
    assert row.past_move == pytest.approx(0.03)


def test_what_changed_is_what_the_last_day_recorded(connection: sqlite3.Connection) -> None:
    changes = changes_since(connection, NOW, THURSDAY)
    assert (changes.since, changes.forecasts, changes.runs) == (NOW - timedelta(days=1), 4, 1)
    assert (changes.failed, changes.quarantined, changes.restated) == ([], [], [{"ticker": "IBM", "bars": 1}])


def test_a_record_that_rested_tells_of_its_newest_run(connection: sqlite3.Connection) -> None:
    assert changes_since(connection, NOW + timedelta(days=3), THURSDAY).since == at_night(SESSIONS[-1])


def test_an_older_finding_is_told_when_its_day_is_asked_for(connection: sqlite3.Connection) -> None:
    changes = changes_since(connection, at_night(SESSIONS[0]) + timedelta(hours=1), None)
    assert [(row["ticker"], row["session"]) for row in changes.quarantined] == [("IBM", SESSIONS[0].isoformat())]


def test_an_outcome_is_measured_by_the_half_of_the_range_it_fell_into(connection: sqlite3.Connection) -> None:
    [outcome] = changes_since(connection, NOW, THURSDAY).outcomes
    assert (outcome.low, outcome.high, outcome.inside) == (pytest.approx(-0.02), pytest.approx(0.02), True)
    assert outcome.size == pytest.approx(0.01 / log(102 / 100))


def test_an_outcome_outside_of_its_range_is_a_surprise(record: Record, tmp_path: Path) -> None:
    copy = record.copy_to(tmp_path)
    copy.force("UPDATE scores SET realised_return = -0.05")
    with snapshot(copy.database) as connection:
        changes = changes_since(connection, NOW, THURSDAY)
    [surprise] = changes.surprises
    assert (surprise.ticker, surprise.size, changes.expected_outside) == ("IBM", pytest.approx(0.05 / -log(0.98)), 0.1)


def test_the_page_is_well_formed_and_runs_nothing_of_its_own(connection: sqlite3.Connection) -> None:
    page = Page(today_page(connection, static_site(NOW), NOW, state()))
    assert page.faults == []
    assert "Forecasts for Fri 8 Mar 2024" in page.text
    assert "4 new forecasts by 1 run. The newest began 13 hours ago ( backfill ): done, 1 ticker ok, 0 failed." in page.text
    assert "Thu 7 Mar 2024: 0 of 1 outcome outside of the 90 % range, 0.1 expected." in page.text


def test_a_session_that_has_closed_is_told(connection: sqlite3.Connection) -> None:
    facts = today_facts(connection, NOW)
    assert facts.sessions_behind == facts.tickers[0].sessions_behind > 0
    page = today_page(connection, static_site(NOW), NOW, state())
    assert "This session has closed: the newest forecasts are" in page


def test_the_numbers_of_a_row_are_in_the_order_of_the_columns(connection: sqlite3.Connection) -> None:
    html = today_page(connection, served_site(NOW), NOW, state())
    row = re.sub(r"<[^>]+>", " ", html[html.index("<tbody>") : html.index("</tbody>")]).split()
    assert row[:3] == ["IBM", "+3.0", "%"]
    assert row[3:12] == ["100.00", "98.00", "-2.0", "%", "100.00", "0.0", "%", "102.00", "+2.0"]


def test_a_report_of_other_tickers_says_nothing_of_one(connection: sqlite3.Connection) -> None:
    page = Page(today_page(connection, static_site(NOW, {"today": "Today"}), NOW, state(), ["MSFT"]))
    assert "IBM" not in page.text
    assert "No forecasts yet" in page.text
    assert "health.html" not in page.links


def test_a_name_is_escaped_in_the_page(record: Record, tmp_path: Path) -> None:
    copy = record.copy_to(tmp_path)
    copy.force("UPDATE tickers SET symbol = '<script>alert(1)</script>' WHERE id = 1")
    with snapshot(copy.database) as connection:
        html = today_page(connection, static_site(NOW), NOW, state())
    assert "<script>alert" not in html
    assert Page(html).faults == []


def test_a_sparkline_is_drawn_from_the_oldest_price_to_the_range() -> None:
    # 192 x 52 with a range of 24 at the right; the highest of 100 to 110 is at 1, the lowest at 51.
    drawn = str(sparkline([100.0, 110.0, 105.0], 100.0, 110.0))
    assert re.findall(r' d="([^"]+)"', drawn) == ["M168 26L192 51V1z", "M0 51l84-50l84 25"]


@pytest.mark.parametrize("closes", [[100.0], [100.0, 100.0]])
def test_a_sparkline_of_one_price_or_of_equal_ones_is_a_level_line(closes: list[float]) -> None:
    assert 'd="M0 1l168 0"' in str(sparkline(closes, 100.0, 100.0))


def test_a_page_of_many_tickers_shows_some_and_a_form_that_searches_all(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "MOST_ROWS", 0)
    served = Page(today_page(connection, served_site(NOW), NOW, state(), search='"><IBM'))
    assert served.faults == []
    assert "Search all tickers" in served.text
    assert "1 ticker." in served.text
    written = Page(today_page(connection, static_site(NOW), NOW, state()))
    assert (written.faults, "Search all tickers" in written.text) == ([], False)
