"""A schedule lived both ways, and what is wrong then. `python -m tests.law_both_ways PRIOR NUMBER COUNT` draws and lives some.

It prints a JSON object: origins, how many were made; wrongs, by schedule.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.law_lives import DAYS, Schedule, schedules
from tests.law_schedules import day_by_day, differences, in_another_order, opened, origins_of, settings_of, settle
from tickercast.jobs import clock
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import reading, upgrade_database
from tickercast.storage.verify import find_problems

SIMPLE = 10  # schedules that are drawn first
# Unscored forecasts whose target has a bar before its ticker's newest origin.
OWED = """SELECT o.ticker_id, o.origin, f.horizon FROM unscored u JOIN origins o ON o.id = u.origin_id
JOIN forecasts f ON f.origin_id = u.origin_id
JOIN bars b ON b.ticker_id = o.ticker_id AND b.session = f.target
WHERE NOT EXISTS (SELECT 1 FROM scores s WHERE s.origin_id = f.origin_id AND s.horizon = f.horizon)
AND f.target < (SELECT max(n.origin) FROM origins n WHERE n.ticker_id = o.ticker_id AND n.config_id = o.config_id)"""


def wrongs(schedule: Schedule, folder: Path, set_clock: Callable[[datetime], None]) -> list[str]:
    """Return the differences of the two records, the problems of the daily one, and the scores that it owes."""
    daily, once = live_both_ways(schedule, folder, set_clock)
    with reading(daily.database) as connection:
        problems = [line for line in find_problems(connection, daily.prices) if not line.startswith("rows recorded later")]
        owed = [f"owes a score: {tuple(row)}" for row in connection.exec_driver_sql(OWED)]
    return [*differences(daily, once), *problems, *owed]


def live_both_ways(schedule: Schedule, folder: Path, set_clock: Callable[[datetime], None]) -> tuple[Home, Home]:
    """Return a home of daily runs and one of backfills."""
    daily, once = _home_in(folder, schedule, "daily"), _home_in(folder, schedule, "once")
    with opened(daily, folder / "daily-prices") as way:
        day_by_day(way, schedule, set_clock)
        spans = origins_of(daily)
        set_clock(datetime.combine(DAYS[-1], time(23, 30), UTC))
        settle(way, schedule, spans)
    with opened(once, folder / "once-prices") as other:
        in_another_order(other, schedule, way, spans)
        settle(other, schedule, spans)
    return daily, once


def drawn_schedules(prior: str, number: int, count: int) -> list[Schedule]:
    """Return schedules that a seed draws, without the first ones, which are simple."""
    found: list[Schedule] = []

    @seed(number)
    @settings(
        max_examples=SIMPLE + count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(schedule=schedules(prior))
    def draw(schedule: Schedule) -> None:
        found.append(schedule)

    draw()
    return found[SIMPLE:]


def _home_in(folder: Path, schedule: Schedule, name: str) -> Home:
    """Return a new home that reads prices from a folder of its own."""
    (folder / name).mkdir()
    (folder / name / "tickercast.toml").write_text(settings_of(schedule, folder / f"{name}-prices"), encoding="utf-8")
    home = create_home(folder / name)
    upgrade_database(home.database)
    return home


def _set_clock(now: datetime) -> None:
    setattr(clock, "now", lambda: now)  # noqa: B010


def main() -> None:
    """Draw schedules, live them and print what was wrong."""
    prior, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    origins, found = 0, []
    for schedule in drawn_schedules(prior, number, count):
        with tempfile.TemporaryDirectory(dir=".") as name:
            found.append(wrongs(schedule, Path(name).resolve(), _set_clock))
            with reading(Path(name) / "daily" / "tickercast.db") as connection:
                origins += connection.exec_driver_sql("SELECT count(*) FROM origins").scalar_one()
    sys.stdout.write(json.dumps({"origins": origins, "wrongs": found}))


if __name__ == "__main__":
    main()
