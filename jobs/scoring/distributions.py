"""Student-t distributions, elementwise in float64: probabilities, quantiles and the closed-form CRPS.

dof NaN means a normal distribution. Where no shape is given, arguments may have any shapes that broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


def student_t_cdf(value: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: ArrayLike) -> Floats:
    """Return the probability of an outcome below value. At the realised value this is the PIT."""
    z, dof = _standardised(value, location, scale), np.asarray(dof, np.float64)
    probability: Floats = np.where(np.isnan(dof), special.ndtr(z), special.stdtr(_without_nan(dof), z))
    return probability


def student_t_quantiles(location: Floats, scale: Floats, dof: Floats, levels: Sequence[float]) -> Floats:
    """Return the quantiles (..., levels) of distributions of shape (...). levels: probabilities in (0, 1)."""
    p = np.asarray(levels, np.float64)
    dof = np.asarray(dof, np.float64)[..., None]
    z = np.where(np.isnan(dof), special.ndtri(p), special.stdtrit(_without_nan(dof), p))
    # The median is exactly the location; stdtrit returns about 1e-17 instead of 0.
    z = np.where(p == 0.5, 0.0, z)
    return np.asarray(location)[..., None] + np.asarray(scale)[..., None] * z


def crps_student_t(value: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: ArrayLike) -> Floats:
    """Return the continuous ranked probability score, in the unit of value; lower is better. Needs dof > 1.

    Source: Jordan, Krueger and Lerch 2019, Evaluating Probabilistic Forecasts with scoringRules, appendix A.
    """
    z, dof = _standardised(value, location, scale), np.asarray(dof, np.float64)
    return np.asarray(scale, np.float64) * np.where(np.isnan(dof), _crps_normal(z), _crps_t(z, _without_nan(dof)))


def _crps_t(z: Floats, dof: Floats) -> Floats:
    density = np.exp(-0.5 * (dof + 1) * np.log1p(z * z / dof) - special.betaln(0.5, 0.5 * dof)) / np.sqrt(dof)
    spread = 2 * np.sqrt(dof) / (dof - 1) * np.exp(special.betaln(0.5, dof - 0.5) - 2 * special.betaln(0.5, 0.5 * dof))
    score: Floats = z * (2 * special.stdtr(dof, z) - 1) + 2 * density * (dof + z * z) / (dof - 1) - spread
    return score


def _crps_normal(z: Floats) -> Floats:
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    score: Floats = z * (2 * special.ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)
    return score


def _standardised(value: ArrayLike, location: ArrayLike, scale: ArrayLike) -> Floats:
    z: Floats = (np.asarray(value, np.float64) - np.asarray(location, np.float64)) / np.asarray(scale, np.float64)
    return z


def _without_nan(dof: Floats) -> Floats:
    """Return dof with NaN replaced by a valid number. Both branches of np.where are computed, and only one is used."""
    return np.where(np.isnan(dof), 30.0, dof)
