"""What a model reads beside a ticker's own bars: a volatility index of its market, and the company's reports.

Plain data as stored. What of it an origin may know is decided where inputs are made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]
Instants = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Reference:
    """A volatility index: the close (n,) of each of its sessions (n,), in percent a year, known when that session has closed."""

    session: Days
    close: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Events:
    """A company's reports as its sources gave them: dates (n,) and the instants (n,), UTC, at which each was recorded."""

    date: Days
    recorded_at: Instants
