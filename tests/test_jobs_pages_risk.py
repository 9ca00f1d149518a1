"""The page Risk: whose figures it shows, what it says of them, and that it is complete without a script."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.builders import (
    COLD_ORIGIN,
    CONFIG,
    IBM,
    MSFT,
    SESSIONS,
    WARM_ORIGIN,
    Record,
    add_origins,
    at_night,
    origin_row,
    score_row,
    small_record,
)
from tickercast.jobs.pages.risk import risk_page, sentence, sentences, verdict_text
from tickercast.jobs.pages.risk_charts import exceedances
from tickercast.jobs.pages.risk_facts import RiskFacts, TickerRisk, risk_facts
from tickercast.jobs.pages.site import served_site, static_site
from tickercast.jobs.scoring.sums import complete_sums
from tickercast.storage import writes
from tickercast.storage.queries.score_sums import ALL_OF_CONFIG
from tickercast.storage.reader import snapshot
from tickercast.storage.rows import RiskRow
from tickercast.storage.schema import Score

NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)
NEWEST: dict[str, Any] = {
    "origin": WARM_ORIGIN, "target": SESSIONS[4], "var_return": -0.02, "es_return": -0.03, "es_percent": -2.9,
}  # fmt: skip
OVERALL: dict[str, Any] = {
    "mode": "*", "level": 0.05, "exceedances": 3, "n": 250, "expected": 12.5, "p_adjusted": 0.01, "verdict": "too few",
}  # fmt: skip


def rows_of(ticker_id: int | None, mode: str, n: int, counts: tuple[int, int], **more: Any) -> list[RiskRow]:
    """Return the rows of 5 % and 1 % of a mode, each with its exceedances."""
    given = (NEWEST if ticker_id else {}) | more
    levels = zip((0.05, 0.01), counts, strict=True)
    return [RiskRow(ticker_id, 1, mode, level, n, x, SESSIONS[0], SESSIONS[1], **given) for level, x in levels]


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Return a record in which IBM has 250 scores of a backfill and ten live ones; MSFT has a forecast and no risk."""
    made = small_record(tmp_path_factory.mktemp("risk"))
    rows = [
        *rows_of(IBM, "live", 10, (1, 0)),
        *rows_of(IBM, "backfill", 250, (20, 3), kupiec_p=0.04, independence_p=0.6, p_adjusted=0.03, verdict="too many"),
        *rows_of(IBM, "*", 260, (21, 3)),
        *rows_of(None, "backfill", 250, (20, 3), date_p=0.5, p_adjusted=0.5),
        *rows_of(None, "live", 10, (1, 0)),
        *rows_of(None, "*", 260, (21, 3), date_p=0.5, p_adjusted=0.5),
    ]
    with made.writing() as connection:
        add_origins(connection, origin_row(WARM_ORIGIN, "warm", ticker_id=MSFT))
        writes.replace_risk(connection, CONFIG, rows, computed_at=at_night(SESSIONS[-1]))
    return made


@pytest.fixture
def connection(record: Record) -> Iterator[sqlite3.Connection]:
    with snapshot(record.database) as found:
        yield found


@pytest.fixture
def facts(connection: sqlite3.Connection) -> RiskFacts:
    return risk_facts(connection)


def test_a_ticker_has_the_mode_with_enough_scores_for_a_test(facts: RiskFacts) -> None:
    [ibm] = facts.tickers
    assert (ibm.five["mode"], ibm.five["n"], ibm.five["exceedances"], ibm.one["exceedances"]) == ("backfill", 250, 20, 3)
    assert (facts.target, facts.currency) == ("2024-03-08", "USD")


def test_tickers_whose_risk_is_not_computed_yet_are_named(connection: sqlite3.Connection, facts: RiskFacts) -> None:
    assert facts.missing == ["MSFT"]
    assert "Without risk until the next run: MSFT." in risk_page(connection, static_site(NOW), NOW)


def test_tickers_with_newer_forecasts_than_their_risk_are_named(
    record: Record, tmp_path_factory: pytest.TempPathFactory, facts: RiskFacts
) -> None:
    stopped = record.copy_to(tmp_path_factory.mktemp("stopped"))
    stopped.force("UPDATE risk_tests SET target = '2024-03-07'")
    with snapshot(stopped.database) as connection:
        assert (facts.behind, risk_facts(connection).behind) == ([], ["IBM"])
        assert "With newer forecasts than this risk until the next run: IBM." in risk_page(connection, static_site(NOW), NOW)


def test_the_shares_by_sessions_ahead_are_of_the_mode_that_could_be_tested(facts: RiskFacts) -> None:
    [(horizon, levels)] = facts.by_horizon()
    assert (horizon, levels[0.05]["mode"], levels[0.01]["mode"]) == (1, "backfill", "backfill")


