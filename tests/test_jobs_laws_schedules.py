"""The first and the third law over random schedules: tickers end, pause, come late, are untracked, renamed, and fail on any day.

So does the reference that they read, and their companies announce and move reports. These are six schedules; `make torture` draws
others.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.law_both_ways import drawn_schedules, wrongs
from tickercast.jobs import clock

pytestmark = pytest.mark.slow

SEEDS = {"none": 9, "bundled": 14, "universe": 91}  # by prior: all schedules together have everything that may happen
SCHEDULES = 2  # of each prior


@pytest.mark.parametrize("place", range(SCHEDULES))
@pytest.mark.parametrize("prior", SEEDS)
def test_daily_runs_leave_the_record_of_backfills_in_any_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, prior: str, place: int
) -> None:
    def set_clock(now: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)

    schedule = drawn_schedules(prior, SEEDS[prior], SCHEDULES)[place]
    assert wrongs(schedule, tmp_path, set_clock) == []
