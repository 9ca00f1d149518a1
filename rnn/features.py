"""What the density network sees and what it is measured against: standardised inputs, targets, and the baseline.

All of it is causal and derived from one history of n bars a network, the last of them the origin. float64 inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.float64]

EWMA_BLOCK = 32
DECAY = 0.94  # RiskMetrics 1996, daily
SLOW_DECAY = 0.99  # about half a year: the level that volatility comes back to
USUAL_VOLATILITY = 0.016  # of a share in a day; only where the level's zero lies
USUAL_MARKET_VOLATILITY = 0.01
SETTLING_SESSIONS = 20  # the first returns estimate the first volatility and are not trained on
LEAST_VOLATILITY = 1e-6
WIDEST_INPUT = 6.0
LEAST_DOF, MOST_DOF = 4.5, 60.0
MARKET_NAMES = ("market volatility trend", "market volatility level")
NAMES = ("return", "volatility trend", "volatility level", "absolute return", "range", "overnight gap", "volume surprise")


@dataclass(frozen=True, slots=True)
class Measures:
    """Per-bar measures of K histories, (K, n) each; the first log_return and gap are unknown (NaN).

    log_return: natural log, adjusted. range_variance: Garman-Klass. gap: log of open over the close before.
    log_volume: log(1 + volume) in shares of the first bar. market: (K, n, 2), see market_columns, or None.
    """

    log_return: Floats
    range_variance: Floats
    gap: Floats
    log_volume: Floats
    market: Floats | None = None


@dataclass(frozen=True, slots=True)
class DensityInputs:
    """What one training and its forecasts read. K networks, n sessions, F features, H horizons.

    features: (K, n, F). targets: (K, n, H), return over the next h sessions / (sigma sqrt(h)), 0 where not yet known: at
    session t those with t + h < n are. unit_ratio: (K, n), slow volatility / sigma. baseline_*: (K, H).
    starts: (K,), the first session whose targets count, or None for 0: a mask for short histories in a longer stack.
    """

    names: tuple[str, ...]
    features: NDArray[np.floating]
    targets: NDArray[np.floating]
    unit_ratio: NDArray[np.floating]
    sigma: Floats
    baseline_scale: Floats
    baseline_dof: Floats
    starts: NDArray[np.int64] | None = None

    def rows(self, chosen: NDArray[np.intp]) -> DensityInputs:
        """Return the inputs of some networks, a copy."""
        arrays = ("features", "targets", "unit_ratio", "sigma", "baseline_scale", "baseline_dof")
        starts = None if self.starts is None else self.starts[chosen]
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays}, starts=starts)


def bar_measures(
    open_: Floats, high: Floats, low: Floats, close: Floats, volume: NDArray[np.int64],
    *, log_return: Floats, split: Floats, gap: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    """Return log_return, Garman-Klass variance, gap and log volume of n bars, (n,) each.

    Source: Garman and Klass 1980, On the Estimation of Security Price Volatilities from Historical Data.
    """
    inside = 0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * np.log(close / open_) ** 2
    shares = np.cumsum(np.log(split)) - np.log(split[0])
    return log_return, np.maximum(inside, 0.0), gap, np.log1p(volume) - shares


def density_inputs(measures: Measures, horizons: int, dtype: DTypeLike = np.float32) -> DensityInputs:
    """Return features, targets and the baseline of K histories."""
    returns = np.nan_to_num(measures.log_return, nan=0.0)
    first = np.mean(returns[:, 1 : SETTLING_SESSIONS + 1] ** 2, axis=1)
    sigma = np.sqrt(np.maximum(ewma(returns**2, first), LEAST_VOLATILITY**2))
    slow = np.sqrt(np.maximum(ewma(returns**2, first, SLOW_DECAY), LEAST_VOLATILITY**2))
    before = np.concatenate([sigma[:, :1], sigma[:, :-1]], axis=1)
    z = returns / before
    columns = (
        z,
        2 * np.log(sigma / slow),
        np.log(slow / USUAL_VOLATILITY),
        np.abs(z) - 0.75,
        np.log(np.maximum(np.sqrt(measures.range_variance) / sigma, 0.02)) + 0.3,
        2 * np.nan_to_num(measures.gap, nan=0.0) / before,
        2 * _surprise(measures.log_volume),
    )
    stacked = np.stack(columns, axis=-1)
    if measures.market is not None:
        stacked = np.concatenate([stacked, measures.market], axis=-1)
    features = np.clip(stacked, -WIDEST_INPUT, WIDEST_INPUT)
    scale, dof = _baseline(z, sigma[:, -1], horizons)
    return DensityInputs(
        NAMES if measures.market is None else NAMES + MARKET_NAMES,
        features.astype(dtype),
        _targets(returns, sigma, horizons).astype(dtype),
        (slow / sigma).astype(dtype),
        sigma,
        scale,
        dof,
    )


def market_columns(log_return: Floats) -> Floats:
    """Return (n, 2) for the n returns of a market: its volatility against its slow one, and the slow one's level."""
    returns = np.nan_to_num(log_return, nan=0.0)[None]
    first = np.mean(returns[:, 1 : SETTLING_SESSIONS + 1] ** 2, axis=1)
    sigma, slow = (np.sqrt(np.maximum(ewma(returns**2, first, decay)[0], LEAST_VOLATILITY**2)) for decay in (DECAY, SLOW_DECAY))
    return np.stack([2 * np.log(sigma / slow), np.log(slow / USUAL_MARKET_VOLATILITY)], axis=-1)


