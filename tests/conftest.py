"""What tests share: homes in temporary folders, runs of the command line as a user would, and settings files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.home import Home, create_home
from storage.database import upgrade_database

REPOSITORY = Path(__file__).parent.parent
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[[str, str], Home]:
    """Return a function (name, settings text) that makes a home with a database."""

    def make(name: str, settings: str = "") -> Home:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "tickercast.toml").write_text(settings, encoding="utf-8")
        home = create_home(folder)
        upgrade_database(home.database)
        return home

    return make


@pytest.fixture
def tickercast(tmp_path: Path) -> Command:
    """Return a function that runs the command line in a process of its own, in a temporary folder."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TICKERCAST_")}
        return subprocess.run(
            [sys.executable, "-m", "jobs", *map(str, arguments)],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(REPOSITORY), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
