"""Student-t distributions against closed forms, numerical integrals and independent packages."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
import scoringrules
from scipy import integrate, stats

from tickercast.jobs.scoring.distributions import (
    crps_student_t,
    student_t_cdf,
    student_t_price_shortfall,
    student_t_quantiles,
    student_t_shortfall,
)

NORMAL = float("nan")  # the dof of a normal distribution


@pytest.mark.parametrize(
    ("value", "dof", "expected"),
    [
        (1.0, 1.0, 0.75),  # Cauchy: 1/2 + atan(1) / pi
        (-1.0, 1.0, 0.25),
        (1.0, 2.0, 0.5 + 1 / (2 * np.sqrt(3))),  # two dof: 1/2 + z / (2 sqrt(2 + z^2))
        (0.0, 7.0, 0.5),
        (1.5, NORMAL, NormalDist().cdf(1.5)),
        (-0.3, NORMAL, NormalDist().cdf(-0.3)),
    ],
)
def test_the_cdf_is_the_closed_form(value: float, dof: float, expected: float) -> None:
    assert float(student_t_cdf(value, 0.0, 1.0, dof)) == pytest.approx(expected, abs=1e-14)


def test_the_cdf_is_of_the_value_less_the_location_over_the_scale() -> None:
    # (0.05 - 0.02) / 0.03 = 1, and a Cauchy variable is below 1 in three cases of four
    assert float(student_t_cdf(0.05, 0.02, 0.03, 1.0)) == pytest.approx(0.75, abs=1e-12)


def test_the_cdf_is_scipys() -> None:
    rng = np.random.default_rng(0)
    value, location, scale, dof = (
        rng.normal(0, 0.05, 300),
        rng.normal(0, 0.01, 300),
        rng.uniform(0.01, 0.05, 300),
        rng.uniform(2, 60, 300),
    )
    assert np.allclose(student_t_cdf(value, location, scale, dof), stats.t.cdf(value, dof, location, scale), rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("level", "dof", "expected"),
    [
        (0.75, 1.0, 1.0),  # Cauchy: tan(pi (p - 1/2))
        (0.05, 1.0, np.tan(-0.45 * np.pi)),
        (0.9, 2.0, 0.8 * np.sqrt(2 / 0.36)),  # two dof: (2 p - 1) sqrt(2 / (4 p (1 - p)))
        (0.1, 2.0, -0.8 * np.sqrt(2 / 0.36)),
        (0.9, NORMAL, NormalDist().inv_cdf(0.9)),
        (0.05, NORMAL, NormalDist().inv_cdf(0.05)),
    ],
)
def test_a_quantile_is_location_plus_scale_times_the_closed_form(level: float, dof: float, expected: float) -> None:
    quantile = student_t_quantiles(np.array([0.02]), np.array([0.5]), np.array([dof]), [level])
    assert quantile == pytest.approx(0.02 + 0.5 * expected, abs=1e-12)


@pytest.mark.parametrize("dof", [2.5, 4.0, 31.7, NORMAL])
def test_the_median_is_exactly_the_location(dof: float) -> None:
    assert student_t_quantiles(np.array([0.0123]), np.array([7.0]), np.array([dof]), [0.5]).tolist() == [[0.0123]]


def test_quantiles_invert_the_cdf_and_have_the_levels_on_the_last_axis() -> None:
    levels = (0.05, 0.25, 0.5, 0.95)
    location, scale, dof = np.array([0.1, -0.2]), np.array([0.02, 3.0]), np.array([4.0, NORMAL])
    quantiles = student_t_quantiles(location, scale, dof, levels)
    back = student_t_cdf(quantiles, location[:, None], scale[:, None], dof[:, None])
    assert quantiles.shape == (2, 4)
    assert np.allclose(back, levels, atol=1e-12)


@pytest.mark.parametrize("value", [-3.0, 0.0, 0.4, 2.5])
@pytest.mark.parametrize("dof", [2.5, 5.0, 30.0])
def test_the_crps_is_the_integral_of_the_squared_distance_between_cdfs(value: float, dof: float) -> None:
    location, scale = 0.2, 0.7

    def squared(x: float) -> float:
        return float((stats.t.cdf(x, dof, location, scale) - (x >= value)) ** 2)

    left, right = (integrate.quad(squared, a, b, limit=400, epsabs=1e-11)[0] for a, b in ((-np.inf, value), (value, np.inf)))
    assert crps_student_t(value, location, scale, dof) == pytest.approx(left + right, abs=1e-8)


def test_the_crps_is_that_of_an_independent_package() -> None:
    rng = np.random.default_rng(0)
    value, location, scale = rng.normal(0, 0.03, 500), rng.normal(0, 0.01, 500), rng.uniform(0.001, 0.05, 500)
    dof = rng.uniform(2.1, 60, 500)
    theirs = scoringrules.crps_t(value, df=dof, location=location, scale=scale)
    assert np.allclose(crps_student_t(value, location, scale, dof), theirs, rtol=0, atol=1e-12)
    normal = scoringrules.crps_normal(value, location, scale)
    assert np.allclose(crps_student_t(value, location, scale, np.full(500, NORMAL)), normal, rtol=0, atol=1e-12)


def test_the_crps_without_dof_is_that_of_a_normal() -> None:
    # Gneiting and Raftery 2007, for a standard normal at 0: (sqrt(2) - 1) / sqrt(pi)
    assert crps_student_t(0.0, 0.0, 1.0, NORMAL) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=1e-12)
    assert crps_student_t(1.0, 0.0, 1.0, 1e7) == pytest.approx(float(crps_student_t(1.0, 0.0, 1.0, NORMAL)), abs=1e-6)


def test_arguments_in_single_precision_are_computed_in_double_precision() -> None:
    single = [np.array(x, np.float32) for x in (0.1, 0.02, 0.03, 4.7)]
    double = [np.array(float(x)) for x in single]
    levels = np.array([0.05, 0.9], np.float32)
    assert student_t_cdf(*single) == student_t_cdf(*double)
    assert crps_student_t(*single) == crps_student_t(*double)
    quantiles = student_t_quantiles(*single[1:], levels)
    assert quantiles.tolist() == student_t_quantiles(*double[1:], levels.astype(np.float64)).tolist()


# Quantile, expected shortfall and mean of exp(x) - 1 below the quantile, at location 0.001 and scale 0.02: the first two by the
# R package cvar 0.5, the third by R 4.2.2's integrate.
TAILS = [
    (3.0, 0.01, -0.0898140572, -0.1390616407, -0.127436523423),
    (3.0, 0.05, -0.0460672687, -0.0764853504, -0.072659153778),
    (12.0, 0.01, -0.0526199599, -0.0634994109, -0.061467561284),
    (12.0, 0.05, -0.0346457511, -0.0458561294, -0.044762913850),
    (np.nan, 0.01, -0.0455269575, -0.0523042844, -0.050941632817),
    (np.nan, 0.05, -0.0318970725, -0.0402542561, -0.039428386485),
]


@pytest.mark.parametrize(("dof", "level", "quantile", "shortfall", "price_shortfall"), TAILS)
def test_the_lower_tail_is_that_of_r(dof: float, level: float, quantile: float, shortfall: float, price_shortfall: float) -> None:
    assert student_t_quantiles(0.001, 0.02, dof, (level,)) == pytest.approx([quantile], abs=1e-10)
    assert student_t_shortfall(0.001, 0.02, dof, level) == pytest.approx(shortfall, abs=1e-10)
    assert student_t_price_shortfall(0.001, 0.02, dof, level) == pytest.approx(price_shortfall, abs=1e-9)


def test_a_distribution_with_a_tail_too_heavy_for_a_mean_has_no_shortfall() -> None:
    assert np.isnan(student_t_shortfall([0.0, 0.0], 1.0, [1.0, 0.5], 0.05)).all()
