"""GARCH(1,1) with Student's t and GJR-GARCH(1,1) with a skewed t, to be compared with. The only door to the arch package.

Refitted every 63 origins on up to 2000 returns, filtered between; several sessions ahead are the sum of the expected variances
times the one-session distribution. Sources: Bollerslev 1986; Glosten, Jagannathan and Runkle 1993; Hansen 1994.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from jobs.errors import UsageError
from rnn.comparisons import FIT_SESSIONS, LEVELS, REFIT, Origins, Quantiles

Floats = NDArray[np.float64]
PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit, its units percent: the mean, the variance's recursion, and the quantiles of a standardised residual."""

    mean: float
    constant: float
    shock: float
    leverage: float
    persistence: float
    first_session: int
    first_variance: float
    quantiles: tuple[float, ...]

    def variances(self, returns: Floats, through: int) -> Floats:
        """Return (through + 2,) variances: at t + 1 the one that the returns up to t give; NaN before the fit's sample."""
        variances = np.full(through + 2, np.nan)
        variances[self.first_session] = self.first_variance
        for t in range(self.first_session, through + 1):
            error = PERCENT * returns[t] - self.mean
            react = self.shock + (self.leverage if error < 0 else 0.0)
            variances[t + 1] = self.constant + react * error**2 + self.persistence * variances[t]
        return variances

    def total(self, variance: Floats, horizon: int) -> Floats:
        """Return the expected variance of the sum over the horizon, given the next session's."""
        total, ahead = np.zeros_like(variance), variance
        for _ in range(horizon):
            total = total + ahead
            ahead = self.constant + (self.shock + self.leverage / 2 + self.persistence) * ahead
        return total


def garch_t(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels) quantiles of log returns over the horizon."""
    return _forecast("t", returns, horizon, origins)


def gjr_skewed_t(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels) quantiles of log returns over the horizon."""
    return _forecast("skewt", returns, horizon, origins)


METHODS: dict[str, Quantiles] = {"GARCH(1,1), t": garch_t, "GJR-GARCH(1,1), skewed t": gjr_skewed_t}


def require_arch() -> None:
    """Raise UsageError where the arch package is not installed."""
    try:
        import arch  # noqa: F401
    except ImportError as error:
        raise UsageError("--garch needs the arch package: pip install 'tickercast[garch]'") from error


def _forecast(distribution: str, returns: Floats, horizon: int, origins: Origins) -> Floats:
    quantiles = np.empty((len(origins), len(LEVELS)))
    for begin in range(0, len(origins), REFIT):
        part = origins[begin : begin + REFIT]
        first = int(part[0])
        sample = returns[max(1, first + 1 - FIT_SESSIONS) : first + 1]
        fit = _fit(distribution, sample.tobytes(), first + 1 - len(sample))
        variance = fit.variances(returns, int(part[-1]))[part + 1]
        width = np.sqrt(fit.total(variance, horizon))
        quantiles[begin : begin + REFIT] = (horizon * fit.mean + width[:, None] * np.array(fit.quantiles)) / PERCENT
    return quantiles


@lru_cache(maxsize=256)  # both horizons of a ticker use one fit
def _fit(distribution: str, sample: bytes, first_session: int) -> Fit:
    from arch import arch_model
    from arch.univariate import SkewStudent, StudentsT

    skewed = distribution == "skewt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that converged poorly is a comparison all the same
        model = arch_model(
            PERCENT * np.frombuffer(sample), mean="Constant", vol="GARCH", p=1, o=int(skewed), q=1, dist=distribution
        )
        result = model.fit(disp="off", show_warning=False)
    params = result.params
    names = ("eta", "lambda") if skewed else ("nu",)
    spread = (SkewStudent() if skewed else StudentsT()).ppf(LEVELS, np.array([params[name] for name in names]))
    return Fit(
        float(params["mu"]), float(params["omega"]), float(params["alpha[1]"]), float(params.get("gamma[1]", 0.0)),
        float(params["beta[1]"]), first_session, float(result.conditional_volatility[0]) ** 2, tuple(spread.tolist()),
    )  # fmt: skip
