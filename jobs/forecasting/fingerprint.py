"""The fingerprint: what a forecast's bytes depend on beside its inputs. Stored with each run, compared with workers'."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info


@cache
def fingerprint() -> str:
    """Return Python, NumPy, NumPy's BLAS with its kernel, and the CPU class as one line of text."""
    blas = [
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".rstrip()
        for library in threadpool_info()
        # SciPy brings a BLAS of its own, which no matmul of ours uses.
        if library["user_api"] == "blas" and "numpy" in Path(library["filepath"]).parent.name
    ]
    parts = [f"python {platform.python_version()}", f"numpy {np.__version__}", *blas, platform.machine()]
    return ", ".join(parts)
