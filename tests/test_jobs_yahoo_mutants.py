"""Damaged chart responses: each is a typed error or sound bars, and nothing else. `make torture` draws more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.loopback_yahoo import LoopbackYahoo
from tests.yahoo_mutants import SOUND, outcomes

pytestmark = pytest.mark.slow
MUTANTS = 250


def test_a_damaged_response_is_a_typed_error_or_sound_bars(server: LoopbackYahoo, tmp_path: Path) -> None:
    counts = Counter(outcomes(server, tmp_path, 0, MUTANTS))
    assert set(counts) == SOUND
    assert min(counts.values()) > MUTANTS / 100  # none of them is rare
