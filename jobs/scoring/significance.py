"""Is a difference in loss more than chance? The Diebold-Mariano test, and the correction for many tests at once."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


def diebold_mariano(loss: Floats, baseline_loss: Floats, horizon: int) -> tuple[float, float]:
    """Return the statistic and its two-sided p-value. The statistic is negative where `loss` is lower on average.

    loss, baseline_loss: (n,) in the order of the dates, n > horizon. The variance has horizon - 1 autocovariances of weight
    one, or Bartlett's weights if that sum is not positive. The p-value is from Student's t with n - 1 dof, after the small-sample
    correction. Returns NaN, NaN where the losses do not differ.
    Source: Diebold and Mariano 1995; Harvey, Leybourne and Newbold 1997.
    """
    difference = loss - baseline_loss
    n = len(difference)
    variance = _long_run_variance(difference, horizon)
    if variance <= 0:
        return math.nan, math.nan
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = difference.mean() / np.sqrt(variance / n) * np.sqrt(correction)
    return float(statistic), float(2 * special.stdtr(n - 1, -abs(statistic)))


def diebold_mariano_of_sums(
    n: Floats, first_difference: Floats, sums: Floats, products: Floats, first: Floats, last: Floats
) -> tuple[Floats, Floats]:
    """Return the statistics and p-values of k series of n differences each, like diebold_mariano, from their sums.

    All but the first two are of the differences less the first one: sums (k,); products (k, h), of those `lag` dates apart;
    first, last (k, h - 1), the ones at the ends of the series, in the order from the end. NaN where the losses do not differ.
    """
    horizon = products.shape[1]
    mean = sums / n
    covariance = np.empty_like(products)
    for lag in range(horizon):
        ends = 2 * sums - first[:, :lag].sum(axis=1) - last[:, :lag].sum(axis=1)
        covariance[:, lag] = (products[:, lag] - mean * ends + (n - lag) * mean * mean) / n
    weights = 1 - np.arange(1, horizon) / horizon
    plain = covariance[:, 0] + 2 * covariance[:, 1:].sum(axis=1)
    bartlett = covariance[:, 0] + 2 * (weights * covariance[:, 1:]).sum(axis=1)
    variance = np.where(plain > 0, plain, bartlett)
    variance[variance <= 0] = np.nan
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = (first_difference + mean) / np.sqrt(variance / n) * np.sqrt(np.maximum(correction, 0))
    return statistic, 2 * special.stdtr(n - 1, -np.abs(statistic))


def _long_run_variance(difference: Floats, horizon: int) -> float:
    centred = difference - difference.mean()
    n = len(centred)
    covariance = [float(centred[lag:] @ centred[: n - lag]) / n for lag in range(horizon)]
    plain = covariance[0] + 2 * sum(covariance[1:])
    bartlett = covariance[0] + 2 * sum((1 - lag / horizon) * c for lag, c in enumerate(covariance) if lag)
    return plain if plain > 0 else bartlett


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return p-values (n,) adjusted for the false discovery rate, in the order given.

    SciPy's false_discovery_control differs in the last bit, which would change stored values, and takes a second to import.
    Source: Benjamini and Hochberg 1995.
    """
    order = np.argsort(p_values)[::-1]
    n = len(p_values)
    scaled = p_values[order] * n / np.arange(n, 0, -1)
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum.accumulate(scaled)
    return adjusted
