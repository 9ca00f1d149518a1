"""Verdicts name the mode of what they state: the live record stands first, and modes are never pooled without saying so."""

from __future__ import annotations

import pytest

from tickercast.jobs.pages.verdicts import Row, Verdict, verdict_of, verdict_sentences, verdicts_by_mode


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
        "All tickers together (backfill): better than a random walk one session ahead "
        "(CRPS 88.0 bp against 89.0 bp, n = 57, p < 0.001).",
        "All tickers together (all modes together): better than a random walk one session ahead "
        "(CRPS 88.0 bp against 89.0 bp, n = 118, p = 0.010).",
    ]


@pytest.mark.parametrize("mode", ["backfill", "catchup", "live"])
def test_the_only_mode_is_not_stated_twice(mode: str) -> None:
    rows = [skill_row("*", 57, "better", p=0.01, ticker="IBM"), skill_row(mode, 57, "better", p=0.01, ticker="IBM")]
    assert [sentence.split(":")[0] for sentence in verdict_sentences(rows)] == [f"These forecasts ({mode})"]


def test_without_scores_the_page_says_so() -> None:
    assert verdict_sentences([]) == ["No forecast has been scored yet."]
    assert verdict_of([]) is None


def test_the_one_verdict_is_the_live_one_once_a_test_is_possible() -> None:
    assert verdict_of(SKILL) == Verdict("not distinguishable", "live", 61)


def test_until_then_it_is_that_of_the_backfill_with_the_number_of_live_scores() -> None:
    rows = [skill_row("*", 311, "worse"), skill_row("backfill", 252, "better"), skill_row("live", 59, "not distinguishable")]
    assert verdict_of(rows) == Verdict("better", "backfill", 252, live=59)


def test_where_nothing_can_be_tested_yet_the_most_scores_count() -> None:
    rows = [skill_row("*", 9, "not distinguishable"), skill_row("catchup", 6, "not distinguishable"), skill_row("live", 3, "x")]
    assert verdict_of(rows) == Verdict("not distinguishable", "catchup", 6, live=3)


def test_verdicts_by_mode_pool_nothing() -> None:
    assert [(found.mode, found.word, found.n) for found in verdicts_by_mode(SKILL)] == [
        ("live", "not distinguishable", 61), ("backfill", "better", 57),
    ]  # fmt: skip
