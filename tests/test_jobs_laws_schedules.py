"""The first and the third law over random schedules: tickers end, pause, come late, are untracked, renamed, and fail on any day.

`make torture-laws` draws 300 schedules; the suite draws 20.
"""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

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

SCHEDULES = int(os.environ.get("LAW_SCHEDULES", "20"))


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


@settings(max_examples=SCHEDULES, deadline=None, derandomize=SCHEDULES == 20, print_blob=True,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])  # fmt: skip
@given(schedule=schedules())
def test_daily_runs_leave_the_record_of_backfills_in_any_order(monkeypatch: pytest.MonkeyPatch, schedule: Schedule) -> None:
    instant = datetime.combine(DAYS[-1], time(23, 30), UTC)
    with tempfile.TemporaryDirectory() as name, monkeypatch.context() as patch:
        folder = Path(name)
        daily, once = home_in(folder, schedule, "daily"), home_in(folder, schedule, "once")
        with opened(daily, folder / "daily-prices") as way:
            day_by_day(way, schedule, lambda now: patch.setattr(clock, "now", lambda: now))
            spans = origins_of(daily)
            patch.setattr(clock, "now", lambda: instant)
            settle(way, schedule, spans)
        with opened(once, folder / "once-prices") as way:
            in_another_order(way, schedule, spans)
            settle(way, schedule, spans)
        assert differences(daily, once) == []
        with reading(daily.database) as connection:
            problems = [line for line in find_problems(connection, daily.prices) if not line.startswith("rows recorded later")]
            assert problems == []
            assert connection.exec_driver_sql(OWED).fetchall() == []
