"""Convert split-adjusted prices to as traded, and derive dividends from an adjusted close."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tickercast.storage.bars import MOST_VOLUME, PRICE_FIELDS, Bars

# Shares of the price. A dividend below the first is float32 noise; one above the second needs a price that fell with it.
LEAST_YIELD, DOUBTED_YIELD = 2e-5, 0.5
MATCHED_WITHIN = 0.25  # of the price before: how far price and dividend together may be away from it
# A half, two thirds, ... of the price is a split that is not reported as one, not a dividend.
SPLIT_YIELDS, SPLIT_WITHIN = 1 - 1 / np.array([2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50]), 1e-3


def as_traded(bars: Bars, after: float = 1.0) -> Bars:
    """Return split-adjusted bars as they were traded.

    Prices and dividends are multiplied by all later splits, volumes are divided by them.
    after: the product of the splits after the last bar for which the prices are adjusted too.
    """
    later_splits = np.full(len(bars), float(after))
    later_splits[:-1] *= np.cumprod(bars.split[:0:-1])[::-1]
    prices = {name: getattr(bars, name) * later_splits for name in PRICE_FIELDS}
    with np.errstate(over="ignore", invalid="ignore"):
        volume = np.minimum(np.rint(bars.volume / later_splits), MOST_VOLUME).astype(np.int64)
    return replace(bars, **prices, dividend=bars.dividend * later_splits, volume=volume)


def implied_dividends(
    close: NDArray[np.float64], adjusted_close: NDArray[np.float64], split: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the dividends (n,) that an adjusted close implies, per share of each session.

    All arrays are (n,). split: the splits for which close is not adjusted, 1 = none. From one session to the next,
    adjusted_close / close rises by the factor split / (1 - dividend * split / close before), as Yahoo and CRSP define it.
    """
    factor = adjusted_close / close
    before = close[:-1] / split[1:]
    share = 1 - split[1:] * factor[:-1] / factor[1:]
    dividend = np.zeros(len(close))
    real = np.isfinite(share) & (share > LEAST_YIELD) & (share < 1)
    doubted = np.flatnonzero(real & (share >= DOUBTED_YIELD))
    matches = np.abs(close[1:][doubted] / before[doubted] + share[doubted] - 1) <= MATCHED_WITHIN
    is_split = np.abs(share[doubted][:, None] - SPLIT_YIELDS).min(axis=1) <= SPLIT_WITHIN
    real[doubted] = matches & ~is_split
    dividend[1:][real] = (share * before)[real]
    return dividend
