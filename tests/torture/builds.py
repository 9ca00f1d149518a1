"""The program under torture: this repository, or a copy of it with one deliberate fault, which a harness has to notice."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("tickercast", "jobs", "rnn", "storage", "migrations")
OWN_VARIABLES = "TICKERCAST_"


@dataclass(frozen=True, slots=True)
class Build:
    """A folder with the packages of the program."""

    root: Path = REPOSITORY

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment in which Python loads this build alone, without a user's settings and with one BLAS thread.

        PYTHONSAFEPATH: a program started in another folder would load the packages there.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
        own = {
            "PYTHONPATH": str(self.root), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1",
        }  # fmt: skip
        return {**kept, **own, **more}


@dataclass(frozen=True, slots=True)
class Sabotage:
    """A deliberate fault: a text of a file that is replaced. name: what the build lacks, as in the table of controls."""

    name: str
    file: str
    before: str
    after: str


def broken_build(folder: Path, *faults: Sabotage) -> Build:
    """Return a copy of the program in an empty folder, with faults. Raises ValueError where a text is not there just once."""
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, folder / package, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").symlink_to(REPOSITORY / "tests")
    for fault in faults:
        path = folder / fault.file
        text = path.read_text(encoding="utf-8")
        if text.count(fault.before) != 1:
            raise ValueError(f"{fault.name}: {fault.file} has its text {text.count(fault.before)} times, not once")
        path.write_text(text.replace(fault.before, fault.after), encoding="utf-8")
    return Build(folder)
