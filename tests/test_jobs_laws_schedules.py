"""The first and the third law over random schedules: tickers end, pause, come late, are untracked, renamed, and fail on any day.

So does the reference that they read, and their companies announce and move reports. These are 12 schedules; `make torture` draws
others.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.law_both_ways import wrongs
from tests.law_lives import Schedule, schedules
from tickercast.jobs import clock

pytestmark = pytest.mark.slow

SEEDS = {"none": 2, "bundled": 6, "universe": 0}  # by prior: whose four schedules together have everything that may happen


@pytest.mark.parametrize("prior", SEEDS)
def test_daily_runs_leave_the_record_of_backfills_in_any_order(monkeypatch: pytest.MonkeyPatch, prior: str) -> None:
    def set_clock(now: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)

    @seed(SEEDS[prior])
    @settings(max_examples=4, deadline=None, phases=[Phase.generate],  # to simplify a failing schedule takes minutes
              suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])  # fmt: skip
    @given(schedule=schedules(prior))
    def both_ways_leave_one_record(schedule: Schedule) -> None:
        with tempfile.TemporaryDirectory() as name:
            assert wrongs(schedule, Path(name), set_clock) == []

    both_ways_leave_one_record()
