"""Scores and tests against integrals, closed forms and figures worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scoringrules
from scipy import integrate, special

from rnn.scores import benjamini_hochberg, crps_student_t, diebold_mariano, student_t_cdf, student_t_quantiles


@pytest.mark.parametrize("value", [-3.0, 0.0, 0.4, 2.5])
@pytest.mark.parametrize("dof", [2.5, 5.0, 30.0])
def test_crps_is_the_integral_it_stands_for(value: float, dof: float) -> None:
    location, scale = 0.2, 0.7

    def squared(x: float) -> float:
        return float((special.stdtr(dof, (x - location) / scale) - (x >= value)) ** 2)

    left, right = (integrate.quad(squared, a, b, limit=400, epsabs=1e-11)[0] for a, b in ((-np.inf, value), (value, np.inf)))
    assert crps_student_t(value, location, scale, dof) == pytest.approx(left + right, abs=1e-8)


def test_crps_is_an_independent_packages() -> None:
    rng = np.random.default_rng(0)
    value, location, scale = rng.normal(0, 0.03, 500), rng.normal(0, 0.01, 500), rng.uniform(0.001, 0.05, 500)
    dof = rng.uniform(2.1, 60, 500)
    theirs = scoringrules.crps_t(value, df=dof, location=location, scale=scale)
    assert np.allclose(crps_student_t(value, location, scale, dof), theirs, rtol=0, atol=1e-9)
    normal = scoringrules.crps_normal(value, location, scale)
    assert np.allclose(crps_student_t(value, location, scale, np.full(500, np.nan)), normal, rtol=0, atol=1e-9)


def test_crps_without_dof_is_the_normals() -> None:
    # Gneiting and Raftery 2007, for a standard normal at 0: (sqrt(2) - 1) / sqrt(pi)
    assert crps_student_t(0.0, 0.0, 1.0, np.nan) == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), abs=1e-12)
    assert crps_student_t(1.0, 0.0, 1.0, 1e7) == pytest.approx(float(crps_student_t(1.0, 0.0, 1.0, np.nan)), abs=1e-6)


def test_quantiles_invert_the_cdf() -> None:
    levels = (0.05, 0.25, 0.5, 0.95)
    location, scale, dof = np.array([0.1, -0.2]), np.array([0.02, 3.0]), np.array([4.0, np.nan])
    quantiles = student_t_quantiles(location, scale, dof, levels)
    back = student_t_cdf(quantiles, location[:, None], scale[:, None], dof[:, None])
    assert np.allclose(back, levels, atol=1e-12)


def test_diebold_mariano_by_hand() -> None:
    # d = 1, 2, 3, 4: mean 2.5, variance 1.25; sqrt(1.25 / 4) = 0.559017; 2.5 / 0.559017 = 4.472136;
    # correction sqrt((4 + 1 - 2) / 4) = 0.866025; statistic 3.872983; p = 2 P(t_3 > 3.872983) = 0.030466
    statistic, p_value = diebold_mariano(np.array([2.0, 4.0, 6.0, 8.0]), np.array([1.0, 2.0, 3.0, 4.0]), 1)
    assert statistic == pytest.approx(3.872983, abs=1e-6)
    assert p_value == pytest.approx(0.030466, abs=1e-6)


def test_equal_losses_have_no_statistic() -> None:
    assert np.isnan(diebold_mariano(np.ones(80), np.ones(80), 1)).all()


def test_benjamini_hochberg_by_hand() -> None:
    # sorted .01 .02 .03 .5 -> x 4/1, 4/2, 4/3, 4/4 -> .04 .04 .04 .5
    assert np.allclose(benjamini_hochberg(np.array([0.02, 0.5, 0.01, 0.03])), [0.04, 0.5, 0.04, 0.04])