def pooled(histories: Sequence[DensityInputs], sessions: int) -> DensityInputs:
    """Return the inputs of histories of unlike length as rows of one stack: the newest `sessions` of each, shorter ones
    filled up in front with sessions that count for nothing."""
    rows = [_filled(history, sessions) for history in histories]
    starts = np.array([max(0, sessions - history.sigma.shape[1]) + SETTLING_SESSIONS for history in histories])
    return DensityInputs(
        rows[0].names,
        np.concatenate([row.features for row in rows]),
        np.concatenate([row.targets for row in rows]),
        np.concatenate([row.unit_ratio for row in rows]),
        np.concatenate([row.sigma for row in rows]),
        np.concatenate([row.baseline_scale for row in rows]),
        np.concatenate([row.baseline_dof for row in rows]),
        starts,
    )


def _filled(history: DensityInputs, sessions: int) -> DensityInputs:
    missing = sessions - history.sigma.shape[1]

    def fill(array: NDArray[Any], value: float) -> NDArray[Any]:
        newest = array[:, max(0, -missing) :]
        return np.concatenate([np.full((1, max(0, missing), *array.shape[2:]), value, array.dtype), newest], axis=1)

    return replace(
        history,
        features=fill(history.features, 0.0),
        targets=fill(history.targets, 0.0),
        unit_ratio=fill(history.unit_ratio, 1.0),
        sigma=fill(history.sigma, 1.0),
    )


def unit_scale(dof: Floats) -> Floats:
    """Return the scale at which a Student-t of some dof has standard deviation one."""
    return np.sqrt((dof - 2) / dof)


def ewma(values: Floats, first: Floats, decay: float = DECAY) -> Floats:
    """Return the exponentially weighted mean (K, n) of values (K, n), each including its own session.

    level_t = decay level_(t-1) + (1 - decay) value_t, a block of sessions at once: within a block it is a product with a
    triangle of powers, and the level before the block fades over it. One product a row: no neighbours.
    """
    k, n = values.shape
    blocks = -(-n // EWMA_BLOCK)
    padded = np.zeros((k, blocks * EWMA_BLOCK))
    padded[:, :n] = values
    ago = np.arange(EWMA_BLOCK)[None, :] - np.arange(EWMA_BLOCK)[:, None]
    triangle = np.where(ago >= 0, (1 - decay) * decay ** np.maximum(ago, 0), 0.0)
    means = np.matmul(padded.reshape(k, blocks, EWMA_BLOCK), triangle)
    fading = decay ** np.arange(1, EWMA_BLOCK + 1)
    level = first
    for block in range(blocks):
        means[:, block] += fading * level[:, None]
        level = means[:, block, -1]
    weighted: Floats = means.reshape(k, -1)[:, :n]
    return weighted


def _surprise(log_volume: Floats) -> Floats:
    usual = ewma(log_volume, log_volume[:, :SETTLING_SESSIONS].mean(axis=1))
    surprise = np.zeros_like(log_volume)
    surprise[:, 1:] = log_volume[:, 1:] - usual[:, :-1]
    return surprise


def _targets(returns: Floats, sigma: Floats, horizons: int) -> Floats:
    n = returns.shape[1]
    targets = np.zeros((*returns.shape, horizons))
    total = np.zeros_like(returns)
    for h in range(1, horizons + 1):
        total[:, : n - h] += returns[:, h:]
        targets[:, : n - h, h - 1] = total[:, : n - h] / (sigma[:, : n - h] * np.sqrt(h))
    return targets


def _baseline(z: Floats, sigma: Floats, horizons: int) -> tuple[Floats, Floats]:
    """Return scale and dof (K, H) of the random walk: EWMA volatility x sqrt(h), dof from the kurtosis of z by moments.

    Excess kurtosis k of a sum of h independent steps is k / h, and that of a Student-t is 6 / (dof - 4).
    """
    settled = z[:, SETTLING_SESSIONS:]
    second, fourth = _row_mean(settled**2), _row_mean(settled**4)
    excess = np.maximum(fourth / np.maximum(second, 1e-12) ** 2 - 3, 1e-6)
    horizon = np.arange(1, horizons + 1, dtype=np.float64)
    dof = np.clip(4 + 6 * horizon / excess[:, None], LEAST_DOF, MOST_DOF)
    return sigma[:, None] * np.sqrt(horizon) * unit_scale(dof), dof


def _row_mean(values: Floats) -> Floats:
    # Row by row: a reduction over several rows at once may add in another order than over one.
    return np.array([row.mean() for row in np.ascontiguousarray(values)])
