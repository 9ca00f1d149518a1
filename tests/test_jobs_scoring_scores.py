"""Scores of single forecasts, against arithmetic by hand and the package scoringrules.

Bars: sessions of one week. Closes are 100, 110, 121, so that a session's return is log 1.1; opens are 50, 60, 72: log 1.2.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import log
from statistics import NormalDist

import numpy as np
import pytest
import scoringrules

from tickercast.jobs.scoring.scores import score_rows, twin_crps
from tickercast.storage.bars import Bars, make_bars
from tickercast.storage.queries import ScorableForecast
from tickercast.storage.rows import BaselineForecastRow, ScoreRow

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2024, 3, day) for day in (4, 5, 6, 7))
RETURN = log(1.1)  # from each close to the next one
FORECAST = ScorableForecast(
    origin_id=3, ticker_id=1, config_id="c", origin=MONDAY, horizon=1, target=TUESDAY, field="close", location=0.02, scale=0.03,
    dof=5.0, last_price=100.0, baseline_location=-0.01, baseline_scale=0.05, baseline_dof=8.0,
    mode="live",
)  # fmt: skip
TWIN = BaselineForecastRow(1, "c", MONDAY, 1, "cold twin", location=0.01, scale=0.04, dof=6.0, crps=None)


def bars_of(close: list[float], **columns: list[float]) -> Bars:
    """Return bars of Monday, Tuesday and so on, with opens, highs and lows as the closes unless given."""
    days = np.array([MONDAY, TUESDAY, WEDNESDAY, THURSDAY][: len(close)], dtype="datetime64[D]")
    return make_bars(days, {"open": close, "high": close, "low": close, "close": close} | columns)


WEEK = bars_of([100, 110, 121], open=[50, 60, 72])


def score_of(forecast: ScorableForecast, bars: Bars = WEEK, field: str = "close") -> ScoreRow:
    """Return the score of one forecast."""
    (row,) = score_rows([forecast], {forecast.ticker_id: bars}, field)
    return row


@pytest.mark.parametrize(
    ("horizon", "target", "field", "expected"),
    [(1, TUESDAY, "close", RETURN), (2, WEDNESDAY, "close", 2 * RETURN), (1, TUESDAY, "open", log(1.2))],
)
def test_the_realised_return_is_that_of_the_field_from_origin_to_target(
    horizon: int, target: date, field: str, expected: float
) -> None:
    score = score_of(FORECAST._replace(horizon=horizon, target=target), field=field)
    assert score.realised_return == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("split", "dividend", "expected"),
    [
        (1.0, 0.0, 60 / 100),
        (2.0, 0.0, 60 / 50),  # 100 before the split is 50 after it
        (2.0, 10.0, 60 / 40),  # and 40 without the dividend
    ],
)
def test_the_realised_price_is_on_the_origins_share_scale_with_dividends_added(
    split: float, dividend: float, expected: float
) -> None:
    score = score_of(FORECAST, bars_of([100, 60], split=[1.0, split], dividend=[0.0, dividend]))
    assert score.realised_return == pytest.approx(log(expected), abs=1e-15)
    assert score.realised_price == pytest.approx(100 * expected, abs=1e-12)


def test_the_crps_is_that_of_the_forecast_and_the_baseline_crps_that_of_the_baseline() -> None:
    score = score_of(FORECAST)
    assert score.crps == pytest.approx(scoringrules.crps_t(RETURN, 5.0, 0.02, 0.03), abs=1e-12)
    assert score.baseline_crps == pytest.approx(scoringrules.crps_t(RETURN, 8.0, -0.01, 0.05), abs=1e-12)


def test_no_dof_means_a_normal_distribution() -> None:
    score = score_of(FORECAST._replace(dof=None, baseline_dof=None))
    assert score.crps == pytest.approx(scoringrules.crps_normal(RETURN, 0.02, 0.03), abs=1e-12)
    assert score.baseline_crps == pytest.approx(scoringrules.crps_normal(RETURN, -0.01, 0.05), abs=1e-12)
    assert score.pit == pytest.approx(NormalDist(0.02, 0.03).cdf(RETURN), abs=1e-12)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (0.0, 0.5 + 1 / (2 * 3**0.5)),  # one scale above the location: with two dof 1/2 + z / (2 sqrt(2 + z^2))
        (2 * RETURN, 0.5 - 1 / (2 * 3**0.5)),
        (RETURN, 0.5),
    ],
)
def test_the_pit_is_the_probability_that_the_forecast_gave_to_a_lower_return(location: float, expected: float) -> None:
    assert score_of(FORECAST._replace(location=location, scale=RETURN, dof=2.0)).pit == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("pit", "inside"),
    [
        (0.26, (1, 1, 1)), (0.74, (1, 1, 1)), (0.24, (0, 1, 1)), (0.76, (0, 1, 1)),
        (0.11, (0, 1, 1)), (0.89, (0, 1, 1)), (0.09, (0, 0, 1)), (0.91, (0, 0, 1)),
        (0.06, (0, 0, 1)), (0.94, (0, 0, 1)), (0.04, (0, 0, 0)), (0.96, (0, 0, 0)),
    ],
)  # fmt: skip
def test_the_central_50_80_and_90_percent_intervals_leave_half_the_rest_on_each_side(
    pit: float, inside: tuple[int, int, int]
) -> None:
    location = RETURN - 0.03 * NormalDist().inv_cdf(pit)
    score = score_of(FORECAST._replace(location=location, scale=0.03, dof=None))
    assert (score.inside_50, score.inside_80, score.inside_90) == inside


def test_a_score_has_its_forecasts_key_and_begins_at_revision_0() -> None:
    score = score_of(FORECAST._replace(origin_id=8, ticker_id=7, horizon=2))
    assert (score.origin_id, score.horizon, score.revision) == (8, 2, 0)


@pytest.mark.parametrize(
    "days", [{"target": THURSDAY}, {"origin": date(2024, 3, 1)}, {"origin": date(2024, 3, 1), "target": THURSDAY}]
)
def test_a_forecast_without_a_bar_at_its_origin_or_target_has_no_score(days: dict[str, date]) -> None:
    assert score_rows([FORECAST._replace(**days)], {1: WEEK}, "close") == []


def test_each_forecast_is_scored_with_its_own_figures_and_its_own_tickers_bars() -> None:
    forecasts = [FORECAST._replace(target=THURSDAY), FORECAST._replace(origin_id=4, ticker_id=2, location=0.5), FORECAST]
    rows = score_rows(forecasts, {1: WEEK, 2: bars_of([100, 200])}, "close")
    assert [(row.origin_id, row.realised_return) for row in rows] == [
        (4, pytest.approx(log(2), abs=1e-15)),
        (3, pytest.approx(RETURN, abs=1e-15)),
    ]
    expected = [scoringrules.crps_t(value, 5.0, location, 0.03) for value, location in ((log(2), 0.5), (RETURN, 0.02))]
    assert [row.crps for row in rows] == pytest.approx(expected, abs=1e-12)


def test_no_forecasts_have_no_scores() -> None:
    assert score_rows([], {1: WEEK}, "close") == []


def test_the_crps_of_a_twin_is_that_of_its_own_distribution_at_the_realised_return() -> None:
    crps = twin_crps([TWIN, replace(TWIN, dof=None)], [0.05, -0.02])
    expected = [scoringrules.crps_t(0.05, 6.0, 0.01, 0.04), scoringrules.crps_normal(-0.02, 0.01, 0.04)]
    assert crps == pytest.approx(expected, abs=1e-12)
