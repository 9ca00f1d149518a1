"""The page Compare: what is chosen in the URL is shown, figures against arithmetic, and what is left out is said."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.builders import CONFIG, MSFT, SESSIONS, Record, add_origins, at_night, origin_row, small_record
from tickercast.jobs.pages.compare import compare_page, entry_names
from tickercast.jobs.pages.compare_charts import ranges, widths
from tickercast.jobs.pages.compare_facts import compare_facts, named_tickers
from tickercast.jobs.pages.site import served_site, static_site
from tickercast.storage import schema
from tickercast.storage.reader import snapshot

NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)
OTHER = "decade"


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Return a record of IBM under two configs, and of MSFT with a wider range under the active one."""
    made = small_record(tmp_path_factory.mktemp("compare"))
    config = {
        "id": OTHER,
        "preset": "density",
        "field": "close",
        "settings": "[]",
        "active": 0,
        "created_at": at_night(SESSIONS[0]),
    }
    with made.writing() as connection:
        connection.execute(sa.insert(schema.Config), [config])
        add_origins(connection, origin_row(SESSIONS[3], "warm", config_id=OTHER))
        add_origins(connection, origin_row(SESSIONS[3], "warm", ticker_id=MSFT, q05=90.0, q95=115.0))
    return made


@pytest.fixture
def connection(record: Record) -> Iterator[sqlite3.Connection]:
    with snapshot(record.database) as found:
        yield found


def test_without_a_choice_the_widest_range_comes_first(connection: sqlite3.Connection) -> None:
    found = compare_facts(connection, [], [])
    assert [(entry.ticker, entry.width) for entry in found.entries] == [("MSFT", pytest.approx(25)), ("IBM", pytest.approx(4))]
    assert not found.is_chosen


def test_the_tickers_of_the_url_are_shown_in_their_order(connection: sqlite3.Connection) -> None:
    assert named_tickers(["ibm, MSFT", "IBM"]) == ["IBM", "MSFT"]
    found = compare_facts(connection, ["ibm,MSFT", "NOPE"], [])
    assert [(entry.ticker, entry.config["config"]) for entry in found.entries] == [("IBM", CONFIG), ("MSFT", CONFIG)]
    assert found.left_out == ["NOPE has no forecasts."]


def test_a_ticker_under_two_configs_has_two_entries_with_names_of_their_own(connection: sqlite3.Connection) -> None:
    found = compare_facts(connection, ["IBM", "MSFT"], [CONFIG, OTHER])
    assert entry_names(found) == ["IBM density c0ffee", "IBM density decade", "MSFT density c0ffee"]
    assert compare_facts(connection, ["MSFT"], [OTHER]).left_out == ["MSFT has no forecasts under the chosen configs."]


def test_an_entry_has_the_scores_of_the_mode_of_its_verdict(connection: sqlite3.Connection) -> None:
    (entry,) = compare_facts(connection, ["IBM"], []).entries
    assert entry.verdict is not None
    assert entry.scores is not None
    assert (entry.verdict.mode, entry.verdict.n, entry.scores["crps_skill"]) == ("backfill", 1, 0.25)


def test_ranges_are_drawn_in_percent_of_each_last_price(connection: sqlite3.Connection) -> None:
    chart = ranges(compare_facts(connection, ["IBM", "MSFT"], []).entries, ["IBM", "MSFT"])
    assert (chart.data[0]["base"], chart.data[0]["x"]) == ([-2.0, -10.0], [4.0, 25.0])
    assert "MSFT has the widest range: -10.0 % to +15.0 %" in chart.text


def test_widths_over_a_year_share_their_axes(connection: sqlite3.Connection) -> None:
    charts = widths(compare_facts(connection, ["IBM", "MSFT"], []).entries, ["IBM", "MSFT"])
    assert charts[0].layout == charts[1].layout
    assert charts[0].layout["yaxis"]["range"] == [0, pytest.approx(27)]


def test_few_widths_say_nothing_of_what_is_usual(connection: sqlite3.Connection) -> None:
    (entry,) = compare_facts(connection, ["IBM"], []).entries
    many = replace(entry, widths=entry.widths * 10)
    assert (entry.has_usual_width, many.has_usual_width) == (False, True)


def test_a_form_chooses_on_a_server_and_files_have_none(connection: sqlite3.Connection) -> None:
    served = compare_page(connection, served_site(NOW), NOW, ["IBM"], [])
    assert '<input type="checkbox" name="t" value="IBM" checked>' in served
    assert "<form" not in compare_page(connection, static_site(NOW), NOW)
