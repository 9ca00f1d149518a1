"""Online recalibration of the scale: wider after misses, narrower after none, from a ticker's own settled forecasts.

Adaptive conformal inference on the logarithm of a factor, one a horizon, so that the published 80 % interval misses one target in
five. Source: Gibbs and Candes 2021, Adaptive Conformal Inference Under Distribution Shift. Pure; called by advance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from rnn.scores import student_t_cdf
from storage.bars import Bars, log_returns

Floats = NDArray[np.float64]

RATE = 0.005
MISSES = 0.2  # of an 80 % interval
MOST_FACTOR = 2.0


@dataclass(frozen=True, slots=True)
class Past:
    """What was published at an earlier origin, (H,) each: the factor is in the scale; dof NaN stands for a normal."""

    session: date
    location: Floats
    scale: Floats
    dof: Floats
    factor: Floats


def factors(history: Bars, past: Sequence[Past], field: str, horizons: int) -> Floats:
    """Return the factors (H,) of the origin that a history ends at, from the publications before it, oldest first.

    They begin at one where the bar before the origin has no publication.
    """
    if not past or past[-1].session != history.session[-2].item():
        return np.ones(horizons)
    returns = log_returns(history.select(slice(-horizons - 1, None)), field)
    published = {item.session: item for item in past}
    level = np.log(past[-1].factor)
    for h in range(1, horizons + 1):
        made = published.get(history.session[-1 - h].item())
        if made is None:
            continue
        pit = student_t_cdf(returns[-h:].sum(), made.location[h - 1], made.scale[h - 1], made.dof[h - 1])
        level[h - 1] += RATE * (float(abs(pit - 0.5) > 0.5 - MISSES / 2) - MISSES)
    bound = np.log(MOST_FACTOR)
    followed: Floats = np.exp(np.clip(level, -bound, bound))
    return followed
