"""Evaluation through the Python door: the table of the command, also against another tool's frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.frame_builders import bars_of, closes_only, long_frame
from tests.price_builders import write_csv
from tickercast.errors import ArgumentError, DataWarning
from tickercast.evaluation import evaluate
from tickercast.jobs.analysis.baselines import BASELINE_METHODS
from tickercast.jobs.analysis.evaluate import Comparison, evaluate_kept
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.runs.backfill import BackfillRequest
from tickercast.windows import cross_validation

BARS = 640
FRAME = long_frame("IBM", "MSFT", count=BARS)
DAYS = FRAME["ds"].unique()


def fixed_cold_start() -> date:
    """Return the newest session but five on which a record's networks start cold."""
    days: list[date] = [day.date() for day in DAYS[:-5]]
    return next(day for day in reversed(days) if exchange_calendar("XNYS").session_index(day) % 63 == 0)


def naive(frame: pd.DataFrame, name: str = "Naive") -> pd.DataFrame:
    """Return another tool's frame for the cutoffs of ours: the price of the cutoff, 2 % more and less."""
    last = FRAME.set_index(["unique_id", "ds"])["y"].loc[list(zip(frame["unique_id"], frame["cutoff"], strict=True))].to_numpy()
    prices = {name: last, f"{name}-lo-80": 0.98 * last, f"{name}-hi-80": 1.02 * last}
    return frame[["unique_id", "ds", "cutoff", "y"]].assign(**prices)


@pytest.mark.slow
def test_the_table_is_that_of_the_command_in_a_home_with_the_same_bars(tmp_path: Path) -> None:
    for ticker in ("IBM", "MSFT"):
        write_csv(tmp_path / "prices", ticker, bars_of(ticker, BARS))
    first, last = fixed_cold_start(), DAYS[-6].date()
    request = BackfillRequest(("IBM", "MSFT"), first, last, f"folder:{tmp_path / 'prices'}", "full", workers=1)
    rows = evaluate_kept(tmp_path / "home", request, Comparison(BASELINE_METHODS)).rows
    cutoffs = [day for day in DAYS if first <= day.date() <= last]
    cv = pd.DataFrame(
        [(ticker, day, day) for ticker in ("IBM", "MSFT") for day in cutoffs], columns=["unique_id", "ds", "cutoff"]
    )
    table = evaluate(FRAME.drop(columns=["dividend", "split"]), cv)
    expected = pd.DataFrame([astuple(row) for row in rows], columns=list(table))
    pd.testing.assert_frame_equal(table, expected, check_exact=True)
    assert len(table) > 8


def test_another_tools_frame_is_compared_on_its_cutoffs_and_levels() -> None:
    ours = cross_validation(FRAME, n_windows=6)
    table = evaluate(FRAME, naive(ours)).query("period == 'all' and context == 'all'")
    assert sorted(set(table["method"])) == sorted(["tickercast", "Naive", *BASELINE_METHODS])
    assert set(table["n"]) == {12}
    assert set(table.loc[table["coverage_80"].notna(), "method"]) == set(table["method"])
    naive_error = table.query("method == 'Naive' and horizon == 5")["mae"].item()
    plain = FRAME.drop(columns=["dividend", "split"])
    paths = {ticker: np.log(rows["y"].to_numpy()) for ticker, rows in plain.groupby("unique_id")}
    by_hand = np.mean([abs(path[-1 - i] - path[-6 - i]) for path in paths.values() for i in range(6)])
    assert naive_error == pytest.approx(100 * by_hand, rel=1e-9)


def test_a_frame_of_ours_gives_the_cutoffs_alone() -> None:
    ours = cross_validation(FRAME, n_windows=6, level=[80])
    pd.testing.assert_frame_equal(evaluate(FRAME, ours), evaluate(FRAME, n_windows=6), check_exact=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda cv: cv.drop(columns="cutoff"), "cv: no column cutoff"),
        (lambda cv: cv.assign(unique_id="X" + cv["unique_id"]), "no row of it at a cutoff of cv"),
        (lambda cv: cv.drop(columns=["Naive-lo-80", "Naive-hi-80"]), "no model has columns of levels"),
        (lambda cv: cv.rename(columns=lambda name: name.replace("Naive", "tickercast")), "is called 'tickercast' already"),
        (lambda cv: cv.assign(**{"Naive-lo-80": 3 * cv["y"]}), "cv: Naive has the low end of its 80 % interval above the high"),
        (
            lambda cv: cv.assign(**{"Naive-lo-80": 3 * cv["y"], "Naive": 3 * cv["y"], "Naive-hi-80": 4 * cv["y"]}),
            "its medians are 2.95 times",
        ),
    ],
)
def test_a_frame_that_cannot_be_compared_is_refused(change: Callable[[pd.DataFrame], pd.DataFrame], said: str) -> None:
    last = FRAME.groupby("unique_id").tail(6)
    cutoff = last.groupby("unique_id")["ds"].transform("min")
    with pytest.raises(ArgumentError, match=said):
        evaluate(FRAME, change(naive(last.assign(cutoff=cutoff)[last["ds"] > cutoff])))


def test_a_model_without_a_forecast_at_a_horizon_is_told() -> None:
    cv = naive(cross_validation(FRAME, n_windows=6))
    with pytest.warns(DataWarning, match="^Naive has no forecast 1 session ahead, and is not compared there; its ds must be"):
        table = evaluate(FRAME, cv[cv["ds"] > cv.groupby(["unique_id", "cutoff"])["ds"].transform("min")])
    assert table.loc[table["method"] == "Naive", "horizon"].unique().tolist() == [5]


def test_without_a_number_there_are_as_many_windows_as_the_rows_allow() -> None:
    table = evaluate(long_frame("IBM", count=560))  # 550 rows before the first cutoff, 5 after the last one
    assert table["n"].unique().tolist() == [5]


def test_too_few_rows_are_told_with_what_is_needed() -> None:
    with pytest.raises(ArgumentError, match="MSFT: 300 usable rows, 6 windows of 5 rows ahead need 561"):
        evaluate(closes_only(long_frame("MSFT", count=300)), n_windows=6)
