"""When a daily cycle is due: a tracked ticker is behind, and after each incomplete attempt the wait doubles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.runs.daily import cycle_is_due
from jobs.workspace.home import Home
from storage import writes
from storage.bars import Listing
from storage.database import Engine, open_writer
from storage.schema import Forecast, Model
from tests.builders import forecast_row, model_row

# Wednesday 6 March 2024: New York closes at 21:00 UTC, and a session counts 45 minutes later.
COUNTS_FROM = datetime(2024, 3, 6, 21, 45, tzinfo=UTC)
LISTING = Listing("IBM", "USD", "XNYS", "America/New_York", "as_traded")


@pytest.fixture
def home(make_home: Callable[[str, str], Home]) -> Home:
    return make_home("home", "")


@pytest.fixture
def engine(home: Home) -> Iterator[Engine]:
    engine = open_writer(home.database)
    yield engine
    engine.dispose()


def add_ticker(engine: Engine, symbol: str = "IBM", *, tracked: bool = True) -> int:
    with engine.begin() as connection:
        return writes.add_ticker(connection, symbol, LISTING, source="sample", tracked=tracked, at=COUNTS_FROM)


def attempt(engine: Engine, home: Home, at: datetime, kind: str = "daemon", status: str = "failed") -> None:
    config = home.settings.config()
    with engine.begin() as connection:
        row = {"id": config.id, "preset": config.preset, "field": "close", "settings": "{}", "created_at": at}
        writes.ensure_config(connection, row, active_id=config.id)
        run_id = writes.start_run(connection, kind=kind, at=at, config_id=config.id, fingerprint="f")
        writes.update_run(connection, run_id, status=status)


def test_nothing_is_due_when_no_ticker_is_tracked(home: Home, engine: Engine) -> None:
    add_ticker(engine, tracked=False)
    assert not cycle_is_due(home, COUNTS_FROM)


def test_a_tracked_ticker_without_forecasts_makes_a_cycle_due(home: Home, engine: Engine) -> None:
    add_ticker(engine)
    assert cycle_is_due(home, COUNTS_FROM)


@pytest.mark.parametrize(
    ("status", "probe_at", "due"),
    [
        ("active", None, True),
        ("suspended", COUNTS_FROM + timedelta(seconds=1), False),
        ("suspended", COUNTS_FROM, True),
        ("held", None, True),
    ],
)
def test_a_suspended_ticker_makes_no_cycle_due_before_its_retry(
    home: Home, engine: Engine, status: str, probe_at: datetime | None, due: bool
) -> None:
    ticker_id = add_ticker(engine)
    with engine.begin() as connection:
        writes.update_ticker(connection, ticker_id, status=status, probe_at=probe_at)
    assert cycle_is_due(home, COUNTS_FROM) is due


@pytest.mark.parametrize(
    ("attempts", "wait_minutes"), [(1, 15), (2, 30), (3, 60), (4, 120), (5, 240), (6, 480), (7, 480), (9, 480)]
)
def test_after_each_incomplete_attempt_the_wait_doubles_up_to_eight_hours(
    home: Home, engine: Engine, attempts: int, wait_minutes: int
) -> None:
    add_ticker(engine)
    starts = [COUNTS_FROM + timedelta(minutes=n) for n in range(attempts)]
    [attempt(engine, home, at) for at in starts]
    assert not cycle_is_due(home, starts[-1] + timedelta(minutes=wait_minutes, seconds=-1))
    assert cycle_is_due(home, starts[-1] + timedelta(minutes=wait_minutes))


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_cycle_that_was_stopped_or_killed_resumes_at_once(home: Home, engine: Engine, status: str) -> None:
    add_ticker(engine)
    attempt(engine, home, COUNTS_FROM, status=status)
    assert cycle_is_due(home, COUNTS_FROM + timedelta(seconds=1))


def test_attempts_before_the_session_counted_delay_nothing(home: Home, engine: Engine) -> None:
    add_ticker(engine)
    attempt(engine, home, COUNTS_FROM - timedelta(seconds=1))
    assert cycle_is_due(home, COUNTS_FROM)


def test_a_backfill_is_no_attempt_of_the_daily_cycle(home: Home, engine: Engine) -> None:
    add_ticker(engine)
    attempt(engine, home, COUNTS_FROM, kind="backfill")
    assert cycle_is_due(home, COUNTS_FROM)


@pytest.mark.parametrize(("origin", "due"), [(date(2024, 3, 6), False), (date(2024, 3, 5), True)])
def test_a_ticker_with_forecasts_from_the_last_closed_session_is_not_behind(
    home: Home, engine: Engine, origin: date, due: bool
) -> None:
    ticker_id, config_id = add_ticker(engine), home.settings.config().id
    attempt(engine, home, COUNTS_FROM - timedelta(days=9))
    with engine.begin() as connection:
        model = model_row("cold", origin, ticker_id=ticker_id, config_id=config_id)
        writes.insert_mappings(connection, Model, [model])
        forecast = forecast_row(origin, 1, "cold", ticker_id=ticker_id, config_id=config_id)
        writes.insert_mappings(connection, Forecast, [forecast])
    assert cycle_is_due(home, COUNTS_FROM) is due
