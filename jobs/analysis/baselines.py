"""Other models of the same return, as quantiles: a random walk, filtered history, and a HAR on the day's range.

Each method is causal: the forecast of an origin uses only returns and ranges up to it. All returns are natural-log returns.
Methods are compared by pinball_score, which approaches the CRPS from a grid of quantile levels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tickercast.rnn.features import DECAY, SETTLING_SESSIONS, ewma

GRID_LEVELS = np.arange(1, 20) / 20  # 0.05 to 0.95; the published forecasts have seven levels, storage.rows.QUANTILE_LEVELS
HISTORY_RETURNS = 1000  # the newest returns that quantiles are taken from
REFIT_SESSIONS = 63
FIT_SESSIONS = 2000
WEEK, MONTH = 5, 22
LEAST_VARIANCE = 1e-8  # keeps the log of a flat stretch's variance finite

Floats = NDArray[np.float64]
Origins = NDArray[np.intp]
# (returns (n,), range variance (n,), horizon, positions of the origins) -> quantiles (origins, levels)
Method = Callable[[Floats, Floats, int, Origins], Floats]


def random_walk(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels): quantiles of the newest 1000 returns over the horizon, which overlap. variance is not used."""
    return _scaled_quantiles(_forward_sums(returns, horizon), np.ones(len(returns)), horizon, origins)


def ewma_filtered(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels): quantiles of past returns over their EWMA volatility, times the origin's volatility.

    variance is not used. Sources: Barone-Adesi, Giannopoulos and Vosper 1999, filtered historical simulation; RiskMetrics 1996.
    """
    first = np.array([np.mean(returns[1 : SETTLING_SESSIONS + 1] ** 2)])
    volatility = np.sqrt(np.maximum(ewma(returns[None] ** 2, first, DECAY)[0], LEAST_VARIANCE))
    return _scaled_quantiles(_forward_sums(returns, horizon), volatility, horizon, origins)


def har_filtered(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels): quantiles of past returns over the volatility of a HAR, times the origin's volatility.

    The HAR explains the log of the mean range variance over the horizon by the logs of the day, the week and the month. It is
    refitted every 63 origins on up to 2000 sessions. Source: Corsi 2009, A Simple Approximate Long-Memory Model of Realized
    Volatility.
    """
    floored = np.maximum(variance, LEAST_VARIANCE)
    logs = np.log(floored)
    design = np.column_stack([np.ones(len(logs)), logs, _trailing_means(logs, WEEK), _trailing_means(logs, MONTH)])
    target = np.log(_forward_sums(floored, horizon) / horizon)
    forward = _forward_sums(returns, horizon)
    quantiles = np.empty((len(origins), len(GRID_LEVELS)))
    for begin in range(0, len(origins), REFIT_SESSIONS):
        part = origins[begin : begin + REFIT_SESSIONS]
        last = int(part[0]) - horizon  # the newest session whose target is known at the first of these origins
        sample = np.arange(max(MONTH - 1, last + 1 - FIT_SESSIONS), last + 1)
        weights = np.linalg.lstsq(design[sample], target[sample], rcond=None)[0]
        volatility = np.exp(np.nan_to_num(design @ weights) / 2)
        quantiles[begin : begin + REFIT_SESSIONS] = _scaled_quantiles(forward, volatility, horizon, part)
    return quantiles


# The names are stored with the forecasts.
BASELINE_METHODS: dict[str, Method] = {
    "random walk, 1000 returns": random_walk,
    "EWMA, filtered history": ewma_filtered,
    "HAR on range, filtered history": har_filtered,
}


def pinball_score(quantiles: Floats, realised: Floats, levels: Floats = GRID_LEVELS) -> Floats:
    """Return (...), twice the mean pinball loss over levels of quantiles (..., levels) for realised values (...)."""
    error = np.asarray(realised)[..., None] - quantiles
    score: Floats = 2 * np.mean(np.maximum(levels * error, (levels - 1) * error), axis=-1)
    return score


def _forward_sums(values: Floats, horizon: int) -> Floats:
    """Return (n,): at each position the sum of the next `horizon` values, NaN where not all of them are known."""
    sums = np.full(len(values), np.nan)
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums[: len(values) - horizon] = total[horizon + 1 :] - total[1 : len(values) - horizon + 1]
    return sums


def _scaled_quantiles(forward: Floats, volatility: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels): quantiles of the forward sums known at each origin, scaled from their volatility to its own."""
    standardised = forward / volatility
    known = [standardised[max(MONTH - 1, i - horizon + 1 - HISTORY_RETURNS) : i - horizon + 1] for i in origins]
    return np.array([np.quantile(values, GRID_LEVELS) for values in known]) * volatility[origins, None]


def _trailing_means(values: Floats, span: int) -> Floats:
    """Return (n,): at each position the mean of the last `span` values, NaN where there are fewer."""
    means = np.full(len(values), np.nan)
    total = np.concatenate([[0.0], np.cumsum(values)])
    means[span - 1 :] = (total[span:] - total[:-span]) / span
    return means
