"""Recorded faults of a vendor: each is recognised by its own gate, and the repaired series passes."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tickercast.jobs.prices.gates import Judgement, apply_gates
from tickercast.jobs.prices.sources.folder import FolderSource

RECORDED = Path(__file__).parent / "data" / "horror"
FAULTS = {
    "AET.L": {("refused", "hundredfold"): 9},
    "ALPHA.PA": {("refused", "jump"): 1},
    "CNE.L": {("refused", "jump"): 1},
    "LA.V": {("refused", "split not applied"): 1},
    "KAP.IL": {("held", "dividend twice"): 1},
    "KME.MI": {("held", "dividend too large"): 1},
}


def judged(name: str, folder: Path) -> Judgement:
    shutil.copy(RECORDED / f"{name}.csv", folder / "T.csv")
    return apply_gates(None, FolderSource(str(folder), "split").fetch("T", None).bars)


@pytest.mark.parametrize("name", FAULTS)
def test_a_recorded_fault_is_recognised(name: str, tmp_path: Path) -> None:
    assert Counter((verdict.state, verdict.code) for verdict in judged(name, tmp_path).verdicts) == FAULTS[name]


@pytest.mark.parametrize("name", FAULTS)
def test_its_repaired_series_passes(name: str, tmp_path: Path) -> None:
    assert judged(f"{name}-fixed", tmp_path).verdicts == []
