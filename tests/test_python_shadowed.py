"""A user's own folders called storage, jobs, rnn and migrations break nothing: neither the command, nor workers, nor the package.

They are in the working folder and first on PYTHONPATH. The program runs from the checkout, as an editable install has it, and
from an installed wheel.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, clean_environment

pytestmark = pytest.mark.slow
OURS = ("storage", "jobs", "rnn", "migrations")
BACKFILL = ("backfill", "IBM", "--source", "sample", "--start", "2013-02-28", "--workers", "2")
SCRIPT = """
import tickercast as tc
record = tc.open("home")
print(tc.__file__, len(record.forecasts()), len(record.bars("IBM")) > 3000, len(record.sql("SELECT * FROM bar")) > 3000)
try:
    import storage
except RuntimeError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the unpacked wheel."""
    if find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=REPOSITORY, capture_output=True, check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def own_folders(tmp_path: Path) -> Path:
    """Return a folder with a user's packages of our names. Importing one of them fails."""
    for name in OURS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"raise RuntimeError('the {name} of a user')\n")
    return tmp_path


def run(folder: Path, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder that is first on its path, before the program's."""
    environment = clean_environment(PYTHONPATH=f"{folder}:{program}")
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("installed", ["editable", "wheel"])
def test_folders_of_a_user_take_no_place_of_ours(installed: str, own_folders: Path, request: pytest.FixtureRequest) -> None:
    program = REPOSITORY if installed == "editable" else request.getfixturevalue("wheel")
    backfilled = run(own_folders, program, "-m", "tickercast", "--home", "home", *BACKFILL)
    assert (backfilled.returncode, "1 of 1 tickers, 10 new forecasts" in backfilled.stderr) == (0, True), backfilled.stderr
    (own_folders / "notebook.py").write_text(SCRIPT)
    read = run(own_folders, program, "notebook.py")
    place = program / "tickercast" / "__init__.py"
    assert (read.stdout, read.stderr) == (f"{place} 5 True True\nthe storage of a user\n", "")


def test_the_wheel_has_what_the_links_of_the_checkout_lead_to(wheel: Path) -> None:
    def files(root: Path) -> set[str]:
        found = (path for name in OURS for path in (root / name).rglob("*") if path.is_file())
        return {str(path.relative_to(root)) for path in found if "__pycache__" not in path.parts}

    assert files(wheel / "tickercast") == files(REPOSITORY)
