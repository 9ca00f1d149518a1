"""The losses against SciPy and arithmetic by hand."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

from tickercast.rnn.losses import log_gamma_ratio, squared_error, student_t_nll


def test_the_squared_error_of_two_outputs_is_the_one_by_hand() -> None:
    outputs, targets = np.array([[[3.0], [1.0]]]), np.array([[[1.0], [2.0]]])
    assert squared_error(outputs, targets).tolist() == [2.5]  # (2^2 + 1^2) / 2
    assert outputs.tolist() == [[[2.0], [-1.0]]]  # 2 error / 2


def test_student_t_likelihood_is_scipys() -> None:
    error, scale, dof = np.array([0.3, -2.0, 5.0, 0.0]), np.array([0.5, 1.0, 2.0, 3.0]), np.array([2.2, 4.0, 9.0, 58.0])
    nll, _, _, _ = student_t_nll(error, np.log(scale), dof)
    assert np.allclose(nll, -stats.t.logpdf(error, dof, scale=scale), atol=1e-7)


def test_the_gamma_ratio_and_its_slope_are_scipys() -> None:
    x = np.linspace(2.0, 80.0, 200)
    value, slope = log_gamma_ratio(x)
    assert np.allclose(value, special.gammaln((x + 1) / 2) - special.gammaln(x / 2), atol=1e-7)
    assert np.allclose(slope, 0.5 * (special.digamma((x + 1) / 2) - special.digamma(x / 2)), atol=1e-7)
