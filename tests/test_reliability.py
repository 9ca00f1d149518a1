"""The catalogue of faults: every group runs without a gap, and each test or harness that it names is there."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from tests.torture.registry import HARNESSES, MODULES

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| [A-Z]\d\d", line)]
CONTROLS = {path.name: path.read_text(encoding="utf-8") for path in TESTS.glob("test_torture_controls*.py")}
NOT_PLANTED = PAGE.split("### Not planted")[1]


def test_each_group_of_faults_runs_from_one_without_a_gap() -> None:
    ids = sorted(number for row in ROWS for number in re.findall(r"[A-Z]\d\d", row.split("|")[1]))
    for letter, group in groupby(ids, key=lambda number: number[0]):
        numbers = [int(number[1:]) for number in group]
        assert (letter, numbers) == (letter, list(range(1, len(numbers) + 1)))
    assert len(ids) > 146


def test_each_fault_that_is_planted_names_a_test_or_a_harness() -> None:
    bare = [row for row in ROWS if row not in NOT_PLANTED and "::test_" not in row and "harness `" not in row]
    assert bare == []


def test_each_test_and_harness_that_is_named_is_there() -> None:
    named = re.findall(r"`(test_\w+\.py)::(\w+)`", PAGE)
    missing = [name for file, name in named if f"def {name}(" not in (TESTS / file).read_text(encoding="utf-8")]
    assert missing == []
    assert set(re.findall(r"harness `([^`]+)`", PAGE)) - set(HARNESSES) == set()


def test_the_page_about_testing_has_a_row_for_each_harness() -> None:
    page = (TESTS.parent / "docs" / "testing.md").read_text(encoding="utf-8")
    table = page.split("| harness | what it disturbs")[1].split("\n\n")[0]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", table, flags=re.MULTILINE)) == sorted(HARNESSES)


def test_each_harness_of_the_suite_has_a_broken_build_that_it_notices() -> None:
    text = "\n".join(CONTROLS.values())
    names = {module.__name__.rpartition(".")[2] for module in MODULES if module.HARNESS.short_trials}
    assert {name for name in names if not re.search(rf"\b{name}\.(HARNESS|trial)\b", text)} == set()


def test_each_broken_build_has_a_row() -> None:
    table = PAGE.split("## Deliberately broken builds")[1].split("## Faults")[0]
    tests = [f"`{file}::{name}`" for file, text in CONTROLS.items() for name in re.findall(r"def (test_\w+)\(", text)]
    assert [test for test in tests if test not in table] == []
