"""Density forecasts to be compared with: quantiles of a random walk, of filtered history, and of a HAR on the day's range.

Each is causal: the forecast of an origin uses returns and ranges up to it. Natural-log returns throughout; the scores that
compare them are means of pinball losses over LEVELS, twice, which approach the CRPS from a grid of quantiles.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rnn.features import DECAY, SETTLING_SESSIONS, Floats, ewma

LEVELS = np.arange(1, 20) / 20
MEMORY = 1000  # returns that quantiles are taken from
REFIT, FIT_SESSIONS = 63, 2000
WEEK, MONTH = 5, 22
LEAST_VARIANCE = 1e-8

Origins = NDArray[np.intp]
Quantiles = Callable[[Floats, Floats, int, Origins], Floats]


def random_walk(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return (origins, levels): quantiles of the last 1000 returns over the horizon, overlapping."""
    return _filtered(_forward(returns, horizon), np.ones(len(returns)), horizon, origins)


def ewma_filtered(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return quantiles of past returns over their EWMA volatility, times the volatility of now.

    Source: Barone-Adesi, Giannopoulos and Vosper 1999, filtered historical simulation; RiskMetrics 1996.
    """
    first = np.array([np.mean(returns[1 : SETTLING_SESSIONS + 1] ** 2)])
    sigma = np.sqrt(np.maximum(ewma(returns[None] ** 2, first, DECAY)[0], LEAST_VARIANCE))
    return _filtered(_forward(returns, horizon), sigma, horizon, origins)


def har_filtered(returns: Floats, variance: Floats, horizon: int, origins: Origins) -> Floats:
    """Return quantiles of past returns over the volatility that a HAR of log range variance gave, times that of now.

    The log of the mean variance over the horizon on the logs of the day, the week and the month; refitted every 63 origins
    on up to 2000 sessions. Source: Corsi 2009, A Simple Approximate Long-Memory Model of Realized Volatility.
    """
    n = len(returns)
    floored = np.maximum(variance, LEAST_VARIANCE)
    logs = np.log(floored)
    design = np.column_stack([np.ones(n), logs, _trailing(logs, WEEK), _trailing(logs, MONTH)])
    target = np.log(_forward(floored, horizon) / horizon)
    forward = _forward(returns, horizon)
    quantiles = np.empty((len(origins), len(LEVELS)))
    for begin in range(0, len(origins), REFIT):
        part = origins[begin : begin + REFIT]
        last = int(part[0]) - horizon
        rows = np.arange(max(MONTH - 1, last + 1 - FIT_SESSIONS), last + 1)
        weights = np.linalg.lstsq(design[rows], target[rows], rcond=None)[0]
        sigma = np.exp(np.nan_to_num(design @ weights) / 2)
        quantiles[begin : begin + REFIT] = _filtered(forward, sigma, horizon, part)
    return quantiles


METHODS: dict[str, Quantiles] = {
    "random walk, 1000 returns": random_walk,
    "EWMA, filtered history": ewma_filtered,
    "HAR on range, filtered history": har_filtered,
}


def pinball_score(quantiles: Floats, realised: Floats) -> Floats:
    """Return twice the mean pinball loss over LEVELS of forecasts (..., levels) of realised (...)."""
    error = np.asarray(realised)[..., None] - quantiles
    score: Floats = 2 * np.mean(np.maximum(LEVELS * error, (LEVELS - 1) * error), axis=-1)
    return score


def _forward(values: Floats, horizon: int) -> Floats:
    """Return at each t the sum of the next `horizon` values, NaN where they are not all known."""
    sums = np.full(len(values), np.nan)
    total = np.concatenate([[0.0], np.cumsum(values)])
    sums[: len(values) - horizon] = total[horizon + 1 :] - total[1 : len(values) - horizon + 1]
    return sums


def _filtered(forward: Floats, sigma: Floats, horizon: int, origins: Origins) -> Floats:
    standardised = forward / sigma
    rows = [np.quantile(standardised[max(MONTH - 1, i - horizon + 1 - MEMORY) : i - horizon + 1], LEVELS) for i in origins]
    return np.array(rows) * sigma[origins, None]


def _trailing(values: Floats, span: int) -> Floats:
    means = np.full(len(values), np.nan)
    total = np.concatenate([[0.0], np.cumsum(values)])
    means[span - 1 :] = (total[span:] - total[:-span]) / span
    return means
