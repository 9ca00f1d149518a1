"""From a source's adjusted prices to as traded, and from an adjusted close to the dividends it implies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from storage.bars import MOST_VOLUME, PRICE_FIELDS, Bars

# Below this a ratio's move is float32 noise; above the other it is no dividend.
LEAST_YIELD, MOST_YIELD = 2e-5, 0.5


def as_traded(bars: Bars, after: float = 1.0) -> Bars:
    """Return split-adjusted bars as they were traded: prices and dividends times all later splits, volume divided.

    after: the splits after the last bar that the prices are adjusted for too.
    """
    later = np.full(len(bars), float(after))
    later[:-1] *= np.cumprod(bars.split[:0:-1])[::-1]
    prices = {name: getattr(bars, name) * later for name in PRICE_FIELDS}
    with np.errstate(over="ignore", invalid="ignore"):
        volume = np.minimum(np.rint(bars.volume / later), MOST_VOLUME).astype(np.int64)
    return replace(bars, **prices, dividend=bars.dividend * later, volume=volume)


def implied_dividends(
    close: NDArray[np.float64], adjusted_close: NDArray[np.float64], split: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return dividends per share of each session's count that an adjusted close implies.

    The factor adjusted_close / close falls, before an ex-date, by 1 - dividend / (close before / split) (Yahoo's and
    CRSP's convention). All arrays (n,), close on the same basis as split.
    """
    factor = adjusted_close / close
    before = close[:-1] / split[1:]
    share = 1 - split[1:] * factor[:-1] / factor[1:]
    dividend = np.zeros(len(close))
    real = np.isfinite(share) & (share > LEAST_YIELD) & (share < MOST_YIELD)
    dividend[1:][real] = (share * before)[real]
    return dividend
