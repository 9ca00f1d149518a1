"""Significance tests against arithmetic by hand, a plain-loop twin and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tickercast.jobs.scoring.significance import benjamini_hochberg, diebold_mariano


def plain_diebold_mariano(loss: list[float], baseline: list[float], horizon: int) -> tuple[float, float]:
    """Return the statistic and p-value by plain loops, for a long-run variance that is positive."""
    n = len(loss)
    difference = [a - b for a, b in zip(loss, baseline, strict=True)]
    mean = sum(difference) / n
    variance = 0.0
    for lag in range(-(horizon - 1), horizon):
        variance += sum((difference[t] - mean) * (difference[t - abs(lag)] - mean) for t in range(abs(lag), n)) / n
    statistic = mean / math.sqrt(variance / n)
    statistic *= math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    return statistic, 2 * float(stats.t.sf(abs(statistic), n - 1))


def test_diebold_mariano_by_hand() -> None:
    # d = 1, 2, 3, 4: mean 2.5, variance 1.25; sqrt(1.25 / 4) = 0.559017; 2.5 / 0.559017 = 4.472136;
    # correction sqrt((4 + 1 - 2) / 4) = 0.866025; statistic 3.872983; p = 2 P(t_3 > 3.872983) = 0.030466
    statistic, p_value = diebold_mariano(np.array([2.0, 4.0, 6.0, 8.0]), np.array([1.0, 2.0, 3.0, 4.0]), 1)
    assert statistic == pytest.approx(3.872983, abs=1e-6)
    assert p_value == pytest.approx(0.030466, abs=1e-6)


@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 10])
def test_diebold_mariano_has_one_lag_less_than_the_horizon_as_a_plain_loop_has(horizon: int) -> None:
    rng = np.random.default_rng(horizon)
    # A moving average of the horizon's length: its autocovariances are positive, as those of overlapping forecasts are.
    noise = np.convolve(rng.normal(0.05, 1, 300), np.ones(horizon), "valid")
    loss, baseline = noise + 5, rng.normal(0, 0.1, len(noise)) + 5
    expected = plain_diebold_mariano(loss.tolist(), baseline.tolist(), horizon)
    assert diebold_mariano(loss, baseline, horizon) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_the_unit_of_the_losses_does_not_change_the_test(unit: float) -> None:
    loss, baseline = np.array([3.0, 5.0, 6.0, 9.0, 11.0]), np.array([1.0, 2.0, 4.0, 5.0, 6.0])
    expected = plain_diebold_mariano(loss.tolist(), baseline.tolist(), 2)
    assert diebold_mariano(unit * loss, unit * baseline, 2) == pytest.approx(expected, rel=1e-9)


def test_the_statistic_is_negative_where_the_first_loss_is_smaller_and_the_p_value_is_two_sided() -> None:
    small, large = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 4.0, 6.0, 8.0])
    statistic, p_value = diebold_mariano(small, large, 1)
    assert (statistic, p_value) == pytest.approx((-3.872983, 0.030466), abs=1e-6)


@pytest.mark.parametrize(
    "difference",
    [
        # centred 1 -1 1 -1: autocovariances 1, -3/4; sum with weight one 1 - 2 x 3/4 = -1/2; by Bartlett 1 - 2 x 1/2 x 3/4 = 1/4
        [2.0, 0.0, 2.0, 0.0],
        # centred 1 -1 0 0: autocovariances 1/2, -1/4; sum with weight one exactly 0; by Bartlett 1/2 - 1/4 = 1/4
        [2.0, 0.0, 1.0, 1.0],
    ],
)
def test_a_variance_that_is_not_positive_is_replaced_by_bartletts(difference: list[float]) -> None:
    # mean 1, variance 1/4: 1 / sqrt(1/16) = 4; correction sqrt((4 + 1 - 4 + 2/4) / 4) = sqrt(3/8); 4 sqrt(3/8) = sqrt(6)
    statistic, p_value = diebold_mariano(np.array(difference), np.zeros(4), 2)
    assert statistic == pytest.approx(math.sqrt(6), abs=1e-12)
    assert p_value == pytest.approx(2 * float(stats.t.sf(math.sqrt(6), 3)), abs=1e-12)


def test_bartletts_weights_fall_linearly_with_the_lag() -> None:
    # centred 1 -1 1 -1 1 -1, n = 6: autocovariances 1, -5/6, 4/6; weights 1, 2/3, 1/3 for horizon 3
    # weight one: 1 - 10/6 + 8/6 = 2/3 > 0, so horizon 4 is needed for a negative sum: 2/3 - 2 x 3/6 = -1/3
    # by Bartlett, horizon 4: 1 + 2 (-3/4 x 5/6 + 2/4 x 4/6 - 1/4 x 3/6) = 1 + 2 (-5/8 + 1/3 - 1/8) = 1/6
    # 1 / sqrt(1/6 / 6) = 6; correction sqrt((6 + 1 - 8 + 12/6) / 6) = sqrt(1/6); 6 / sqrt(6) = sqrt(6)
    statistic, _ = diebold_mariano(np.array([2.0, 0.0] * 3), np.zeros(6), 4)
    assert statistic == pytest.approx(math.sqrt(6), abs=1e-12)


def test_losses_that_do_not_differ_have_no_statistic() -> None:
    assert np.isnan(diebold_mariano(np.ones(80), np.ones(80), 1)).all()


def test_benjamini_hochberg_by_hand() -> None:
    # sorted .01 .02 .03 .5 -> x 4/1, 4/2, 4/3, 4/4 -> .04 .04 .04 .5
    assert benjamini_hochberg(np.array([0.02, 0.5, 0.01, 0.03])) == pytest.approx([0.04, 0.5, 0.04, 0.04], abs=1e-15)


def test_a_single_p_value_stays_as_it_is() -> None:
    assert benjamini_hochberg(np.array([0.3])).tolist() == [0.3]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_benjamini_hochberg_is_scipys_false_discovery_control(p_values: list[float]) -> None:
    theirs = stats.false_discovery_control(p_values)
    assert np.allclose(benjamini_hochberg(np.array(p_values)), theirs, rtol=1e-14, atol=1e-15)
