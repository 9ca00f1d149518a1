"""Days and instants in arrays."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]


def are_among(days: Days, others: Days) -> NDArray[np.bool_]:
    """Return which of some days (n,) are among others (m,), which are sorted. Much faster than NumPy's isin."""
    if not len(others):
        return np.zeros(len(days), dtype=np.bool_)
    found: NDArray[np.bool_] = others[np.minimum(np.searchsorted(others, days), len(others) - 1)] == days
    return found


def instant64(instant: datetime) -> np.datetime64:
    """Return an instant as a stored one. Raises ValueError without a time zone."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant}: an instant needs its time zone")
    return np.datetime64(int(instant.timestamp() * 1_000_000 + 0.5), "us")
