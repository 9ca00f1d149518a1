"""The list of faults: its numbers run without a gap, and each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
ROWS = re.findall(r"^\| (\d+) \|.*`([\w.]+)::(\w+)` \|$", (TESTS.parent / "docs" / "faults.md").read_text(), flags=re.MULTILINE)


def test_the_numbers_run_from_one_without_a_gap() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) > 30


def test_each_fault_names_a_test_that_is_there() -> None:
    missing = [name for _, file, name in ROWS if f"def {name}(" not in (TESTS / file).read_text()]
    assert missing == []