def test_the_sentences_are_of_each_mode_live_first(facts: RiskFacts) -> None:
    assert sentences(facts)[:2] == [
        "All tickers together (live): 1 of 10 outcomes were below the 5 % value at risk, 0.5 expected. "
        "Too few target dates for a test.",
        "All tickers together (live): 0 of 10 outcomes were below the 1 % value at risk, 0.1 expected. "
        "Too few target dates for a test.",
    ]
    assert [text[22:26] for text in sentences(facts)] == ["live", "live", "back", "back"]


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({}, "3 of 250 outcomes were below the 5 % value at risk, 12.5 expected: too few (p = 0.010)."),
        ({"verdict": "not distinguishable", "p_adjusted": 0.3}, "12.5 expected: no more than chance explains (p = 0.300)."),
        ({"expected": 1250.0, "p_adjusted": 0.0001}, "1,250 expected: too few (p < 0.001)."),
    ],
)
def test_a_sentence_says_what_to_make_of_a_count(changes: dict[str, Any], end: str) -> None:
    assert sentence(OVERALL | changes).endswith(end)


@pytest.mark.parametrize(
    ("n", "five", "one", "words"),
    [
        (0, "not distinguishable", "not distinguishable", "no score yet"),
        (59, "not distinguishable", "not distinguishable", "too few scores"),
        (60, "not distinguishable", "not distinguishable", "within chance"),
        (60, "too many", "not distinguishable", "5 %: too many"),
        (60, "dependent", "too few", "5 %: dependent, 1 %: too few"),
    ],
)
def test_a_tickers_verdict_names_the_levels_that_were_not_kept(n: int, five: str, one: str, words: str) -> None:
    levels = {0.05: {"n": n, "verdict": five}, 0.01: {"n": n, "verdict": one}}
    assert verdict_text(TickerRisk("IBM", "USD", levels)) == words


def test_the_chart_has_the_share_of_the_tickers_of_each_day() -> None:
    days = [
        {"target": "2024-03-07", "n": 4, "below_5": 1, "below_1": 0},
        {"target": "2024-03-08", "n": 8, "below_5": 6, "below_1": 2},
    ]
    chart = exceedances(days)
    assert [trace["y"] for trace in chart.data] == [[0.25, 0.75], [0.0, 0.25]]
    assert "7 of 12 (58.3 %; the line is at 5 %). Most on Fri 8 Mar 2024: 6 of 8 tickers." in chart.text
    assert chart.table.rows[0] == ("Fri 8 Mar 2024", "8", "6", "2", "75.0")


def test_days_are_counted_from_the_scores_one_session_ahead(record: Record, tmp_path_factory: pytest.TempPathFactory) -> None:
    changed = record.copy_to(tmp_path_factory.mktemp("days"))
    with changed.writing() as writer:
        writes.insert_mappings(writer, Score, [score_row(COLD_ORIGIN, 2)])
    changed.force("UPDATE scores SET pit = 0.02")
    with changed.writing() as writer:
        writes.mark_unsummed(writer, CONFIG, [ALL_OF_CONFIG])
        complete_sums(writer, CONFIG)
    with snapshot(changed.database) as connection:
        assert risk_facts(connection).days == [{"target": "2024-03-07", "n": 1, "below_5": 1, "below_1": 0}]


class Tags(HTMLParser):
    """The open elements of a page, which must end in their order; no script but data and files, no handler of an event."""

    VOID = ("meta", "link", "input", "br", "path")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.open += [tag] if tag not in self.VOID else []
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.faults.append("an inline script")
        self.faults += [name for name in given if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")


def test_the_page_is_well_formed_and_has_no_inline_script(connection: sqlite3.Connection) -> None:
    tags = Tags()
    tags.feed(risk_page(connection, served_site(NOW), NOW))
    assert (tags.open, tags.faults) == ([], [])


def test_the_page_has_every_figure_without_a_script(connection: sqlite3.Connection) -> None:
    page = risk_page(connection, served_site(NOW), NOW)
    assert "<h1>Risk of Fri 8 Mar 2024</h1>" in page
    assert "<td>98.02<i>-2.0 %</i></td>" in page  # 100 * exp(-0.02)
    assert "<td>20 / 12.5<i>8.0 %</i></td>" in page
    assert "<td>0.040<i>0.600</i></td>" in page
    assert '<b class="warn">5 %: too many, 1 %: too many</b>' in page


def test_a_home_without_risk_says_how_it_comes(record: Record, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = record.copy_to(tmp_path_factory.mktemp("empty"))
    empty.force("DELETE FROM risk_tests")
    with snapshot(empty.database) as connection:
        assert "or <code>tickercast db upgrade</code> at once" in risk_page(connection, static_site(NOW), NOW)
