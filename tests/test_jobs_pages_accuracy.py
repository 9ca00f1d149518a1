"""Coverage, PIT and skill on the page of a ticker: the figures by hand or from SciPy, and no mode pooled with another."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from tests.page_builders import outcome, outcomes
from tickercast.jobs.pages import accuracy_charts, calibration


@pytest.mark.parametrize(("n", "share"), [(60, 0.9), (60, 0.8), (75, 0.1), (504, 0.1), (20, 0.1)])
def test_the_band_of_a_share_is_that_of_the_binomial_distribution(n: int, share: float) -> None:
    expected = tuple(float(binom.ppf(level, n, share)) / n for level in (0.025, 0.975))
    assert calibration.binomial_band(n, share) == pytest.approx(expected)


def test_a_rolling_share_counts_the_sixty_targets_up_to_its_day() -> None:
    rows = outcomes([0] * 6 + [1] * 54 + [1, 1])  # 54 of 60, then 55 and 56: the first two misses leave the window
    found = calibration.rolling_share(rows, "backfill", 90)
    assert found.shares == pytest.approx([54 / 60, 55 / 60, 56 / 60])
    assert found.targets == [row["target"] for row in rows[59:]]


def test_a_rolling_share_has_targets_of_one_mode_alone() -> None:
    rows = [*outcomes([1] * 60), *outcomes([0] * 59, mode="live", first=60)]
    assert calibration.rolling_share(rows, "backfill", 90).shares == [1.0]
    assert calibration.rolling_share(rows, "live", 90).targets == []


def test_the_chart_of_coverage_states_each_mode_with_its_number() -> None:
    rows = [*outcomes([1] * 60), *outcomes([0, 1], mode="live", first=60)]
    chart = accuracy_charts.coverage(rows)
    assert chart is not None
    assert "live 50.0 % and 50.0 % (n = 2; a line needs 60); backfill 100.0 % and 100.0 % (n = 60)" in chart.text
    assert {trace["name"] for trace in chart.data} >= {"backfill"}
    assert "live" not in {trace["name"] for trace in chart.data}


def test_without_a_full_window_there_is_no_chart_of_coverage() -> None:
    assert accuracy_charts.coverage(outcomes([1] * 59)) is None


def test_a_pit_histogram_counts_the_tenths_of_one_mode() -> None:
    values = [0.0, 0.05, 0.1, 0.95, 1.0, *[0.55] * 15]
    rows = [outcome(day, pit=value) for day, value in enumerate(values)]
    found = calibration.pit_histogram([*rows, outcome(30, mode="live", pit=0.3)], "backfill")
    assert found is not None
    assert found.shares == pytest.approx([0.1, 0.05, 0, 0, 0, 0.75, 0, 0, 0, 0.1])
    assert calibration.pit_histogram(rows, "live") is None


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([0.01, 0.99] * 50, "the intervals are too narrow"),
        ([0.45, 0.55] * 50, "the intervals are too wide"),
        ([decile / 10 + 0.05 for decile in range(10)] * 10, "neither too narrow nor too wide"),
    ],
)
def test_the_sentence_of_a_pit_histogram_says_what_its_shape_means(values: list[float], told: str) -> None:
    found = calibration.pit_histogram([outcome(day, pit=value) for day, value in enumerate(values)], "backfill")
    assert found is not None
    assert told in accuracy_charts.pit(found).text


def test_skill_by_month_is_one_minus_the_ratio_of_mean_crps_for_each_mode() -> None:
    rows = [
        outcome(0, crps=0.008), outcome(1, crps=0.01), outcome(2, mode="live", crps=0.012), outcome(31, crps=0.005),
    ]  # fmt: skip
    found = [(month.month, month.mode, month.n, month.skill) for month in calibration.skill_by_month(rows)]
    assert [each[:3] for each in found] == [("2024-01", "backfill", 2), ("2024-01", "live", 1), ("2024-02", "backfill", 1)]
    assert [each[3] for each in found] == pytest.approx([0.1, -0.2, 0.5])


def test_the_chart_of_skill_states_the_months_of_each_mode() -> None:
    rows = [outcome(0), outcome(31, crps=0.02), outcome(31, mode="live")]
    text = accuracy_charts.skill(calibration.skill_by_month(rows)).text
    assert "live 1 of 1 month; backfill 1 of 2 months" in text


def test_a_month_of_few_targets_has_no_bar_beside_others_that_have_more() -> None:
    rows = [*(outcome(day) for day in range(6)), outcome(31, crps=0.001)]
    chart = accuracy_charts.skill(calibration.skill_by_month(rows))
    assert [trace["x"] for trace in chart.data] == [["2024-01"]]
    assert [row[0] for row in chart.table.rows] == ["2024-02", "2024-01"]
