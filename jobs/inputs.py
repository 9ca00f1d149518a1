"""What the bars of a history mean to a network: per-bar measures, and prices on one share scale. Called by heads.

Everything is derived from the history alone, so two fetches of different length give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnn.features import Measures, bar_measures
from storage.bars import Bars, log_returns


def stacked_measures(histories: Sequence[Bars], field: str) -> Measures:
    """Return the measures of K histories of n bars each, (K, n) arrays; the first return of each is unknown (NaN)."""
    each = [_measures(history, field) for history in histories]
    return Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))


def share_scaled_prices(history: Bars, field: str, day: np.datetime64) -> NDArray[np.float64]:
    """Return (n,) prices in shares of one day: earlier bars divided by the splits until it, later ones multiplied."""
    shares = np.cumprod(history.split)
    reference = shares[np.searchsorted(history.session, day, side="right") - 1]
    return np.asarray(getattr(history, field), np.float64) * shares / reference


def _measures(history: Bars, field: str) -> tuple[NDArray[np.float64], ...]:
    close_to_close = log_returns(history, "close")
    overnight = np.full(len(history), np.nan)
    overnight[1:] = close_to_close[1:] + np.log(history.open[1:] / history.close[1:])
    return bar_measures(
        history.open,
        history.high,
        history.low,
        history.close,
        history.volume,
        log_return=close_to_close if field == "close" else log_returns(history, field),
        split=history.split,
        gap=overnight,
    )
