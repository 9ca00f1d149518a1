"""What each score adds to the sums of its ticker and of its target date: losses, hits, exceedances. All sums are of these.

An exceedance of a level is an outcome below the forecast's value at risk: its PIT is below the level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.scoring.distributions import student_t_shortfall
from tickercast.jobs.scoring.terms import LEVELS, MEANS
from tickercast.storage.queries import ScoreColumns

Floats = NDArray[np.float64]


def addends(scores: ScoreColumns) -> Floats:
    """Return what each score adds, (n, figures), in the order of SUMMED. Each row depends on its score alone.

    moved: whether neither the location nor the return is zero; hits: whether, moved, both have one sign.
    """
    moved = (scores.location != 0) & (scores.realised_return != 0)
    hits = moved & (np.sign(scores.location) == np.sign(scores.realised_return))
    columns = [np.ones(len(moved)), *(getattr(scores, name) for name in MEANS), moved, hits]
    for level in LEVELS:
        columns += _of_level(scores, level)
    return np.column_stack([np.asarray(column, np.float64) for column in columns])


def _of_level(scores: ScoreColumns, level: float) -> list[NDArray[np.generic]]:
    """Return the columns of OF_LEVEL (n,)."""
    is_exceeded = scores.pit < level
    at = np.flatnonzero(is_exceeded)
    expected = student_t_shortfall(scores.location[at], scores.scale[at], scores.dof[at], level)
    shortfalls, unknown = np.zeros(len(is_exceeded)), np.zeros(len(is_exceeded))
    shortfalls[at], unknown[at] = np.where(np.isfinite(expected), expected, 0.0), ~np.isfinite(expected)
    return [is_exceeded, np.where(is_exceeded, scores.realised_return, 0.0), shortfalls, unknown]
