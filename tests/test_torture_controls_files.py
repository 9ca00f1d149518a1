"""Builds that do not protect their files: a loss of power or damaged files notice each of them.

Faults that do not hide one another share a build, because loading a build takes seconds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import damage, power_loss
from tests.torture.builds import Build, Sabotage, broken_build
from tests.torture.controls import SEED
from tests.torture.harness import Bench, Harness

pytestmark = pytest.mark.slow
NO_FSYNC_OF_FILES = Sabotage(
    "no fsync of a file", "storage/files.py", "file.flush()\n                os.fsync(file.fileno())", "file.flush()"
)
NO_FSYNC_OF_COMMITS = Sabotage("no fsync of a commit", "storage/database.py", '"synchronous=FULL"', '"synchronous=OFF"')
NO_CHECKSUM = (
    Sabotage("no checksum", "storage/bar_files.py", "if sha256_of(content) != sha256:", "if sha256_of(content) == sha256 == '':"),
    Sabotage("no checksum", "storage/bar_files.py", "page_checksum_verification=True", "page_checksum_verification=False"),
)
NO_SCORE_AGAIN = Sabotage("a score that is not re-derived", "jobs/analysis/recompute.py", "    if scores:\n", "    if None:\n")


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    return broken_build(tmp_path_factory.mktemp("build"), NO_FSYNC_OF_FILES, NO_FSYNC_OF_COMMITS, *NO_CHECKSUM, NO_SCORE_AGAIN)


def sentences(harness: Harness, folder: Path, build: Build) -> str:
    """Return what the first trials of a harness say of a broken build."""
    bench = Bench(build, folder / "prepared", SEED)
    bench.prepared.mkdir()
    harness.prepare(bench)
    return "\n".join(sentence for index in range(harness.short_trials) for sentence in harness.trial(bench, index).broken)


@pytest.fixture(scope="module")
def after_power_loss(tmp_path_factory: pytest.TempPathFactory, build: Build) -> str:
    return sentences(power_loss.HARNESS, tmp_path_factory.mktemp("power"), build)


@pytest.fixture(scope="module")
def after_damage(tmp_path_factory: pytest.TempPathFactory, build: Build) -> str:
    return sentences(damage.HARNESS, tmp_path_factory.mktemp("damage"), build)


def test_no_fsync_of_a_file_is_noticed(after_power_loss: str) -> None:
    assert "is not the file that its name says" in after_power_loss


def test_no_fsync_of_a_commit_is_noticed(after_power_loss: str) -> None:
    assert "a commit that had returned is lost" in after_power_loss


def test_no_checksum_is_noticed(after_damage: str) -> None:
    assert "is read with other bars" in after_damage


def test_a_score_that_is_not_derived_again_is_noticed(after_damage: str) -> None:
    assert "verify --deep finds nothing, and other rows are in scores" in after_damage
