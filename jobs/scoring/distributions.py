"""Student-t distributions, elementwise in float64: probabilities, quantiles, means of the lower tail and the closed-form CRPS.

dof NaN means a normal distribution. Where no shape is given, arguments may have any shapes that broadcast.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

NODES = 32  # of a mean over a tail


def student_t_cdf(value: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: ArrayLike) -> Floats:
    """Return the probability of an outcome below value. At the realised value this is the PIT."""
    value, location, scale, dof = _as_floats(value, location, scale, dof)
    z = (value - location) / scale
    probability: Floats = np.where(np.isnan(dof), special.ndtr(z), special.stdtr(dof, z))
    return probability


def student_t_quantiles(location: ArrayLike, scale: ArrayLike, dof: ArrayLike, levels: Sequence[float]) -> Floats:
    """Return the quantiles (..., levels) of distributions of shape (...). levels: probabilities in (0, 1)."""
    location, scale, dof, p = _as_floats(location, scale, dof, levels)
    z = np.where(np.isnan(dof)[..., None], special.ndtri(p), special.stdtrit(dof[..., None], p))
    quantiles: Floats = location[..., None] + scale[..., None] * z
    return quantiles


def student_t_shortfall(location: ArrayLike, scale: ArrayLike, dof: ArrayLike, level: float) -> Floats:
    """Return the mean of the outcomes below the quantile of `level`: the expected shortfall. NaN where dof is not above 1.

    Source: McNeil, Frey and Embrechts 2015, Quantitative Risk Management, examples 2.14 and 2.15.
    """
    location, scale, dof = _as_floats(location, scale, dof)
    is_normal = np.isnan(dof)
    z, dof = special.stdtrit(dof, level), np.where(dof > 1, dof, np.nan)
    heavy = _t_density(z, dof) * (dof + z * z) / (dof - 1)
    shortfall: Floats = location - scale / level * np.where(is_normal, _normal_density(special.ndtri(level)), heavy)
    return shortfall


def student_t_price_shortfall(location: ArrayLike, scale: ArrayLike, dof: ArrayLike, level: float) -> Floats:
    """Return the mean of exp(outcome) - 1 over the outcomes below the quantile of `level`: of log returns, of simple ones.

    It has no closed form: the mean of exp(quantile) over the levels below is summed by Gauss-Legendre, to 1e-9 or better.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    part = (nodes + 1) / 2
    levels = level * part**4  # dense near 0, where the quantile is steep
    mean: Floats = np.exp(student_t_quantiles(location, scale, dof, levels.tolist())) @ (2 * weights * part**3) - 1
    return mean


def crps_student_t(value: ArrayLike, location: ArrayLike, scale: ArrayLike, dof: ArrayLike) -> Floats:
    """Return the continuous ranked probability score, in the unit of value; lower is better. Needs dof > 1.

    Source: Jordan, Krueger and Lerch 2019, Evaluating Probabilistic Forecasts with scoringRules, appendix A.
    """
    value, location, scale, dof = _as_floats(value, location, scale, dof)
    z = (value - location) / scale
    crps: Floats = scale * np.where(np.isnan(dof), _crps_normal(z), _crps_t(z, dof))
    return crps


def _crps_t(z: Floats, dof: Floats) -> Floats:
    density = _t_density(z, dof)
    spread = 2 * np.sqrt(dof) / (dof - 1) * np.exp(special.betaln(0.5, dof - 0.5) - 2 * special.betaln(0.5, 0.5 * dof))
    score: Floats = z * (2 * special.stdtr(dof, z) - 1) + 2 * density * (dof + z * z) / (dof - 1) - spread
    return score


def _crps_normal(z: Floats) -> Floats:
    score: Floats = z * (2 * special.ndtr(z) - 1) + 2 * _normal_density(z) - 1 / np.sqrt(np.pi)
    return score


def _t_density(z: Floats, dof: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * (dof + 1) * np.log1p(z * z / dof) - special.betaln(0.5, 0.5 * dof)) / np.sqrt(dof)
    return density


def _normal_density(z: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return density


def _as_floats(*values: ArrayLike) -> list[Floats]:
    """Return each argument as a float64 array."""
    return [np.asarray(value, np.float64) for value in values]
