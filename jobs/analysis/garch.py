"""GARCH(1,1) with Student's t, and GJR-GARCH(1,1) with a skewed t, as methods to compare with.

Refitted every 63 origins on up to 2000 returns, and filtered between. Over several sessions the returns are simulated, because
neither their sum nor the leverage has a closed form. Only this module imports the arch package.
Sources: Bollerslev 1986; Glosten, Jagannathan and Runkle 1993; Hansen 1994.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from tickercast.jobs.analysis.baselines import FIT_SESSIONS, GRID_LEVELS, REFIT_SESSIONS, Floats, Method, Origins
from tickercast.jobs.errors import UsageError

PERCENT = 100.0  # arch fits returns in percent; smaller numbers converge badly
PATHS = 4096  # of a simulation

Distribution = Literal["t", "skewt"]


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit, in percent: the mean, the recursion of the variance, and its standardised residual by distribution and shape."""

    mean: float
    constant: float
    shock: float
    leverage: float
    persistence: float
    first_session: int
    first_variance: float
    distribution: Distribution
    shape: tuple[float, ...]

    def variances(self, returns: Floats, through: int) -> Floats:
        """Return (through + 2,) variances: at t + 1 the one expected from returns up to t; NaN before the fit's sample."""
        variances = np.full(through + 2, np.nan)
        variances[self.first_session] = self.first_variance
        for t in range(self.first_session, through + 1):
            error = PERCENT * returns[t] - self.mean
            reaction = self.shock + (self.leverage if error < 0 else 0.0)
            variances[t + 1] = self.constant + reaction * error**2 + self.persistence * variances[t]
        return variances

    def quantiles(self, next_variance: Floats, horizon: int) -> Floats:
        """Return (n, levels) quantiles of the sum of the next returns, given the variances (n,) of the next session."""
        if horizon == 1:
            residual = _residual_quantiles(self.distribution, self.shape, GRID_LEVELS)
            return self.mean + np.sqrt(next_variance)[:, None] * residual
        sums: Floats = np.quantile(self._simulated_sums(next_variance, horizon), GRID_LEVELS, axis=1).T
        return sums

    def _simulated_sums(self, next_variance: Floats, horizon: int) -> Floats:
        """Return (n, PATHS) simulated sums of returns. Every origin has the same residuals, so that paths differ by variance."""
        variance = np.repeat(next_variance[:, None], PATHS, axis=1)
        total = np.full_like(variance, horizon * self.mean)
        for residual in _residual_paths(self.distribution, self.shape, horizon):
            total += np.sqrt(variance) * residual
            # An error is a residual times the volatility, so the residual alone says its sign and its square over the variance.
            variance *= self.persistence + (self.shock + self.leverage * (residual < 0)) * residual**2
            variance += self.constant
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
        quantiles[begin : begin + REFIT_SESSIONS] = fit.quantiles(next_variance, horizon) / PERCENT
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
        distribution=distribution,
        shape=tuple(float(params[name]) for name in (("eta", "lambda") if distribution == "skewt" else ("nu",))),
    )


def _residual_quantiles(distribution: Distribution, shape: tuple[float, ...], levels: Floats) -> Floats:
    """Return (levels,): the quantiles of a standardised residual."""
    from arch.univariate import SkewStudent, StudentsT

    law = SkewStudent() if distribution == "skewt" else StudentsT()
    quantiles: Floats = np.asarray(law.ppf(levels, np.array(shape)))
    return quantiles


@lru_cache(maxsize=64)
def _residual_paths(distribution: Distribution, shape: tuple[float, ...], horizon: int) -> Floats:
    """Return (horizon, PATHS) residuals: of evenly spread probabilities, each level used once a step, in an order of its own."""
    rng = np.random.default_rng(0)
    residuals = _residual_quantiles(distribution, shape, (np.arange(PATHS) + 0.5) / PATHS)
    return np.stack([rng.permutation(residuals) for _ in range(horizon)])
