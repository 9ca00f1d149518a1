"""The learning part of the examples."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

SPEC = spec_from_file_location("sine", Path(__file__).parent.parent / "examples/sine.py")
assert SPEC is not None
assert SPEC.loader is not None
sine = module_from_spec(SPEC)
SPEC.loader.exec_module(sine)


@pytest.mark.parametrize("learn", [sine.plain_forecasts, sine.stack_forecasts])
def test_the_example_halves_the_error_of_repeating_the_last_value(learn: object) -> None:
    """sin(a + 0.2) - sin(a) = 2 sin(0.1) cos(a + 0.1), whose root mean square is 2 sin(0.1) / sqrt(2) = 0.141."""
    errors = learn()[sine.SEEN :] - sine.TARGETS[sine.SEEN :, 0]  # type: ignore[operator]
    assert np.sqrt(np.mean(errors**2)) < 0.07
