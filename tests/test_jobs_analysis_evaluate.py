"""The evaluation: its table by hand, the command, and stored forecasts of other models that agree with the record."""

from __future__ import annotations

import csv
import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.conftest import Command
from tickercast.jobs.analysis.baselines import BASELINE_METHODS
from tickercast.jobs.analysis.compare import OURS, MethodScores
from tickercast.jobs.analysis.confidence_set import confidence_p_values
from tickercast.jobs.analysis.evaluation_table import COLUMNS, EvaluationRow, evaluation_rows
from tickercast.jobs.analysis.periods import parse_periods
from tickercast.jobs.errors import UsageError

pytestmark = pytest.mark.slow

DAYS = np.array(["2023-12-28", "2023-12-29", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")
INSIDE_ALL = (True, True, True)
INSIDE_90 = (False, False, True)
YEAR_2023, YEAR_2024 = ("2023-12-28", "2023-12-29"), ("2024-01-02", "2024-01-03")


def scores_of(
    ticker: str,
    method: str,
    crps: list[float],
    inside: list[tuple[float, float, float]],
    context: tuple[str, ...] = ("none", "none", "none", "none"),
) -> MethodScores:
    """Return scores of the first days at horizon 1; location and scale do not matter to the table."""
    n = len(crps)
    known = np.array(context[:n])
    scores = np.array(crps)
    return MethodScores(ticker, 1, method, DAYS[:n], scores, scores / 2, np.array(inside, float), np.zeros(n), np.ones(n), known)


SCORES = [
    scores_of("A", OURS, [1.0, 2.0, 3.0, 4.0], [INSIDE_ALL, INSIDE_90, INSIDE_90, INSIDE_90]),
    scores_of("A", "other", [2.0, 2.0, 2.0, 2.0], [INSIDE_ALL, INSIDE_ALL, INSIDE_ALL, INSIDE_90]),
    scores_of("B", OURS, [1.0, 1.0], [INSIDE_ALL, INSIDE_ALL]),
    scores_of("B", "other", [3.0, 5.0], [INSIDE_90, INSIDE_90]),
]


def row_of(rows: list[EvaluationRow], method: str = "other", context: str = "all", period: str = "all") -> EvaluationRow:
    return next(row for row in rows if (row.method, row.context, row.period) == (method, context, period))


def test_the_table_has_each_period_and_method_in_order() -> None:
    rows = [row for row in evaluation_rows(SCORES) if row.context == "all"]
    assert [(row.period, row.first_origin, row.last_origin, row.method, row.n, row.tickers, row.dates) for row in rows] == [
        ("all", "2023-12-28", "2024-01-03", OURS, 6, 2, 4), ("all", "2023-12-28", "2024-01-03", "other", 6, 2, 4),
        ("2023", *YEAR_2023, OURS, 4, 2, 2), ("2023", *YEAR_2023, "other", 4, 2, 2),
        ("2024", *YEAR_2024, OURS, 2, 1, 2), ("2024", *YEAR_2024, "other", 2, 1, 2),
    ]  # fmt: skip


def test_a_row_has_the_means_over_all_tickers_and_origins() -> None:
    ours, other = evaluation_rows(SCORES)[:2]
    # Ours: (1 + 2 + 3 + 4 + 1 + 1) / 6 = 2; other: (4 * 2 + 3 + 5) / 6 = 16 / 6.
    assert (ours.crps, ours.ours_over_it, ours.ours_better_on) == (2.0, 1.0, None)
    assert other.crps == pytest.approx(16 / 6)
    assert (ours.mae, other.mae) == (1.0, pytest.approx(8 / 6))
    assert other.ours_over_it == pytest.approx(12 / 16)
    assert (ours.coverage_50, ours.coverage_80, ours.coverage_90) == (3 / 6, 3 / 6, 1.0)


def test_ours_is_better_on_the_tickers_where_our_mean_is_lower() -> None:
    rows = evaluation_rows(SCORES)
    # A: 2.5 against 2 is worse; B: 1 against 4 is better. In 2024 only A is left, and it is worse.
    assert [row_of(rows, period=period).ours_better_on for period in ("all", "2023", "2024")] == [0.5, 1.0, 0.0]


def test_the_difference_is_tested_on_the_means_of_dates() -> None:
    # By date, ours: 1, 1.5, 3, 4; other: 2.5, 3.5, 2, 2. At horizon 1 the test is a t-test of their differences.
    expected = stats.ttest_1samp([-1.5, -2.0, 1.0, 2.0], 0)
    row = row_of(evaluation_rows(SCORES))
    assert (row.dm_statistic, row.p_value) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_ours_is_not_tested_against_itself() -> None:
    row = row_of(evaluation_rows(SCORES), OURS)
    assert (row.dm_statistic, row.p_value) == (None, None)


def test_forecasts_that_knew_different_things_are_also_shown_apart() -> None:
    apart = ("none", "assumed", "none", "none")
    scores = [replace(s, context=np.array(apart[: len(s)])) for s in SCORES]
    rows = evaluation_rows(scores)
    assert list(dict.fromkeys(row.context for row in rows)) == ["all", "assumed", "none"]
    # On 2023-12-29: ours 2 and 1, the other 2 and 5.
    assumed = row_of(rows, context="assumed")
    assert (assumed.n, assumed.crps, assumed.ours_over_it) == (2, 3.5, pytest.approx(3 / 7))
    assert row_of(rows, context="none").n == 4


def test_one_context_has_the_figures_of_all() -> None:
    rows = evaluation_rows(SCORES)
    assert [replace(row, context="all") for row in rows if row.context == "none"] == [row for row in rows if row.context == "all"]


def test_named_periods_are_inclusive_and_one_without_an_origin_has_no_row() -> None:
    named = parse_periods("2023-12-29..2024-01-02, 2019-01-01..2019-12-31")
    rows = evaluation_rows(SCORES, named)
    assert [row.period for row in rows if row.context == "all" and row.method == OURS] == [
        "all", "2023", "2024", "2023-12-29..2024-01-02",
    ]  # fmt: skip
    assert row_of(rows, period="2023-12-29..2024-01-02").n == 3


@pytest.mark.parametrize("text", ["2019", "2019-01-01..", "2020-01-01..2019-01-01", "", "2019-01-01-2020-01-01"])
def test_what_is_no_period_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="--periods"):
        parse_periods(text)


def test_a_coverage_is_unknown_for_a_method_without_its_interval() -> None:
    unknown = np.array([[np.nan, 1.0, 0.0]] * 4)
    rows = evaluation_rows([SCORES[0], replace(SCORES[1], inside=unknown)])
    other = row_of(rows)
    assert (other.coverage_50, other.coverage_80, other.coverage_90) == (None, 1.0, 0.0)


def losses_of(*added: float) -> np.ndarray:
    """Return (250, methods): losses of methods on the same dates, each its own noise and what is added to its mean."""
    rng = np.random.default_rng(3)
    return rng.gamma(2.0, 1.0, (250, 1)) + rng.normal(0, 0.1, (250, len(added))) + np.array(added)


def test_the_best_method_has_p_one_and_one_that_is_clearly_worse_is_not_in_the_set() -> None:
    worse, best, nearly = confidence_p_values(losses_of(0.2, 0.0, 0.002))
    assert (worse, best) == (0.0, 1.0)
    assert nearly > 0.05


def test_equal_methods_have_equal_p_values() -> None:
    losses = losses_of(0.0, 0.05)
    assert confidence_p_values(losses[:, [0, 1, 0]]).tolist() == confidence_p_values(losses)[[0, 1, 0]].tolist()
    assert confidence_p_values(losses[:, [0, 0]]).tolist() == [1.0, 1.0]


def test_there_is_no_confidence_set_of_few_dates_or_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = losses_of(0.0, 0.1)
    assert confidence_p_values(losses[:59]) is None
    monkeypatch.setitem(sys.modules, "arch", None)
    assert confidence_p_values(losses) is None


def test_the_set_of_a_row_is_of_the_means_of_dates() -> None:
    losses = losses_of(0.0, 0.2)
    days, inside, context = np.datetime64("2024-01-01") + np.arange(250), np.ones((250, 3)), np.full(250, "none")
    scores = [
        replace(SCORES[0], method=name, origin=days, crps=of_one, abs_error=of_one, inside=inside, context=context)
        for name, of_one in zip((OURS, "other"), losses.T, strict=True)
    ]
    rows = evaluation_rows(scores)
    assert [(row.mcs_p_value, row.in_mcs) for row in rows[:2]] == [(1.0, True), (0.0, False)]


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
    done = tickercast(*arguments, "--workers", 1, TICKERCAST_TRAINING__PRIOR_STEPS="3")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 * 2 * 3 * (1 + len(BASELINE_METHODS))  # horizons, contexts, periods, methods
    assert {row["n"] for row in rows if row["horizon"] == "1" and row["last_origin"] == "2013-02-20"} == {"150", "68"}
    assert {row["in_mcs"] for row in rows if row["period"] == "all"} == {"True", "False"}
    assert {row["in_mcs"] for row in rows if row["period"] == "2013"} == {""}  # 34 dates
    assert all(0.5 < float(row["ours_over_it"]) < 1.5 for row in rows)
    assert "config" in done.stderr
    assert not list(tmp_path.glob("tickercast-home*"))


def test_baselines_are_stored_once_and_change_no_forecast(tickercast: Command) -> None:
    span = ("backfill", "IBM", "--source", "sample", "--start", "2013-01-02", "--end", "2013-02-20", "--workers", 1)
    before = tickercast(*span, TICKERCAST_TRAINING__PRIOR_STEPS="3")
    forecasts = ("sql", "SELECT sum(scale), sum(q50), count(*) FROM forecast_history", "--format", "csv")
    plain = tickercast(*forecasts).stdout
    first, again = (tickercast(*span, "--baselines", TICKERCAST_TRAINING__PRIOR_STEPS="3") for _ in range(2))
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
