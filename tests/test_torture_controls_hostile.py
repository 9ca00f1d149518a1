"""Negative controls of hostile inputs: a build that writes beside its home and forgets an exit code is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import hostile
from tests.torture.builds import Sabotage, broken_build
from tests.torture.controls import SEED
from tests.torture.harness import Bench

pytestmark = pytest.mark.slow
TRIAL = 1  # the first whose inputs meet both faults
FAULTS = (
    Sabotage("a cache beside the home", "jobs/workspace/place.py", 'self.folder / "cache"', 'self.folder.parent / "cache"'),
    Sabotage("no exit code", "jobs/cli/exit_codes.py", "    (SymbolRefused, ExitCode.USAGE),\n", ""),
)


def test_a_file_beside_the_home_and_a_missing_exit_code_are_noticed(tmp_path: Path) -> None:
    build, prepared = tmp_path / "build", tmp_path / "prepared"
    build.mkdir()
    prepared.mkdir()
    bench = Bench(broken_build(build, *FAULTS), prepared, SEED)
    hostile.prepare(bench, runs=0)
    said = "\n".join(hostile.trial(bench, TRIAL).broken)
    assert "arena/cache' changed" in said
    assert "' was written" in said
    assert "exit code 1 is not documented" in said
    assert "a traceback" in said
