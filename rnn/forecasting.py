"""What trained stacks forecast: distributions of the density head, numbers of the point head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn.density import density_at_origin
from rnn.features import DensityInputs
from rnn.supervised import paths_after
from rnn.training import State


@dataclass(frozen=True, slots=True)
class Forecast:
    """Student-t distributions of the log return to each horizon, (K, H) each."""

    location: NDArray[np.float64]
    scale: NDArray[np.float64]
    dof: NDArray[np.float64]


def forecast_density(state: State, inputs: DensityInputs, window: int) -> Forecast:
    """Return the distributions at the inputs' last session."""
    return Forecast(*density_at_origin(state.params, inputs, state.shape, window))


def forecast_point(state: State, windows: NDArray[np.floating], steps: int = 1) -> NDArray[np.floating]:
    """Return (K, S, steps) forecasts of the sessions after each window (K, S, T, 1), in the windows' own units.

    Each forecast is fed back as the next session's input. Raises ShapeError for networks of several inputs or outputs.
    """
    return paths_after(state.params, windows, state.shape, steps)
