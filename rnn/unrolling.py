"""Small helpers of the cells: all sessions as one matrix, how far back a gradient flows, and the logistic function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def flat(values: Array) -> Array:
    """Return (..., T B, X) of (..., T, B, X), a view: all sessions' windows as the rows of one matrix per network."""
    *lead, t, b, x = values.shape
    return values.reshape(*lead, t * b, x)


def first_reached(sessions: int, first: int, truncation: int) -> int:
    """Return the first session that a gradient reaches: losses are at session `first` and after it, see Cell.backward."""
    if not truncation:
        return 0
    blocks = -((first - sessions) // truncation)  # of `truncation` sessions, counted from the last, up to that of `first`
    return max(0, sessions - blocks * truncation)


def logistic(values: Array) -> None:
    """Overwrite values by 1 / (1 + exp(-values)), computed as (1 + tanh(values / 2)) / 2, which cannot overflow."""
    values *= values.dtype.type(0.5)
    np.tanh(values, out=values)
    values += 1
    values *= values.dtype.type(0.5)
