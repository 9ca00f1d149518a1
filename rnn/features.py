"""The inputs of the density network, its targets, and the baseline, from one history of n bars per network.

The last bar is the origin. A value at one session uses no later session, except for the targets. All of it is computed in
float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tickercast.rnn.context import CALENDAR_NAMES, REFERENCE_NAMES, REPORT_NAMES, reference_columns, report_columns
from tickercast.rnn.params import row_sums

Floats = NDArray[np.float64]

EWMA_BLOCK = 32
DECAY = 0.94  # RiskMetrics 1996, daily
SLOW_DECAY = 0.99  # a memory of about half a year: the level to which volatility returns
SETTLING_SESSIONS = 20  # the first returns estimate the first volatility and are not trained on
LEAST_VOLATILITY = 1e-6
LEAST_DOF, MOST_DOF = 4.5, 60.0

# A network learns best from inputs centred near zero with a spread near one. So each input has a usual value subtracted,
# and inputs of about half that spread are doubled. Only the position of zero and the unit depend on these numbers.
USUAL_VOLATILITY = 0.016  # of a share in a day
USUAL_ABSOLUTE_RETURN = 0.75  # over volatility; 0.8 for a normal, less for a Student-t
USUAL_LOG_RANGE = -0.3  # of range volatility over close-to-close volatility, which also has the night
LEAST_RANGE = 0.02  # of the same ratio, before the logarithm: a day without a range has none
NARROW_INPUT_SCALE = 2
WIDEST_INPUT = 6.0  # inputs are clipped beyond it, so that one wild bar cannot saturate the network

OWN_NAMES = (
    "return", "volatility trend", "volatility level", "absolute return", "range", "overnight gap", "volume surprise",
)  # fmt: skip
NAMES = (*OWN_NAMES, *REFERENCE_NAMES, *CALENDAR_NAMES, *REPORT_NAMES)


@dataclass(frozen=True, slots=True)
class Measures:
    """Measures of each bar: (K, n) each for K histories, (n,) for one. The first log_return and gap are unknown (NaN).

    log_return: natural log, adjusted. range_variance: Garman-Klass. gap: log of the open over the previous close.
    log_volume: log(1 + volume) in shares of the first bar.
    """

    log_return: Floats
    range_variance: Floats
    gap: Floats
    log_volume: Floats


@dataclass(frozen=True, slots=True)
class ContextMeasures:
    """What is known beside the bars of K histories of n sessions. See rnn.context.

    reference: (K, n), a volatility index in percent a year, NaN where unknown. calendar: (K, n, 6), in the order of
    CALENDAR_NAMES. reports: of each history the positions of the sessions of reports, None where nothing is known of them.
    """

    reference: Floats
    calendar: Floats
    reports: tuple[NDArray[np.int64] | None, ...]


@dataclass(frozen=True, slots=True)
class DensityInputs:
    """What one training and its forecasts read. K networks, n sessions, F features, H horizons.

    features: (K, n, F). targets: (K, n, H), the return over the next h sessions / (sigma sqrt(h)); 0 where t + h >= n, as
    the return is not yet known. sigma: (K, n), EWMA volatility. unit_ratio: (K, n), slow volatility / sigma.
    baseline_scale, baseline_dof: (K, H). starts: (K,), the first session whose targets count, for short histories in a
    longer stack; None for 0.
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
) -> Measures:  # fmt: skip
    """Return the measures of one history, (n,) each, from its columns.

    Source: Garman and Klass 1980, On the Estimation of Security Price Volatilities from Historical Data.
    """
    range_variance = 0.5 * np.log(high / low) ** 2 - (2 * np.log(2) - 1) * np.log(close / open_) ** 2
    log_shares = np.cumsum(np.log(split)) - np.log(split[0])
    return Measures(
        log_return=log_return,
        range_variance=np.maximum(range_variance, 0.0),
        gap=gap,
        log_volume=np.log1p(volume) - log_shares,
    )


def stack_measures(histories: Sequence[Measures]) -> Measures:
    """Return the measures (K, n) of K histories (n,) of one length."""
    return Measures(
        log_return=np.stack([each.log_return for each in histories]),
        range_variance=np.stack([each.range_variance for each in histories]),
        gap=np.stack([each.gap for each in histories]),
        log_volume=np.stack([each.log_volume for each in histories]),
    )


