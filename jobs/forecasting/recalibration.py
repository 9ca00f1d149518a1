"""Online recalibration of the scale: wider after misses, narrower after hits, from a ticker's own settled forecasts.

Adaptive conformal inference on the logarithm of a factor, one for each horizon, so that the published 80 % interval misses one
target in five. Source: Gibbs and Candes 2021, Adaptive Conformal Inference Under Distribution Shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.forecasting.inputs import History
from tickercast.jobs.scoring.distributions import student_t_cdf

Floats = NDArray[np.float64]

RATE = 0.005
MISS_SHARE = 0.2  # of an 80 % interval
LARGEST_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class PastForecast:
    """What was published at an earlier origin, (H,) each. The factor is already in the scale; dof NaN means normal."""

    session: date
    location: Floats
    scale: Floats
    dof: Floats
    factor: Floats


def scale_factors(history: History, past: Sequence[PastForecast], horizons: int) -> Floats:
    """Return the factors (H,) for the origin that a history ends at. past: forecasts published before it, oldest first.

    The factors are one where the bar before the origin has no published forecast.
    """
    sessions, returns = history.bars.session, history.field_returns
    if not past or past[-1].session != sessions[-2].item():
        return np.ones(horizons)
    published = {item.session: item for item in past}
    level = np.log(past[-1].factor)
    for h in range(1, horizons + 1):
        made, realised = published.get(sessions[-1 - h].item()), float(returns[-h:].sum())
        if made is None or np.isnan(realised):
            continue
        pit = student_t_cdf(realised, made.location[h - 1], made.scale[h - 1], made.dof[h - 1])
        level[h - 1] += RATE * (float(abs(pit - 0.5) > 0.5 - MISS_SHARE / 2) - MISS_SHARE)
    bound = np.log(LARGEST_FACTOR)
    factors: Floats = np.exp(np.clip(level, -bound, bound))
    return factors
