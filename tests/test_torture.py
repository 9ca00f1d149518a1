"""A short form of the torture harnesses, with a fixed seed: no promise breaks, and the program works between the faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import kills, readers
from tests.torture.builds import Build
from tests.torture.harness import Bench, without_progress
from tests.torture.registry import HARNESSES

pytestmark = pytest.mark.slow
SEED = 20261126


@pytest.fixture(autouse=True)
def few_kills_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "MOST_KILLS", {1: 2, 2: 1, 4: 1})
    monkeypatch.setattr(readers, "SECONDS", 2.0)


@pytest.mark.parametrize("name", [name for name, harness in HARNESSES.items() if harness.short_trials])
def test_a_short_form_of_a_harness_breaks_no_promise(name: str, tmp_path: Path) -> None:
    harness = HARNESSES[name]
    if reason := harness.unavailable():
        pytest.skip(reason)
    bench = Bench(Build(), tmp_path / "prepared", SEED)
    bench.prepared.mkdir()
    harness.prepare(bench)
    outcomes = [harness.trial(bench, index) for index in range(harness.short_trials)]
    assert [sentence for outcome in outcomes for sentence in outcome.broken] == []
    assert without_progress(harness, outcomes) == ()
