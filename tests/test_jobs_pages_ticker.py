"""The page of a ticker: facts against SQL, charts against arithmetic, and a page that is complete without a script."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from math import log
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.builders import COLD_ORIGIN, CONFIG, Record, add_origins, at_night, origin_row, small_record
from tests.page_builders import outcome, outcomes
from tickercast.jobs.pages import article, ticker, ticker_charts, training_charts
from tickercast.jobs.pages import compare_facts as compare_facts_module
from tickercast.jobs.pages import ticker_facts as ticker_facts_module
from tickercast.jobs.pages.site import ASSETS, served_site, static_site
from tickercast.jobs.pages.ticker_facts import PAST_TARGETS, ticker_facts
from tickercast.jobs.pages.timeline import Happening, timeline
from tickercast.storage import schema
from tickercast.storage.errors import UnknownStoredTicker
from tickercast.storage.newest_origins import NTH_NEWEST
from tickercast.storage.reader import snapshot

NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)
INDEXED = ("CONFIGS", "NEWEST", "BARS", "PAST", "TRAININGS", "LOSSES", "SKILL", "FRESHNESS", "LINEAGE", "PRIOR", "REPORTS_AHEAD")
OTHER_CONFIG = {
    "id": "older", "preset": "density", "field": "close", "settings": "[]", "active": 0, "created_at": at_night(COLD_ORIGIN),
}  # fmt: skip
VOID = {"meta", "link", "input", "br", "img", "path"}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return small_record(tmp_path_factory.mktemp("ticker"))


@pytest.fixture
def connection(record: Record) -> Iterator[sqlite3.Connection]:
    with snapshot(record.database) as found:
        yield found


class Balance(HTMLParser):
    """Notes the tags that are open, and closing ones that match none."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def training(origin: str, start: str, reason: str, epoch: int = 0, **losses: float | None) -> dict[str, Any]:
    return {
        "model_id": origin, "origin": origin, "start": start, "reason": reason, "epoch": epoch, "train_loss": 1.5,
        "validation_loss": 1.25,
    } | losses  # fmt: skip


def test_the_facts_are_those_of_sql(record: Record, connection: sqlite3.Connection) -> None:
    facts = ticker_facts(connection, "IBM")
    query = f"SELECT target, q95 FROM forecast_history WHERE ticker = 'IBM' AND config = '{CONFIG}' ORDER BY origin DESC, horizon"
    assert [(row["target"], row["q95"]) for row in facts.forecasts] == record.rows(query)[:2]
    assert [(row["target"], row["state"], row["crps"]) for row in facts.past] == record.rows(
        "SELECT target, state, crps FROM outcome WHERE ticker = 'IBM' AND horizon = 1 AND state != 'pending' ORDER BY target"
    )
    assert [(row["model_id"], row["epoch"], row["validation_loss"]) for row in facts.trainings] == [
        ("cold", 0, 1.6), ("cold", 1, 1.6), ("warm", None, None),
    ]  # fmt: skip
    assert facts.lineage.model is not None
    assert facts.lineage.cold_start is not None
    assert (facts.lineage.model["model_id"], facts.lineage.cold_start["model_id"]) == ("warm", "cold")


@pytest.mark.parametrize(
    "query",
    [*(getattr(ticker_facts_module, name) for name in INDEXED), compare_facts_module.WIDTHS, NTH_NEWEST],
    ids=[*INDEXED, "WIDTHS", "NTH_NEWEST"],
)
def test_a_query_reads_the_rows_of_its_ticker_alone(connection: sqlite3.Connection, query: str) -> None:
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", ("x",) * query.count("?"))]
    # Tables of a few rows: configs, and what a subquery has already found.
    assert [step for step in plan if re.match(r"SCAN (?!c\b|\(subquery)", step)] == []


