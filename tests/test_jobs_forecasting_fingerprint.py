"""The fingerprint tells environments apart whose forecasts may differ in their bytes."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest

from tests.conftest import clean_environment
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.runs.workers import refuse_other_environment

FOUND = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])


def parts() -> list[str]:
    return fingerprint().split(", ")


@pytest.mark.parametrize("package", ["tickercast", "scipy", "exchange-calendars"])
def test_the_fingerprint_names_our_version_and_each_library_that_a_forecast_reads(package: str) -> None:
    assert f"{package} {version(package)}" in parts()


def test_the_fingerprint_names_python_numpy_its_blas_and_the_cpu_class() -> None:
    assert f"python {platform.python_version()}" in parts()
    assert any(part.startswith(f"numpy {np.__version__} (") for part in parts())
    assert any(part.startswith("openblas ") for part in parts())
    assert parts()[-1] == platform.machine()


def test_the_fingerprint_is_one_short_line() -> None:
    assert "\n" not in fingerprint()
    assert len(fingerprint()) < 300


@pytest.mark.slow
@pytest.mark.skipif(not FOUND, reason="NumPy found no CPU features beyond those it was built for")
def test_another_choice_of_cpu_features_is_another_fingerprint() -> None:
    code = "from tickercast.jobs.forecasting.fingerprint import fingerprint; print(fingerprint())"
    environment = clean_environment(NPY_DISABLE_CPU_FEATURES=" ".join(FOUND))
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
    assert told.strip() != fingerprint()
    with pytest.raises(RuntimeError, match="worker environment differs"):
        refuse_other_environment(told.strip())
