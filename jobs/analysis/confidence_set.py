"""The model confidence set: which methods cannot be told from the best one, all compared at once.

Source: Hansen, Lunde and Nason 2011, The Model Confidence Set. The bootstrap is the arch package's.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FEWEST_DATES = 60  # with fewer, blocks of dates are too few to tell methods apart reliably
SAMPLES = 1000
MISSING = "the model confidence set needs the arch package: pip install 'tickercast[garch]'"


def is_available() -> bool:
    """Return whether the arch package is installed."""
    return find_spec("arch") is not None


def confidence_p_values(losses: Floats) -> Floats | None:
    """Return (methods,): the p-value of each method. At size alpha, the set has those with a larger one; the best has 1.

    losses: (dates, methods), in the order of the dates. The stationary bootstrap draws blocks of sqrt(dates) on average, with a
    fixed seed. Returns None with fewer than 60 dates or two methods, or without the arch package.
    """
    if losses.shape[0] < FEWEST_DATES or losses.shape[1] < 2 or not is_available():
        return None
    from arch.bootstrap import MCS

    # Two methods with equal losses have no variance between them, which the test divides by.
    distinct, which = np.unique(losses, axis=1, return_inverse=True)
    if distinct.shape[1] == 1:
        return np.ones(losses.shape[1])
    test = MCS(distinct, size=0.05, reps=SAMPLES, method="R", seed=0)
    test.compute()
    p_values: Floats = test.pvalues["Pvalue"].sort_index().to_numpy(np.float64)[which.ravel()]
    return p_values
