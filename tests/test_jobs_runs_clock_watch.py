"""A clock that jumps stops the daemon's looks until it is right again, or has stayed for an hour; minutes alone stop nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tickercast.jobs import clock
from tickercast.jobs.runs.clock_watch import ClockWatch
from tickercast.jobs.runs.daemon import _after_set_back, _scheduler
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget

START = datetime(2026, 3, 6, 22, tzinfo=UTC)
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=365)
SetClock = Callable[[timedelta, timedelta], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Return a function that sets how long the machine is up and how far its clock is ahead."""

    def place(uptime: timedelta, ahead: timedelta) -> None:
        monkeypatch.setattr(clock, "uptime", lambda: uptime)
        monkeypatch.setattr(clock, "now", lambda: START + uptime + ahead)

    place(timedelta(0), timedelta(0))
    return place


def rights(set_clock: SetClock, *moments: tuple[timedelta, timedelta]) -> list[bool]:
    """Return whether the clock counts as right at some moments: (time since the start, how far the clock is ahead)."""
    watch, found = ClockWatch(), []
    for uptime, ahead in moments:
        set_clock(uptime, ahead)
        found.append(watch.is_right())
    return found


@pytest.mark.parametrize("by", [YEAR, -DAY, 7 * HOUR, timedelta(minutes=6)])
def test_a_clock_that_jumps_and_is_set_right_is_doubted_in_between(set_clock: SetClock, by: timedelta) -> None:
    moments = [(HOUR, timedelta(0)), (1.1 * HOUR, by), (1.9 * HOUR, by), (2 * HOUR, timedelta(0))]
    assert rights(set_clock, *moments) == [True, False, False, True]


def test_a_clock_that_stays_where_it_jumped_to_is_believed_after_an_hour(set_clock: SetClock) -> None:
    moments = [(HOUR, YEAR), (2 * HOUR - timedelta(seconds=1), YEAR), (2 * HOUR, YEAR), (3 * HOUR, YEAR), (4 * HOUR, YEAR)]
    assert rights(set_clock, *moments) == [False, False, True, True, True]


def test_a_clock_that_jumps_on_is_doubted_for_another_hour(set_clock: SetClock) -> None:
    moments = [(HOUR, DAY), (1.5 * HOUR, 2 * DAY), (2.2 * HOUR, 2 * DAY), (2.5 * HOUR, 2 * DAY)]
    assert rights(set_clock, *moments) == [False, False, False, True]


def test_a_clock_that_drifts_or_is_corrected_by_minutes_is_right(set_clock: SetClock) -> None:
    minutes = timedelta(minutes=4)
    assert rights(set_clock, *((HOUR * n, minutes * n) for n in range(1, 6))) == [True] * 5


def test_a_machine_that_slept_has_no_wrong_clock(set_clock: SetClock) -> None:
    assert rights(set_clock, (30 * DAY, timedelta(0))) == [True]


def test_the_time_since_the_start_of_the_machine_goes_on() -> None:
    before = clock.uptime()
    assert timedelta(0) < before <= clock.uptime()


@pytest.mark.parametrize(("later", "fires"), [(-DAY, True), (timedelta(seconds=-1), True), (timedelta(seconds=1), False)])
def test_after_a_clock_was_set_back_the_daemon_does_not_wait_as_long(tmp_path: Path, later: timedelta, fires: bool) -> None:
    scheduler = _scheduler(Watch(tmp_path, tmp_path / "none.db", LogTarget("json")).check)
    scheduler.start(paused=True)
    job, now = scheduler.get_jobs()[0], datetime.now(UTC)
    before = job.next_run_time
    assert _after_set_back(scheduler, now, now + later) == now + later
    assert (scheduler.get_jobs()[0].next_run_time == now + later) is fires
    assert fires or job.next_run_time == before
    scheduler.shutdown()
