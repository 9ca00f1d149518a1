"""The first and the third law over random schedules: tickers end, pause, come late, are untracked, renamed, and fail on any day.

So does the reference that they read, and their companies announce and move reports. `make torture-laws` draws 300 schedules; the
suite draws 12.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from jobs import clock
from jobs.workspace.home import Home, create_home
from storage.database import reading, upgrade_database
from storage.verify import find_problems
from tests.law_lives import DAYS, Schedule, schedules
from tests.law_schedules import (
    day_by_day,
    differences,
    in_another_order,
    opened,
    origins_of,
    settings_of,
    settle,
)

pytestmark = pytest.mark.slow

DEFAULT_SCHEDULES = 12
SCHEDULES = int(os.environ.get("LAW_SCHEDULES", DEFAULT_SCHEDULES))
SEEDS = {"none": 2, "bundled": 6, "universe": 0}  # by prior: whose four schedules together have everything that may happen
PHASES = [Phase.generate] if SCHEDULES == DEFAULT_SCHEDULES else list(Phase)  # to simplify a failing schedule takes minutes

# Unscored forecasts whose target has a bar before its ticker's newest origin.
OWED = """SELECT o.ticker_id, o.origin, f.horizon FROM unscored u JOIN origins o ON o.id = u.origin_id
JOIN forecasts f ON f.origin_id = u.origin_id
JOIN bars b ON b.ticker_id = o.ticker_id AND b.session = f.target
WHERE NOT EXISTS (SELECT 1 FROM scores s WHERE s.origin_id = f.origin_id AND s.horizon = f.horizon)
AND f.target < (SELECT max(n.origin) FROM origins n WHERE n.ticker_id = o.ticker_id AND n.config_id = o.config_id)"""


def home_in(folder: Path, schedule: Schedule, name: str) -> Home:
    """Return a new home that reads prices from a folder of its own."""
    (folder / name).mkdir()
    (folder / name / "tickercast.toml").write_text(settings_of(schedule, folder / f"{name}-prices"), encoding="utf-8")
    home = create_home(folder / name)
    upgrade_database(home.database)
    return home


@pytest.mark.parametrize("prior", SEEDS)
def test_daily_runs_leave_the_record_of_backfills_in_any_order(monkeypatch: pytest.MonkeyPatch, prior: str) -> None:
    @seed(SEEDS[prior] if SCHEDULES == DEFAULT_SCHEDULES else secrets.randbelow(2**32))
    @settings(max_examples=-(-SCHEDULES // len(SEEDS)), deadline=None, phases=PHASES,
              suppress_health_check=[HealthCheck.too_slow])  # fmt: skip
    @given(schedule=schedules(prior))
    def both_ways_leave_one_record(schedule: Schedule) -> None:
        with tempfile.TemporaryDirectory() as name, monkeypatch.context() as patch:
            daily, once = live_both_ways(schedule, Path(name), lambda now: patch.setattr(clock, "now", lambda: now))
            assert differences(daily, once) == []
            with reading(daily.database) as connection:
                problems = find_problems(connection, daily.prices)
                assert [line for line in problems if not line.startswith("rows recorded later")] == []
                assert connection.exec_driver_sql(OWED).fetchall() == []

    both_ways_leave_one_record()


def live_both_ways(schedule: Schedule, folder: Path, set_clock: Callable[[datetime], None]) -> tuple[Home, Home]:
    """Return a home of daily runs and one of backfills."""
    daily, once = home_in(folder, schedule, "daily"), home_in(folder, schedule, "once")
    with opened(daily, folder / "daily-prices") as way:
        day_by_day(way, schedule, set_clock)
        spans = origins_of(daily)
        set_clock(datetime.combine(DAYS[-1], time(23, 30), UTC))
        settle(way, schedule, spans)
    with opened(once, folder / "once-prices") as other:
        in_another_order(other, schedule, way, spans)
        settle(other, schedule, spans)
    return daily, once
