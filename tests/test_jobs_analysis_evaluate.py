"""The evaluation: its table by hand, the command, and stored forecasts of other models that agree with the record."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from jobs.analysis.baselines import BASELINE_METHODS
from jobs.analysis.compare import OURS, MethodScores
from jobs.analysis.evaluate import COLUMNS, evaluation_rows
from tests.conftest import Command

pytestmark = pytest.mark.slow

DAYS = np.array(["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07"], dtype="datetime64[D]")
INSIDE_ALL = (True, True, True)
INSIDE_90 = (False, False, True)


def scores_of(ticker: str, method: str, crps: list[float], inside: list[tuple[bool, bool, bool]]) -> MethodScores:
    """Return scores of the first days at horizon 1; location and scale do not matter to the table."""
    n = len(crps)
    return MethodScores(ticker, 1, method, DAYS[:n], np.array(crps), np.array(inside), np.zeros(n), np.ones(n))


SCORES = [
    scores_of("A", OURS, [1.0, 2.0, 3.0, 4.0], [INSIDE_ALL, INSIDE_90, INSIDE_90, INSIDE_90]),
    scores_of("A", "other", [2.0, 2.0, 2.0, 2.0], [INSIDE_ALL, INSIDE_ALL, INSIDE_ALL, INSIDE_90]),
    scores_of("B", OURS, [1.0, 1.0], [INSIDE_ALL, INSIDE_ALL]),
    scores_of("B", "other", [3.0, 5.0], [INSIDE_90, INSIDE_90]),
]


def test_the_table_has_each_span_and_method_in_order() -> None:
    rows = evaluation_rows(SCORES)
    assert [(row.first_origin, row.last_origin, row.method, row.n, row.tickers) for row in rows] == [
        ("2024-03-04", "2024-03-07", OURS, 6, 2), ("2024-03-04", "2024-03-07", "other", 6, 2),
        ("2024-03-04", "2024-03-05", OURS, 4, 2), ("2024-03-04", "2024-03-05", "other", 4, 2),
        ("2024-03-06", "2024-03-07", OURS, 2, 1), ("2024-03-06", "2024-03-07", "other", 2, 1),
    ]  # fmt: skip


def test_a_row_has_the_means_over_all_tickers_and_origins() -> None:
    ours, other = evaluation_rows(SCORES)[:2]
    # Ours: (1 + 2 + 3 + 4 + 1 + 1) / 6 = 2; other: (4 * 2 + 3 + 5) / 6 = 16 / 6.
    assert (ours.crps, ours.ours_over_it, ours.ours_better_on) == (2.0, 1.0, None)
    assert other.crps == pytest.approx(16 / 6)
    assert other.ours_over_it == pytest.approx(12 / 16)
    assert (ours.coverage_50, ours.coverage_80, ours.coverage_90) == (3 / 6, 3 / 6, 1.0)


def test_ours_is_better_on_the_tickers_where_our_mean_is_lower() -> None:
    # A: 2.5 against 2 is worse; B: 1 against 4 is better. In the later half only A is left, and it is worse.
    assert [row.ours_better_on for row in evaluation_rows(SCORES) if row.method == "other"] == [0.5, 1.0, 0.0]


def test_scores_between_two_days_include_both() -> None:
    first, last = DAYS[1].item(), DAYS[2].item()
    part = SCORES[0].between(first, last)
    assert (part.origin.tolist(), part.crps.tolist()) == ([first, last], [2.0, 3.0])
    assert len(SCORES[0].between(None, first)) == 2
    assert len(SCORES[0].between(last, None)) == 2


def test_the_command_prints_every_method_on_the_same_origins(tickercast: Command, tmp_path: Path) -> None:
    arguments = (
        "evaluate",
        "IBM",
        "MSFT",
        "--source",
        "sample",
        "--start",
        "2012-11-01",
        "--end",
        "2013-02-20",
        "--format",
        "csv",
    )
    done = tickercast(*arguments, "--workers", 1, TICKERCAST_TRAINING__PRIOR_EPOCHS="3")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * 3 * (1 + len(BASELINE_METHODS))
    assert {row["n"] for row in rows if row["horizon"] == "1" and row["last_origin"] == "2013-02-20"} == {"150", "76"}
    assert all(0.5 < float(row["ours_over_it"]) < 1.5 for row in rows)
    assert "config" in done.stderr
    assert not list(tmp_path.glob("tickercast-home*"))


def test_baselines_are_stored_once_and_change_no_forecast(tickercast: Command) -> None:
    span = ("backfill", "IBM", "--source", "sample", "--start", "2013-01-02", "--end", "2013-02-20", "--workers", 1)
    before = tickercast(*span, TICKERCAST_TRAINING__PRIOR_EPOCHS="3")
    forecasts = ("sql", "SELECT sum(scale), sum(q50), count(*) FROM forecast_history", "--format", "csv")
    plain = tickercast(*forecasts).stdout
    first, again = (tickercast(*span, "--baselines", TICKERCAST_TRAINING__PRIOR_EPOCHS="3") for _ in range(2))
    assert (before.returncode, first.returncode, again.returncode) == (0, 0, 0)
    assert "; 1020 baseline rows" in first.stderr  # 34 settled origins x 5 horizons x 6 methods
    assert "; 0 baseline rows" in again.stderr
    assert tickercast(*forecasts).stdout == plain
    rows = tickercast("sql", "SELECT name, n, ratio FROM baseline_skill WHERE horizon = 1", "--format", "csv").stdout
    table = {row["name"]: row for row in csv.DictReader(io.StringIO(rows))}
    assert len(table) == 5
    assert all(int(row["n"]) == 34 and 0.8 < float(row["ratio"]) < 1.2 for row in table.values())
    assert tickercast("verify").returncode == 0


def test_a_span_without_enough_bars_before_it_is_a_usage_error(tickercast: Command) -> None:
    done = tickercast("evaluate", "FB", "--source", "sample", "--start", "2013-01-02", "--end", "2013-01-10")
    plan, error = done.stderr.splitlines()
    assert (done.returncode, plan[:6], error[:7]) == (2, "plan: ", "error: ")
