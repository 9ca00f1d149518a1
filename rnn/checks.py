"""What is looked at before a network sees it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnn.errors import InputError


def refuse_unusable(**arrays: NDArray[np.floating]) -> None:
    """Raise InputError, naming the array and the place, for an array (K, ...) that is empty or not finite."""
    for name, values in arrays.items():
        if not values.size:
            raise InputError(f"{name} of shape {values.shape}: empty")
        finite = np.isfinite(values)
        if not finite.all():
            place = tuple(int(i) for i in np.argwhere(~finite)[0])
            raise InputError(f"{name} of network {place[0]} is {values[place]} at {place[1:]}: finite numbers are needed")