def density_inputs(
    measures: Measures,
    horizons: int,
    dtype: DTypeLike = np.float32,
    *,
    context: ContextMeasures | None = None,
    newest: int | None = None,
) -> DensityInputs:
    """Return features, targets and the baseline of K histories.

    context: None where nothing is known but the bars. newest: how many sessions the result has, the newest ones (None = all);
    their values and the baseline follow from the whole histories.
    """
    returns = np.nan_to_num(measures.log_return, nan=0.0)
    sigma, slow = _volatility(returns, DECAY), _volatility(returns, SLOW_DECAY)
    before = np.concatenate([sigma[:, :1], sigma[:, :-1]], axis=1)  # the volatility known before the session
    z = returns / before
    part = slice(None if newest is None else max(0, z.shape[1] - newest), None)
    closes_alone = _tell_closes_alone(measures.range_variance)
    log_range = np.log(np.maximum(np.sqrt(measures.range_variance) / sigma, LEAST_RANGE)) - USUAL_LOG_RANGE
    gap = np.nan_to_num(measures.gap, nan=0.0) / before
    own = (  # in the order of OWN_NAMES
        z[:, part],
        NARROW_INPUT_SCALE * np.log(sigma[:, part] / slow[:, part]),
        np.log(slow[:, part] / USUAL_VOLATILITY),
        np.abs(z[:, part]) - USUAL_ABSOLUTE_RETURN,
        np.where(closes_alone, 0.0, log_range)[:, part],
        NARROW_INPUT_SCALE * np.where(closes_alone, 0.0, gap)[:, part],
        NARROW_INPUT_SCALE * _volume_surprise(measures.log_volume)[:, part],
    )
    features = np.zeros((*own[0].shape, len(NAMES)), dtype)
    for column, values in enumerate(own):
        features[..., column] = np.clip(values, -WIDEST_INPUT, WIDEST_INPUT)
    if context is not None:
        features[..., len(OWN_NAMES) :] = _context_columns(context, z, sigma, part)
    scale, dof = _baseline(z, sigma[:, -1], horizons)
    return DensityInputs(
        names=NAMES,
        features=features,
        targets=_targets(returns[:, part], sigma[:, part], horizons).astype(dtype),
        unit_ratio=(slow[:, part] / sigma[:, part]).astype(dtype),
        sigma=sigma[:, part],
        baseline_scale=scale,
        baseline_dof=dof,
    )


def _tell_closes_alone(range_variance: Floats) -> NDArray[np.bool_]:
    """Return which sessions (K, n) have bars without a range, as the session before: prices of a fund, or closes as bars.

    Such a bar has no opening either, so both inputs take their usual value. One alone is a session without trades.
    """
    is_flat = range_variance == 0
    beside = np.concatenate([is_flat[:, 1:2], is_flat[:, :-1]], axis=1)  # the session before; for the first one, the second
    alone: NDArray[np.bool_] = np.logical_and(is_flat, beside)
    return alone


def _context_columns(context: ContextMeasures, z: Floats, sigma: Floats, part: slice) -> Floats:
    """Return (K, sessions, columns) of a part of the sessions, in the order of NAMES after OWN_NAMES."""
    parts = (
        reference_columns(context.reference[:, part], sigma[:, part]),
        context.calendar[:, part],
        report_columns(context.reports, z, SETTLING_SESSIONS)[:, part],
    )
    return np.concatenate(parts, axis=-1)


def pooled(histories: Sequence[DensityInputs], sessions: int) -> DensityInputs:
    """Return the inputs of histories of different lengths as the rows of one stack: the newest `sessions` of each.

    Shorter histories are filled up in front with sessions before their `starts`, whose targets do not count.
    """
    rows = [_filled(history, sessions) for history in histories]
    starts = np.array([max(0, sessions - history.sigma.shape[1]) + SETTLING_SESSIONS for history in histories])
    return DensityInputs(
        names=rows[0].names,
        features=np.concatenate([row.features for row in rows]),
        targets=np.concatenate([row.targets for row in rows]),
        unit_ratio=np.concatenate([row.unit_ratio for row in rows]),
        sigma=np.concatenate([row.sigma for row in rows]),
        baseline_scale=np.concatenate([row.baseline_scale for row in rows]),
        baseline_dof=np.concatenate([row.baseline_dof for row in rows]),
        starts=starts,
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
    """Return the scale at which a Student-t of this dof has standard deviation one."""
    return np.sqrt((dof - 2) / dof)


def ewma(values: Floats, first: Floats, decay: float = DECAY) -> Floats:
    """Return the exponentially weighted mean (K, n) of values (K, n); the mean at a session includes that session.

    level_t = decay level_(t-1) + (1 - decay) value_t, with level_(-1) = first (K,). A block of sessions is computed at once:
    the values in it by a product with a triangle of powers of decay, plus the level before it times decay^1, decay^2, ...
    """
    k, n = values.shape
    blocks = -(-n // EWMA_BLOCK)
    padded = np.zeros((k, blocks * EWMA_BLOCK))
    padded[:, :n] = values
    ago = np.arange(EWMA_BLOCK)[None, :] - np.arange(EWMA_BLOCK)[:, None]
    triangle = np.where(ago >= 0, (1 - decay) * decay ** np.maximum(ago, 0), 0.0)
    means = np.matmul(padded.reshape(k, blocks, EWMA_BLOCK), triangle)
    powers = decay ** np.arange(1, EWMA_BLOCK + 1)
    level = first
    for block in range(blocks):
        means[:, block] += powers * level[:, None]
        level = means[:, block, -1]
    weighted: Floats = means.reshape(k, -1)[:, :n]
    return weighted


def _volatility(returns: Floats, decay: float) -> Floats:
    """Return the EWMA volatility (K, n) of returns (K, n), started from the mean square of the first ones."""
    first = np.mean(returns[:, 1 : SETTLING_SESSIONS + 1] ** 2, axis=1)
    volatility: Floats = np.sqrt(np.maximum(ewma(returns**2, first, decay), LEAST_VOLATILITY**2))
    return volatility


def _volume_surprise(log_volume: Floats) -> Floats:
    """Return log volume minus its weighted mean before the session, (K, n)."""
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
    second, fourth = (row_sums(settled**power) / settled.shape[1] for power in (2, 4))  # moments of z
    excess = np.maximum(fourth / np.maximum(second, 1e-12) ** 2 - 3, 1e-6)
    horizon = np.arange(1, horizons + 1, dtype=np.float64)
    dof = np.clip(4 + 6 * horizon / excess[:, None], LEAST_DOF, MOST_DOF)
    return sigma[:, None] * np.sqrt(horizon) * unit_scale(dof), dof
