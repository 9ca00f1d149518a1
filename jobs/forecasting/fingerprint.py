"""The fingerprint: what a forecast's bytes depend on beside its inputs. Stored with each run, compared with workers'."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

# Our own version and the libraries, next to NumPy, whose results reach a forecast or a score. Importing them would take a second.
PACKAGES = ("tickercast", "scipy", "exchange-calendars")


@cache
def fingerprint() -> str:
    """Return one line: our version, Python, NumPy, the CPU features it uses, its BLAS and kernel, SciPy, calendars, CPU class."""
    ours, *libraries = (f"{package} {_version_of(package)}" for package in PACKAGES)
    numpy = f"numpy {np.__version__} ({' '.join(_cpu_features())})"
    return ", ".join([ours, f"python {platform.python_version()}", numpy, *_blas(), *libraries, platform.machine()])


def _blas() -> Iterator[str]:
    """Yield NumPy's BLAS with its version and its kernel. SciPy brings a BLAS of its own, which no matmul of ours uses."""
    for library in threadpool_info():
        if library["user_api"] == "blas" and "numpy" in Path(library["filepath"]).parent.name:
            yield f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".rstrip()


def _cpu_features() -> list[str]:
    """Return the groups of CPU instructions that NumPy chooses its loops by: those it was built for, then those found here.

    Loops chosen by another group may round differently.
    """
    groups = np.show_config(mode="dicts")["SIMD Extensions"]
    return [*groups["baseline"], *groups.get("found", [])]


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "not installed"
