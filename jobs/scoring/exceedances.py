"""Tests of exceedances: do as many outcomes fall below a value at risk as its level says, and independently of each other?

Likelihood ratios, elementwise over arrays of counts (k,), where 0 log 0 = 0. Not here: which outcomes are exceedances (risk).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def kupiec(exceedances: ArrayLike, n: ArrayLike, level: float) -> tuple[Floats, Floats]:
    """Return the statistic and p-value of unconditional coverage: are `exceedances` of n independent outcomes a share of `level`?

    Chi-squared with one degree of freedom. n > 0.
    Source: Kupiec 1995, Techniques for Verifying the Accuracy of Risk Measurement Models.
    """
    x, size = np.asarray(exceedances, np.float64), np.asarray(n, np.float64)
    statistic = _at_least_0(2 * (_log_likelihood(x, size, x / size) - _log_likelihood(x, size, level)))
    return statistic, special.chdtrc(1, statistic)


def christoffersen(n00: ArrayLike, n01: ArrayLike, n10: ArrayLike, n11: ArrayLike) -> tuple[Floats, Floats]:
    """Return the statistic and p-value of independence: is an exceedance as likely after another one as after none?

    n01: pairs of successive outcomes of which only the second is an exceedance, and so on. Chi-squared with one degree of
    freedom. NaN, NaN where nothing follows an exceedance, or nothing follows another outcome.
    Source: Christoffersen 1998, Evaluating Interval Forecasts.
    """
    n00, n01, n10, n11 = (np.asarray(count, np.float64) for count in (n00, n01, n10, n11))
    calm, after = n00 + n01, n10 + n11
    is_told = (calm > 0) & (after > 0)
    share_calm, share_after = (np.divide(x, n, out=np.zeros_like(n), where=n > 0) for x, n in ((n01, calm), (n11, after)))
    share = np.divide(n01 + n11, calm + after, out=np.zeros_like(calm), where=is_told)
    apart = _log_likelihood(n01, calm, share_calm) + _log_likelihood(n11, after, share_after)
    statistic = np.where(is_told, _at_least_0(2 * (apart - _log_likelihood(n01 + n11, calm + after, share))), np.nan)
    return statistic, special.chdtrc(1, statistic)


def conditional_coverage(kupiec_statistic: ArrayLike, independence_statistic: ArrayLike) -> tuple[Floats, Floats]:
    """Return the statistic and p-value of both hypotheses together: the sum, chi-squared with two degrees of freedom.

    Source: Christoffersen 1998, equation 6.
    """
    statistic = np.asarray(kupiec_statistic, np.float64) + np.asarray(independence_statistic, np.float64)
    return statistic, special.chdtrc(2, statistic)


def _log_likelihood(x: Floats, n: Floats, share: Floats | float) -> Floats:
    """Return the log likelihood of x exceedances in n independent outcomes, each with probability `share`."""
    value: Floats = special.xlogy(x, share) + special.xlog1py(n - x, -np.asarray(share))
    return value


def _at_least_0(statistic: Floats) -> Floats:
    """Return a likelihood ratio without the rounding that makes one of 0 negative."""
    return np.maximum(statistic, 0.0)
