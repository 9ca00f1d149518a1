"""GARCH(1,1) with Student's t, and GJR-GARCH(1,1) with a skewed t, as methods to compare with.

Refitted every 63 origins on up to 2000 returns, and filtered between. Over several sessions the expected variances are summed,
and the one-session distribution is scaled to the sum. Only this module imports the arch package.
Sources: Bollerslev 1986; Glosten, Jagannathan and Runkle 1993; Hansen 1994.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from jobs.analysis.baselines import FIT_SESSIONS, GRID_LEVELS, REFIT_SESSIONS, Floats, Method, Origins
from jobs.errors import UsageError

PERCENT = 100.0  # arch fits returns in percent; smaller numbers converge badly

Distribution = Literal["t", "skewt"]


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit, in percent: the mean, the recursion of the variance, and the quantiles of a standardised residual (levels,)."""

    mean: float
    constant: float
    shock: float
    leverage: float
    persistence: float
    first_session: int
    first_variance: float
    quantiles: tuple[float, ...]

    def variances(self, returns: Floats, through: int) -> Floats:
        """Return (through + 2,) variances: at t + 1 the one expected from returns up to t; NaN before the fit's sample."""
        variances = np.full(through + 2, np.nan)
        variances[self.first_session] = self.first_variance
        for t in range(self.first_session, through + 1):
            error = PERCENT * returns[t] - self.mean
            reaction = self.shock + (self.leverage if error < 0 else 0.0)
            variances[t + 1] = self.constant + reaction * error**2 + self.persistence * variances[t]
        return variances

    def total_variance(self, next_variance: Floats, horizon: int) -> Floats:
        """Return the expected variance of the sum over the horizon, given that of the next session."""
        total, ahead = np.zeros_like(next_variance), next_variance
        for _ in range(horizon):
            total = total + ahead
            ahead = self.constant + (self.shock + self.leverage / 2 + self.persistence) * ahead
        return total


def garch_t(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels) quantiles of the return over the horizon, by GARCH with Student's t. variance is not used."""
    return _forecast("t", returns, horizon, origins)


def gjr_skewed_t(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels) quantiles of the return over the horizon, by GJR-GARCH, skewed t. variance is not used."""
    return _forecast("skewt", returns, horizon, origins)


def garch_methods() -> dict[str, Method]:
    """Return the methods of this module by the names stored with their forecasts. Raises UsageError without arch."""
    try:
        import arch  # noqa: F401
    except ImportError as error:
        raise UsageError("GARCH models need the arch package: pip install 'tickercast[garch]'") from error
    return {"GARCH(1,1), t": garch_t, "GJR-GARCH(1,1), skewed t": gjr_skewed_t}


def _forecast(distribution: Distribution, returns: Floats, horizon: int, origins: Origins) -> Floats:
    quantiles = np.empty((len(origins), len(GRID_LEVELS)))
    for begin in range(0, len(origins), REFIT_SESSIONS):
        part = origins[begin : begin + REFIT_SESSIONS]
        first = int(part[0])
        sample = returns[max(1, first + 1 - FIT_SESSIONS) : first + 1]
        fit = _fit(distribution, sample.tobytes(), first + 1 - len(sample))
        next_variance = fit.variances(returns, int(part[-1]))[part + 1]
        spread = np.sqrt(fit.total_variance(next_variance, horizon))
        centre = horizon * fit.mean
        quantiles[begin : begin + REFIT_SESSIONS] = (centre + spread[:, None] * np.array(fit.quantiles)) / PERCENT
    return quantiles


@lru_cache(maxsize=256)  # all horizons of a ticker use one fit
def _fit(distribution: Distribution, sample: bytes, first_session: int) -> Fit:
    """Return the fit of a sample of returns, float64 as bytes. first_session: the position of its first return."""
    from arch import arch_model

    returns = PERCENT * np.frombuffer(sample)
    leverage_terms = 1 if distribution == "skewt" else 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that converged poorly is still compared
        model = arch_model(returns, mean="Constant", vol="GARCH", p=1, o=leverage_terms, q=1, dist=distribution)
        result = model.fit(disp="off", show_warning=False)
    params = result.params
    return Fit(
        mean=float(params["mu"]),
        constant=float(params["omega"]),
        shock=float(params["alpha[1]"]),
        leverage=float(params.get("gamma[1]", 0.0)),
        persistence=float(params["beta[1]"]),
        first_session=first_session,
        first_variance=float(result.conditional_volatility[0]) ** 2,
        quantiles=_residual_quantiles(distribution, params),
    )


def _residual_quantiles(distribution: Distribution, params: Mapping[str, float]) -> tuple[float, ...]:
    from arch.univariate import SkewStudent, StudentsT

    if distribution == "skewt":
        quantiles = SkewStudent().ppf(GRID_LEVELS, np.array([params["eta"], params["lambda"]]))
    else:
        quantiles = StudentsT().ppf(GRID_LEVELS, np.array([params["nu"]]))
    return tuple(np.atleast_1d(quantiles).tolist())