def test_only_the_newest_past_and_its_trainings_are_read(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    every = ticker_facts(connection, "IBM")
    monkeypatch.setattr(ticker_facts_module, "PAST_TARGETS", 1)
    newest = ticker_facts(connection, "IBM")
    assert [[row["origin"] for row in facts.past] for facts in (every, newest)] == [["2024-03-06", "2024-03-07"], ["2024-03-07"]]
    assert {row["origin"] for row in every.trainings} == {"2024-03-06", "2024-03-07"}
    assert {row["origin"] for row in newest.trainings} == {"2024-03-07"}


def test_a_ticker_that_is_not_stored_or_not_under_a_config_is_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(UnknownStoredTicker, match="NOPE"):
        ticker_facts(connection, "NOPE")
    with pytest.raises(UnknownStoredTicker, match="no forecasts under config other"):
        ticker_facts(connection, "IBM", "other")


def test_the_headline_has_the_band_of_the_next_session_in_prices_and_percent(connection: sqlite3.Connection) -> None:
    facts = replace(ticker_facts(connection, "IBM"), sessions_behind=0)
    assert ticker.headline(facts).replace("\N{NO-BREAK SPACE}", " ") == (
        "Fri 8 Mar 2024: IBM should close between 98.00 and 102.00 USD (-2.0 % to +2.0 %) with a probability of 90 %."
    )


def test_a_session_that_has_closed_is_not_told_as_one_ahead(connection: sqlite3.Connection) -> None:
    facts = replace(ticker_facts(connection, "IBM"), sessions_behind=1)
    assert ticker.headline(facts).startswith("Fri 8 Mar 2024: IBM was forecast to close between 98.00 and 102.00 USD")


def test_the_width_is_told_as_a_price_and_in_percent(connection: sqlite3.Connection) -> None:
    facts = ticker_facts(connection, "IBM")
    width = next(figure for figure in ticker.key_figures(facts) if figure.title == "Width of that range")
    assert (width.value, width.note.partition(";")[0]) == ("4.0 %", "4.00 USD")
    assert ticker.forecast_rows(facts)[0].distance == "4.00"


def test_a_config_without_the_newest_sessions_is_further_behind(record: Record, tmp_path: Path) -> None:
    copy = record.copy_to(tmp_path)
    with copy.writing() as writer:
        writer.execute(sa.insert(schema.Config), [OTHER_CONFIG])
        add_origins(writer, origin_row(COLD_ORIGIN, "cold", config_id="older"))
    with snapshot(copy.database) as connection:
        newest, older = (ticker_facts(connection, "IBM", config).sessions_behind for config in (CONFIG, "older"))
    assert older == newest + 1


def test_the_last_outcome_is_told_with_its_place_and_mode(connection: sqlite3.Connection) -> None:
    figures = {figure.title: figure for figure in ticker.key_figures(ticker_facts(connection, "IBM"))}
    found = figures["Last outcome, Fri 8 Mar 2024"]
    assert found.note == "inside its 90 % range, backfill, may be corrected"


def test_the_table_has_each_session_with_its_quantiles(connection: sqlite3.Connection) -> None:
    rows = ticker.forecast_rows(ticker_facts(connection, "IBM"))
    assert [(row.weekday, row.day, row.report) for row in rows] == [("Fri", "8 Mar", False), ("Mon", "11 Mar", False)]
    assert rows[0].cells[0] == ("98.00", "-2.0 %")
    assert rows[0].width == pytest.approx(4.0)


@pytest.mark.parametrize("symbol", ["IBM", "MSFT"])
def test_the_page_is_well_formed_and_complete_without_a_script(connection: sqlite3.Connection, symbol: str) -> None:
    page = ticker.ticker_page(connection, static_site(NOW).below(), NOW, symbol)
    balance = Balance()
    balance.feed(page)
    assert (balance.open, balance.wrong) == ([], [])
    assert not re.search(r"<script(?![^>]*(?:src=|application/json))|\son\w+=|\sstyle=", page)
    assert ("98.00" in page) == (symbol == "IBM")


def test_a_session_on_which_the_company_reports_is_marked(record: Record, tmp_path: Path) -> None:
    copy = record.copy_to(tmp_path)
    copy.force("UPDATE company_events SET date = '2024-03-09'")  # a Saturday: the session after it shows it
    with snapshot(copy.database) as connection:
        facts = ticker_facts(connection, "IBM")
    assert [row.report for row in ticker.forecast_rows(facts)] == [False, True]


def test_a_page_of_two_years_is_lighter_than_300_kilobytes(connection: sqlite3.Connection) -> None:
    facts = ticker_facts(connection, "IBM")
    days = [(date(2024, 1, 1) + timedelta(day)).isoformat() for day in range(PAST_TARGETS)]
    full = replace(
        facts,
        past=outcomes([1, 1, 0, 1] * (PAST_TARGETS // 4), mode="live"),
        trainings=[training(day, "warm", "warm", train_loss=1.2345678, validation_loss=1.3456789) for day in days],
        skill=facts.skill * 20,
    )
    events = [Happening(day, "report", "earnings, from a file", day) for day in days]
    assert len(ticker.page_of(full, events, static_site(NOW)).encode()) < 300_000


def test_a_ticker_without_forecasts_says_what_to_do(connection: sqlite3.Connection) -> None:
    page = ticker.ticker_page(connection, served_site(NOW), NOW, "MSFT")
    assert "MSFT has no forecast yet." in page
    assert "<code>tickercast backfill MSFT</code>" in page


def test_what_keeps_a_ticker_from_new_forecasts_is_told(record: Record, tmp_path: Path) -> None:
    copy = record.copy_to(tmp_path)
    copy.force("UPDATE tickers SET tracked = 0, last_error = 'no answer' WHERE symbol = 'IBM'")
    with snapshot(copy.database) as connection:
        found = ticker.warnings(ticker_facts(connection, "IBM"))
    assert [warning.partition(":")[0] for warning in found] == [
        "Its last run failed", "1 bar quarantined", "It is not tracked",
    ]  # fmt: skip


def test_the_timeline_has_every_kind_of_event_once(connection: sqlite3.Connection) -> None:
    found = timeline(connection, "IBM", ticker_facts(connection, "IBM").trainings, date(2024, 3, 13))
    assert sorted(entry.kind for entry in found) == ["cold start", "gap", "quarantined bar", "report", "restatement"]
    assert [entry.day for entry in found] == sorted((entry.day for entry in found), reverse=True)


def test_earlier_prices_are_brought_to_the_scale_of_the_last_one() -> None:
    # A split of 2:1 before the last bar: prices halve, the adjusted return does not.
    bars = [
        {"session": "2024-03-06", "open": 198.0, "close": 200.0, "adjusted_return": None},
        {"session": "2024-03-07", "open": 104.0, "close": 105.0, "adjusted_return": log(1.05)},
    ]
    assert ticker_charts.prices_on_scale_of(105.0, bars, "close") == pytest.approx([100.0, 105.0])
    assert ticker_charts.prices_on_scale_of(104.0, bars, "open") == pytest.approx([99.0, 104.0])


def test_the_fan_has_no_gap_where_there_is_no_session(connection: sqlite3.Connection) -> None:
    facts = ticker_facts(connection, "IBM")
    axis = ticker_charts.fan("IBM", facts.forecasts, facts.bars, "USD").layout["xaxis"]
    assert axis["type"] == "category"
    assert axis["categoryarray"] == ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-11"]


def test_misses_of_the_band_stand_out_in_percent_of_the_last_price() -> None:
    chart = ticker_charts.returns("IBM", outcomes([1, 0, 1]))
    misses = next(trace for trace in chart.data if trace["role"] == "miss")
    assert (misses["x"], misses["y"]) == (["2024-01-02"], [3.0])
    assert chart.text.startswith("1 of 3 moves of IBM (33.3 %) ended outside")


def test_the_live_record_is_marked_where_it_begins() -> None:
    chart = ticker_charts.returns("IBM", [outcome(0), outcome(1, mode="live")])
    assert [label["text"] for label in chart.layout["annotations"]] == ["live from 2 Jan"]
    assert "(1 live, 1 backfill)" in chart.text


def test_losses_mark_cold_starts_and_drift_in_nats() -> None:
    rows = [
        training("2024-01-01", "cold", "first origin"), training("2024-01-02", "warm", "warm", validation_loss=2.0),
        training("2024-01-03", "cold", "drift", train_loss=None, validation_loss=None),  # it only drops what was learned
    ]  # fmt: skip
    (chart,) = training_charts.loss_charts(rows, "density")
    marks = {trace["name"]: (trace["x"], trace["y"]) for trace in chart.data if trace["mode"] == "markers"}
    assert marks == {"cold start": (["2024-01-01"], [1.25]), "drift": (["2024-01-03"], [2.0])}
    assert "2.000 nats per target" in chart.text


def test_the_epochs_of_a_cold_start_are_drawn_where_there_are_several() -> None:
    rows = [training("a", "cold", "first origin", epoch, train_loss=1 / (epoch + 1), validation_loss=None) for epoch in range(3)]
    (chart,) = training_charts.loss_charts(rows, "article")
    assert chart.layout["yaxis"]["type"] == "log"
    assert "from 1.0000 to 0.3333 in 3 epochs" in chart.text


def test_the_articles_sentences_state_its_errors_and_its_copying() -> None:
    rows = [
        outcome(day, q50=price, last_price=price, realised_price=price + 1) for day, price in enumerate([100.0, 102.0, 101.0])
    ]
    assert article.article_sentences(rows, 8) == [
        "One training of 8 updates on the first 80 % of the bars; 3 one-session test forecasts.",
        "RMSE 1.000; the last value alone scores 1.000.",
        "100 % of the forecast's day-to-day move merely copies yesterday's.",
    ]
    assert article.copied_share([1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0]) == 0.0


def test_a_chart_becomes_a_figure_of_plotly_with_colours() -> None:
    from tickercast.jobs.pages.figures import plotly_figure

    figure = plotly_figure(ticker_charts.returns("IBM", [outcome(0), outcome(1, mode="live", inside=0)]), "IBM")
    assert figure.layout.title.text == "IBM"
    assert [trace.marker.color for trace in figure.data if trace.mode == "markers"] == ["#24588f", "#c9211e"]


def test_the_colours_of_figures_are_those_of_the_light_pages() -> None:
    from tickercast.jobs.pages.figures import COLOURS

    light = (ASSETS / "style.css").read_text().partition("@media (prefers-color-scheme: dark)")[0]
    assert dict(re.findall(r"--chart-(\w+): (#\w+)", light)) == COLOURS


def test_a_server_links_to_the_same_rows_in_the_record(connection: sqlite3.Connection) -> None:
    page = ticker.ticker_page(connection, served_site(NOW, others={"Data": "record"}), NOW, "IBM")
    assert '<a href="/record/outcome?ticker=IBM&amp;_sort_desc=origin">' in page
