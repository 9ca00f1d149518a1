"""Risk from scores made by hand: exceedances, which forecasts are tested, and the risk of the newest forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from math import exp, log
from typing import Any

import numpy as np
import pytest

from tickercast.jobs.scoring import risk
from tickercast.jobs.scoring.date_sums import date_sums_of
from tickercast.jobs.scoring.exceedances import christoffersen, kupiec
from tickercast.jobs.scoring.risk import verdict_of
from tickercast.jobs.scoring.significance import diebold_mariano
from tickercast.jobs.scoring.ticker_sums import ticker_sums_of
from tickercast.storage.queries import NewestForecast, ScoreColumns
from tickercast.storage.rows import RiskRow

FIRST = np.datetime64("2024-01-01")
INSIDE: dict[str, Any] = {
    "ticker_id": 1, "horizon": 1, "mode": b"live", "location": 0.0, "scale": 0.01, "dof": np.nan, "realised_return": 0.0,
    "abs_error": 0.0, "baseline_abs_error": 0.0, "crps": 0.0, "baseline_crps": 0.0, "pit": 0.5, "inside_50": 1, "inside_80": 1,
    "inside_90": 1,
}  # fmt: skip
AT = (5, 6, 30)
NEWEST = NewestForecast(1, 1, date(2024, 3, 8), date(2024, 3, 11), 0.001, 0.02, 5.0)


def scores_of(n: int, *, at: tuple[int, ...] = AT, pit: float = 0.04, **columns: Any) -> ScoreColumns:
    """Return the scores of n successive days; those at some positions have a PIT, the others one of a half."""
    given = INSIDE | {"origin": FIRST + np.arange(n), "target": FIRST + np.arange(n) + 1} | columns
    arrays = {name: np.array(np.broadcast_to(np.asarray(value), (n,))) for name, value in given.items()}
    arrays["pit"][[i for i in at if i < n]] = pit
    return ScoreColumns(**arrays)


def together(*parts: ScoreColumns) -> ScoreColumns:
    return ScoreColumns(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(ScoreColumns)))


def risk_rows(scores: ScoreColumns, newest: Sequence[NewestForecast]) -> list[RiskRow]:
    return risk.risk_rows(ticker_sums_of(scores), date_sums_of(scores), newest)


def rows_of(scores: ScoreColumns, *newest: NewestForecast, **wanted: Any) -> list[RiskRow]:
    """Return the rows whose columns have some values."""
    return [row for row in risk_rows(scores, newest) if all(getattr(row, name) == value for name, value in wanted.items())]


def row_of(scores: ScoreColumns, *newest: NewestForecast, **wanted: Any) -> RiskRow:
    [row] = rows_of(scores, *newest, **({"ticker_id": 1, "level": 0.05, "mode": "live"} | wanted))
    return row


@pytest.mark.parametrize(("pit", "of_1_percent", "of_5_percent"), [(0.0, 1, 1), (0.0099, 1, 1), (0.01, 0, 1), (0.05, 0, 0)])
def test_an_exceedance_is_a_pit_below_the_level(pit: float, of_1_percent: int, of_5_percent: int) -> None:
    rows = rows_of(scores_of(9, at=(3,), pit=pit), mode="live", ticker_id=1)
    assert [(row.level, row.n, row.exceedances) for row in rows] == [(0.01, 9, of_1_percent), (0.05, 9, of_5_percent)]


def test_a_ticker_is_tested_one_session_ahead() -> None:
    row = row_of(scores_of(60))
    assert (row.kupiec_statistic, row.kupiec_p) == tuple(map(float, kupiec(3, 60, 0.05)))
    # 59 transitions: of three exceedances one follows another.
    assert (row.independence_statistic, row.independence_p) == tuple(map(float, christoffersen(54, 2, 2, 1)))
    assert row.conditional_statistic == pytest.approx((row.kupiec_statistic or 0) + (row.independence_statistic or 0))


def test_fewer_than_60_scores_have_no_test() -> None:
    row = row_of(scores_of(59))
    assert (row.exceedances, row.kupiec_p, row.independence_p, row.conditional_p, row.p_adjusted) == (3, None, None, None, None)


def test_overlapping_forecasts_have_no_test_of_one_ticker() -> None:
    row = row_of(scores_of(300, horizon=2))
    assert (row.exceedances, row.kupiec_p, row.conditional_p, row.verdict) == (3, None, None, "not distinguishable")


def test_forecasts_on_either_side_of_a_gap_are_no_transition() -> None:
    later = FIRST + np.concatenate([np.arange(6), np.arange(100, 154)])  # between the two exceedances that followed each other
    row = row_of(scores_of(60, origin=later, target=later + 1))
    assert row.independence_statistic == float(christoffersen(54, 2, 2, 0)[0])


def test_tickers_and_modes_are_counted_apart_and_modes_together_too() -> None:
    other = scores_of(60, ticker_id=2, mode=b"catchup", at=(1,))
    rows = rows_of(together(scores_of(60), other), level=0.05)
    assert [(row.ticker_id, row.mode, row.n, row.exceedances) for row in rows] == [
        (1, "live", 60, 3), (2, "catchup", 60, 1), (1, "*", 60, 3), (2, "*", 60, 1),
        (None, "catchup", 60, 1), (None, "live", 60, 3), (None, "*", 120, 4),
    ]  # fmt: skip


def test_transitions_do_not_reach_from_one_ticker_to_the_next() -> None:
    later = FIRST + 60 + np.arange(60)  # the second ticker begins where the first one ended
    second = scores_of(60, ticker_id=2, at=(0, 59), origin=later, target=later + 1)
    scores = together(scores_of(60, at=(0, 59)), second)
    assert row_of(scores, ticker_id=2).independence_statistic == float(christoffersen(57, 1, 1, 0)[0])


def test_all_tickers_are_tested_by_date() -> None:
    scores = together(scores_of(80), scores_of(80, ticker_id=2, at=(5, 7)))
    by_date = np.zeros(80)
    by_date[[5, 6, 7, 30]] = 2, 1, 1, 1
    row = row_of(scores, ticker_id=None)
    assert (row.n, row.exceedances, row.kupiec_p, row.conditional_p) == (160, 5, None, None)
    assert (row.date_statistic, row.date_p) == pytest.approx(diebold_mariano(by_date, np.full(80, 0.1), 1))


def test_the_test_by_date_allows_for_overlapping_horizons() -> None:
    by_date = np.zeros(80)
    by_date[list(AT)] = 1
    row = row_of(scores_of(80, horizon=5), ticker_id=None)
    assert (row.date_statistic, row.date_p) == pytest.approx(diebold_mariano(by_date, np.full(80, 0.05), 5))


def test_all_tickers_need_60_dates() -> None:
    parts = [scores_of(59, ticker_id=ticker_id) for ticker_id in range(1, 9)]
    assert row_of(together(*parts), ticker_id=None).date_p is None


def test_what_came_beyond_the_value_at_risk_is_compared_with_what_was_expected() -> None:
    returns = np.zeros(60)
    returns[list(AT)] = -0.02, -0.03, -0.04
    row = row_of(scores_of(60, realised_return=returns))
    assert row.mean_exceedance == pytest.approx(-0.03)
    assert row.mean_shortfall == pytest.approx(-0.01 * 2.062713)  # of a standard normal at 5 %


def test_without_an_exceedance_no_mean_is_known() -> None:
    row = row_of(scores_of(60, at=()))
    assert (row.exceedances, row.mean_exceedance, row.mean_shortfall, row.independence_p) == (0, None, None, None)
    assert row.p_adjusted == row.kupiec_p


@pytest.mark.parametrize(
    ("exceedances", "kupiec_p", "p_adjusted", "verdict"),
    [
        (9, 0.01, 0.05, "too many"),
        (1, 0.01, 0.05, "too few"),
        (9, 0.06, 0.05, "dependent"),
        (9, 0.01, 0.051, "not distinguishable"),
        (9, 0.01, None, "not distinguishable"),
    ],
)
def test_the_verdict_names_what_the_tests_reject(
    exceedances: int, kupiec_p: float, p_adjusted: float | None, verdict: str
) -> None:
    row = RiskRow(1, 1, "live", 0.05, 100, exceedances, None, None, kupiec_p=kupiec_p)
    assert verdict_of(row, p_adjusted) == verdict


def test_p_values_are_adjusted_over_the_tickers_of_a_mode_and_level() -> None:
    calm = [scores_of(60, ticker_id=ticker_id, at=(1, 20, 40)) for ticker_id in (2, 3, 4)]
    clustered = scores_of(60, at=(5, 6, 7))
    alone = row_of(clustered)
    assert alone.p_adjusted == alone.conditional_p
    assert row_of(together(clustered, *calm)).p_adjusted == pytest.approx(4 * (alone.conditional_p or 0))


def test_the_newest_forecast_has_its_value_at_risk_and_shortfall() -> None:
    # Student's t with 5 degrees of freedom at 5 %, by R 4.2.2 (cvar 0.5); the mean price change by R's integrate.
    row = row_of(scores_of(9), NEWEST)
    assert (row.origin, row.target) == (date(2024, 3, 8), date(2024, 3, 11))
    assert (row.var_return, row.es_return) == pytest.approx((-0.0393009675, -0.0568025789), abs=1e-10)
    assert row.es_percent == pytest.approx(-5.5020829122, abs=1e-8)


def test_a_ticker_without_scores_has_the_risk_of_its_newest_forecast() -> None:
    rows = risk_rows(scores_of(0, at=()), [NEWEST])
    assert [(row.ticker_id, row.mode, row.level, row.n, row.verdict) for row in rows] == [
        (1, "*", 0.01, 0, "not distinguishable"),
        (1, "*", 0.05, 0, "not distinguishable"),
    ]
    assert [row.var_return for row in rows] == pytest.approx([-0.0662986000, -0.0393009675], abs=1e-10)


def test_a_distribution_without_a_mean_has_no_expected_shortfall() -> None:
    row = row_of(scores_of(9), NEWEST._replace(dof=0.9))
    assert (row.es_return, row.var_return is None, row.es_percent is None) == (None, False, False)


def test_the_price_of_a_shortfall_falls_less_than_its_mean_log_return() -> None:
    row = row_of(scores_of(9), NEWEST._replace(dof=None))
    assert (row.es_percent or 0) / 100 > exp(row.es_return or 0) - 1
    assert log(1 + (row.es_percent or 0) / 100) < (row.var_return or 0)


def test_an_empty_record_has_no_rows() -> None:
    assert risk_rows(scores_of(0, at=()), []) == []


def test_the_order_of_scores_does_not_matter() -> None:
    scores = together(scores_of(70), scores_of(70, ticker_id=2, mode=b"backfill", at=(3,)))
    shuffled = scores.select(np.random.default_rng(0).permutation(140))
    assert risk_rows(shuffled, [NEWEST]) == risk_rows(scores, [NEWEST])
