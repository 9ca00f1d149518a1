"""The report names the mode of what it states: the live record stands first, and modes are never pooled without saying so."""

from __future__ import annotations

import pytest

from tickercast.jobs.analysis.report.charts import coverage
from tickercast.jobs.analysis.report.pages import IndexEntry, Row, index_page, verdict_sentences


def skill_row(mode: str, n: int, verdict: str, *, ticker: str = "*", p: float | None = None, horizon: int = 1) -> Row:
    return {
        "ticker": ticker, "horizon": horizon, "mode": mode, "n": n, "crps": 0.0088, "baseline_crps": 0.0089,
        "verdict": verdict, "p_adjusted": p,
    }  # fmt: skip


# As view skill sorts them: by ticker, horizon and mode.
SKILL = [
    skill_row("*", 118, "better", p=0.01),
    skill_row("backfill", 57, "better", p=0.0),
    skill_row("live", 61, "not distinguishable"),
    skill_row("live", 60, "worse", horizon=2),
]


def test_the_live_record_is_stated_first_and_each_mode_is_named() -> None:
    assert verdict_sentences(SKILL) == [
        "All tickers together (live): not distinguishable from a random walk one session ahead "
        "(CRPS 88.0 bp against 89.0 bp, n = 61).",
        "All tickers together (all modes together): better than a random walk one session ahead "
        "(CRPS 88.0 bp against 89.0 bp, n = 118, p = 0.010).",
        "All tickers together (backfill): better than a random walk one session ahead "
        "(CRPS 88.0 bp against 89.0 bp, n = 57, p < 0.001).",
    ]


@pytest.mark.parametrize("mode", ["backfill", "catchup", "live"])
def test_the_only_mode_is_not_stated_twice(mode: str) -> None:
    rows = [skill_row("*", 57, "better", p=0.01, ticker="IBM"), skill_row(mode, 57, "better", p=0.01, ticker="IBM")]
    assert [sentence.split(":")[0] for sentence in verdict_sentences(rows)] == [f"These forecasts ({mode})"]


def test_without_scores_the_page_says_so() -> None:
    assert verdict_sentences([]) == ["No forecast has been scored yet."]


def test_the_index_shows_the_live_verdict_of_a_ticker_and_names_its_mode() -> None:
    forecast = {"origin": "2026-11-24", "last_price": 10.0, "q05": 9.0, "q50": 10.0, "q95": 11.0}
    entry = IndexEntry("IBM", forecast, {"sessions_behind": 0}, [row | {"ticker": "IBM"} for row in SKILL])
    assert "<td>not distinguishable (live, n=61)</td>" in index_page([entry], SKILL)


def test_a_chart_of_coverage_names_the_mode_of_its_scores() -> None:
    scored = [{"horizon": 1, "inside_50": 1, "inside_80": 1, "inside_90": 1}] * 3
    assert coverage(scored, "live").layout.title.text == "Coverage of the intervals, mode live, 3 scores"
