"""Recalibration: factors by hand, the first law with it on, and the raw scale beside what is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.forecast_builders import PRIOR_SETTINGS, day_by_day, hash_of, in_one_go, ten_sessions
from tickercast.jobs.forecasting.inputs import history_of
from tickercast.jobs.forecasting.recalibration import LARGEST_FACTOR, RATE, PastForecast, scale_factors
from tickercast.jobs.workspace.home import Home
from tickercast.storage.bars import make_bars
from tickercast.storage.database import reading
from tickercast.storage.verify import find_problems

pytestmark = pytest.mark.slow

ON = PRIOR_SETTINGS.replace("[model]\n", "[model]\nrecalibrate = true\n")
CLOSE = np.array([100.0, 101.0, 99.0, 104.0])
HISTORY = history_of(
    make_bars(
        np.datetime64("2024-03-04") + np.arange(4),
        {"open": CLOSE, "high": CLOSE, "low": CLOSE, "close": CLOSE, "volume": np.ones(4)},
    ),
    "close",
)


def made(day: int, scale: float, factor: float = 1.0) -> PastForecast:
    two = np.ones(2)
    return PastForecast(date(2024, 3, day), 0 * two, scale * two, np.nan * two, factor * two)


def test_a_miss_widens_and_a_hit_narrows_each_horizon_by_its_own() -> None:
    # 99 -> 104 in one session is 0.0493, 101 -> 104 in two 0.0293; a normal's 80 % interval ends at 1.2816 scales.
    wide, narrow = scale_factors(HISTORY, [made(5, 0.02), made(6, 0.02)], 2)
    assert (wide, narrow) == (pytest.approx(np.exp(0.8 * RATE)), pytest.approx(np.exp(0.8 * RATE)))
    wide, narrow = scale_factors(HISTORY, [made(5, 0.03), made(6, 0.03)], 2)
    assert (wide, narrow) == (pytest.approx(np.exp(0.8 * RATE)), pytest.approx(np.exp(-0.2 * RATE)))


def test_factors_go_on_from_the_last_and_stay_within_bounds() -> None:
    assert scale_factors(HISTORY, [made(6, 0.02, 1.5)], 2)[0] == pytest.approx(1.5 * np.exp(0.8 * RATE))
    assert scale_factors(HISTORY, [made(6, 0.001, LARGEST_FACTOR)], 2)[0] == pytest.approx(LARGEST_FACTOR)


@pytest.mark.parametrize("past", [[], [made(5, 0.02, 1.7)]], ids=["none", "not of the bar before"])
def test_without_a_publication_at_the_bar_before_they_begin_at_one(past: list[PastForecast]) -> None:
    assert scale_factors(HISTORY, past, 2).tolist() == [1.0, 1.0]


def test_a_horizon_whose_origin_is_missing_keeps_its_factor() -> None:
    assert scale_factors(HISTORY, [replace(made(6, 0.03), factor=np.array([1.0, 1.2]))], 2)[1] == pytest.approx(1.2)


def test_daily_is_backfill_with_recalibration(make_home: Callable[[str, str], Home]) -> None:
    days = ten_sessions()
    daily, backfill = day_by_day(make_home("daily", ON), days), in_one_go(make_home("backfill", ON), days)
    assert hash_of(daily) == hash_of(backfill)
    with reading(daily.database) as connection:
        rows = connection.exec_driver_sql(
            "SELECT r.scale_factor, r.raw_scale, f.scale FROM recalibrations r JOIN forecasts f USING (origin_id, horizon)"
        ).fetchall()
        assert find_problems(connection, daily.prices) == []
    assert len(rows) == 3 * len(days) * 5
    assert all(scale == pytest.approx(raw * factor, rel=1e-12) for factor, raw, scale in rows)
    assert len({factor for factor, _, _ in rows}) > 3


def test_it_is_off_by_default(make_home: Callable[[str, str], Home]) -> None:
    home = in_one_go(make_home("off", PRIOR_SETTINGS), ten_sessions()[:2])
    with reading(home.database) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM recalibrations").scalar() == 0
