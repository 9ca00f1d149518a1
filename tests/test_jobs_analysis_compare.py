"""Which origins are compared, and the scores of one of them by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pytest

from tickercast.jobs.analysis.baselines import Floats, Method, Origins
from tickercast.jobs.analysis.compare import FEWEST_BEFORE, OURS, ComparisonTask, Densities, MethodScores, score_task
from tickercast.jobs.analysis.other_forecasts import ALL_LEVELS, Mask, OtherForecasts
from tickercast.storage.bars import Bars, make_bars

N = FEWEST_BEFORE + 10
HORIZON = 2
LEVELS = [k / 20 for k in range(1, 20)]
GRID = [-0.045 + 0.005 * k for k in range(19)]  # quantiles of the method below: 0.000 in the middle, one per half percent
POSITIONS = [FEWEST_BEFORE - 1, FEWEST_BEFORE, N - 1 - HORIZON, N - HORIZON]


def fixed(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return the same quantiles at every origin."""
    return np.tile(GRID, (len(origins), 1))


def broken_later(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return quantiles that are not numbers at all origins but the first."""
    quantiles = fixed(returns, variance, horizon, origins)
    quantiles[1:, 3] = np.nan
    return quantiles


def without_width(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return one value as every quantile."""
    return np.zeros((len(origins), 19))


@pytest.fixture(scope="module")
def bars() -> Bars:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, N)))
    session = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-01") + N)
    return make_bars(session, {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close})


def task_of(
    bars: Bars,
    positions: list[int],
    scale: float,
    dof: float,
    methods: Mapping[str, Method],
    others: Mapping[str, OtherForecasts] = MappingProxyType({}),
    levels: Mask = ALL_LEVELS,
) -> ComparisonTask:
    """Return a task with our forecasts from some positions: no location, and one scale and dof. Odd positions have context."""
    n = len(positions)
    context = np.array([("none", "assumed")[position % 2] for position in positions])
    ours = Densities(bars.session[positions], np.zeros(n), np.full(n, scale), np.full(n, dof), context)
    return ComparisonTask("A", bars, "close", HORIZON, ours, methods, others, levels)


def scores_of(bars: Bars, **methods: Method) -> dict[str, MethodScores]:
    return {s.method: s for s in score_task(task_of(bars, POSITIONS, 0.02, np.nan, methods))}


def test_an_origin_needs_enough_bars_before_it_and_a_bar_at_its_target(bars: Bars) -> None:
    scores = scores_of(bars, fixed=fixed)
    assert list(scores) == [OURS, "fixed"]
    assert scores[OURS].origin.tolist() == bars.session[POSITIONS[1:3]].tolist()


def test_an_origin_is_left_out_for_all_where_one_method_is_broken(bars: Bars) -> None:
    scores = scores_of(bars, fixed=fixed, broken=broken_later)
    assert [s.origin.tolist() for s in scores.values()] == 3 * [[bars.session[FEWEST_BEFORE].item()]]


def test_nothing_is_scored_where_a_method_has_no_width(bars: Bars) -> None:
    assert scores_of(bars, fixed=fixed, flat=without_width) == {}


def test_nothing_is_scored_without_enough_bars(bars: Bars) -> None:
    short = bars.select(slice(20, None))
    assert score_task(task_of(short, [len(short) - 4], 0.02, 5.0, {})) == []


def test_a_score_is_twice_the_mean_pinball_loss_in_percent(bars: Bars) -> None:
    scores = scores_of(bars, fixed=fixed)["fixed"]
    realised = math.log(bars.close[FEWEST_BEFORE + HORIZON] / bars.close[FEWEST_BEFORE])
    losses = [max(p * (realised - q), (p - 1) * (realised - q)) for p, q in zip(LEVELS, GRID, strict=True)]
    assert scores.crps[0] == pytest.approx(100 * 2 * sum(losses) / 19)


def test_an_outcome_is_inside_an_interval_between_its_two_quantiles(bars: Bars) -> None:
    scores = scores_of(bars, fixed=fixed)["fixed"]
    realised = [math.log(bars.close[i + HORIZON] / bars.close[i]) for i in POSITIONS[1:3]]
    # 25 % to 75 % is -0.025 to 0.025 on the grid, 10 % to 90 % -0.04 to 0.04, 5 % to 95 % -0.045 to 0.045.
    assert scores.inside.tolist() == [[abs(r) < 0.025, abs(r) < 0.04, abs(r) < 0.045] for r in realised]


def test_the_location_is_the_median_and_the_scale_that_of_a_normal_as_wide(bars: Bars) -> None:
    scores = scores_of(bars, fixed=fixed)
    assert scores["fixed"].location.tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    assert scores["fixed"].scale.tolist() == pytest.approx(2 * [0.08 / (2 * 1.2815515655446004)], rel=1e-4)
    assert scores[OURS].scale.tolist() == pytest.approx([0.02, 0.02], rel=1e-4)
