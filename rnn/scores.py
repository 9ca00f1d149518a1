"""Scores of density forecasts and tests of their difference. Elementwise in float64; dof NaN stands for a normal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def student_t_cdf(value: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: ArrayLike) -> Floats:
    """Return the probability of less than value: the PIT when value is what came."""
    z, dof = _standardised(value, location, scale), np.asarray(dof, np.float64)
    probability: Floats = np.where(np.isnan(dof), special.ndtr(z), special.stdtr(_finite(dof), z))
    return probability


def student_t_quantiles(location: Floats, scale: Floats, dof: Floats, levels: Sequence[float]) -> Floats:
    """Return quantiles (..., levels) of distributions (...)."""
    p = np.asarray(levels, np.float64)
    dof = np.asarray(dof, np.float64)[..., None]
    z = np.where(np.isnan(dof), special.ndtri(p), special.stdtrit(_finite(dof), p))
    # The median is the location itself, not the root finder's nearly zero.
    z = np.where(p == 0.5, 0.0, z)
    return np.asarray(location)[..., None] + np.asarray(scale)[..., None] * z


def crps_student_t(value: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: ArrayLike) -> Floats:
    """Return the continuous ranked probability score, in the value's unit; lower is better. dof > 1.

    Source: Jordan, Krueger and Lerch 2019, Evaluating Probabilistic Forecasts with scoringRules, appendix A.
    """
    z, dof = _standardised(value, location, scale), np.asarray(dof, np.float64)
    return np.asarray(scale, np.float64) * np.where(np.isnan(dof), _crps_normal(z), _crps_t(z, _finite(dof)))


def _crps_t(z: Floats, dof: Floats) -> Floats:
    density = np.exp(-0.5 * (dof + 1) * np.log1p(z * z / dof) - special.betaln(0.5, 0.5 * dof)) / np.sqrt(dof)
    spread = 2 * np.sqrt(dof) / (dof - 1) * np.exp(special.betaln(0.5, dof - 0.5) - 2 * special.betaln(0.5, 0.5 * dof))
    score: Floats = z * (2 * special.stdtr(dof, z) - 1) + 2 * density * (dof + z * z) / (dof - 1) - spread
    return score


def _crps_normal(z: Floats) -> Floats:
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    score: Floats = z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)
    return score


def diebold_mariano(loss: Floats, baseline_loss: Floats, horizon: int) -> tuple[float, float]:
    """Return the statistic, negative when `loss` is the smaller, and its two-sided p-value from Student's t, n - 1 dof.

    Variance with horizon - 1 autocovariances, all of weight one, or by Bartlett's weights where that is not positive;
    small-sample correction. NaN, NaN when the losses do not differ.
    Source: Diebold and Mariano 1995; Harvey, Leybourne and Newbold 1997.
    """
    difference = np.asarray(loss, np.float64) - np.asarray(baseline_loss, np.float64)
    n = len(difference)
    variance = _long_run_variance(difference, horizon)
    if n < 2 or variance <= 0:
        return float("nan"), float("nan")
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = difference.mean() / np.sqrt(variance / n) * np.sqrt(max(correction, 0.0))
    return float(statistic), float(2 * special.stdtr(n - 1, -abs(statistic)))


def _long_run_variance(difference: Floats, horizon: int) -> float:
    centred = difference - difference.mean()
    n = len(centred)
    covariance = [float(centred[lag:] @ centred[: n - lag]) / n for lag in range(min(horizon, n))]
    plain = covariance[0] + 2 * sum(covariance[1:])
    bartlett = covariance[0] + 2 * sum((1 - lag / horizon) * c for lag, c in enumerate(covariance) if lag)
    return plain if plain > 0 else bartlett


def benjamini_hochberg(p_values: Floats) -> Floats:
    """Return p-values adjusted for the false discovery rate. Source: Benjamini and Hochberg 1995."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled), 1.0)
    return adjusted


def _standardised(value: ArrayLike, location: ArrayLike, scale: ArrayLike) -> Floats:
    z: Floats = (np.asarray(value, np.float64) - np.asarray(location, np.float64)) / np.asarray(scale, np.float64)
    return z


def _finite(dof: Floats) -> Floats:
    return np.where(np.isnan(dof), 30.0, dof)
