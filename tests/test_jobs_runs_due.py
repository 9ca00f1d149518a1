"""When a daily cycle is due: a tracked ticker is behind, and after each incomplete attempt the wait doubles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.builders import add_origins, model_row, origin_row
from tickercast.jobs.runs.due import cycle_is_due
from tickercast.jobs.workspace.home import Home
from tickercast.storage import writes
from tickercast.storage.bars import Listing
from tickercast.storage.database import Engine, open_writer
from tickercast.storage.schema import PriceFile
from tickercast.storage.watch import ticker_states

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


def add_ticker(
    engine: Engine, symbol: str = "IBM", *, tracked: bool = True, exchange: str = "XNYS", source: str = "sample"
) -> int:
    with engine.begin() as connection:
        listing = replace(LISTING, exchange=exchange)
        return writes.add_ticker(connection, symbol, listing, source=source, tracked=tracked, at=COUNTS_FROM)


def attempt(
    engine: Engine,
    home: Home,
    at: datetime,
    kind: str = "daemon",
    status: str = "failed",
    outcomes: Mapping[int, str] | None = None,
) -> None:
    config = home.settings.config()
    with engine.begin() as connection:
        row = {"id": config.id, "preset": config.preset, "field": "close", "settings": "{}", "created_at": at}
        writes.ensure_config(connection, row, active_id=config.id)
        run_id = writes.start_run(connection, kind=kind, at=at, config_id=config.id, fingerprint="f")
        rows = [{"run_id": run_id, "ticker_id": key, "status": outcome} for key, outcome in (outcomes or {}).items()]
        writes.record_run_tickers(connection, [{**row, "origins": 0, "message": None} for row in rows])
        writes.update_run(connection, run_id, status=status)


def store_forecast(engine: Engine, home: Home, ticker_id: int, origin: date) -> None:
    with engine.begin() as connection:
        keys = {"ticker_id": ticker_id, "config_id": home.settings.config().id}
        writes.insert_models(connection, [model_row("cold", origin, **keys)], run_id=1)
        add_origins(connection, origin_row(origin, "cold", horizons=1, **keys))


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
    ticker_id = add_ticker(engine)
    attempt(engine, home, COUNTS_FROM - timedelta(days=9))
    store_forecast(engine, home, ticker_id, origin)
    assert cycle_is_due(home, COUNTS_FROM) is due


# --- one ticker's trouble is its own ---


def store_bars(engine: Engine, ticker_id: int, last: date) -> None:
    """Enter a price file whose newest bar is of a session."""
    with engine.begin() as connection:
        connection.execute(
            sa.insert(PriceFile).values(
                ticker_id=ticker_id, path=f"{ticker_id}.parquet", rows=1, first_session=last, last_session=last,
                price_basis="as_traded", sha256="0", recorded_at=COUNTS_FROM,
            )
        )  # fmt: skip


def attempts_of_a_week(engine: Engine, home: Home, outcomes: dict[int, str]) -> list[datetime]:
    """Do a cycle at each due look of seven days from Monday 4 March on, and return when. Looks follow noon and the close."""
    begun = []
    hours = (12, 20, 21.75, 22, 23, 30, 35.75)  # from midnight
    for now in (datetime(2024, 3, 4 + day, tzinfo=UTC) + timedelta(hours=hour) for day in range(7) for hour in hours):
        if cycle_is_due(home, now):
            begun.append(now)
            attempt(engine, home, now, status="done", outcomes=outcomes)
    return begun


@pytest.mark.parametrize(
    ("status", "last_bar", "outcome"),
    [
        ("too_short", date(2024, 3, 1), None),  # no row: it never had enough bars
        ("held", date(2024, 2, 28), "ok"),
        ("active", date(2023, 12, 29), "ok"),  # a file that ended
        ("quiet", date(2024, 2, 28), "ok"),
    ],
)
def test_a_ticker_that_cannot_be_helped_causes_one_cycle_a_session(
    home: Home, engine: Engine, status: str, last_bar: date, outcome: str | None
) -> None:
    ticker_id = add_ticker(engine)
    store_bars(engine, ticker_id, last_bar)
    with engine.begin() as connection:
        writes.update_ticker(connection, ticker_id, status=status)
    begun = attempts_of_a_week(engine, home, {ticker_id: outcome} if outcome else {})
    # The first one is for Friday's session, the others when each session of the week counts as closed.
    assert [f"{at:%a %H:%M}" for at in begun] == [
        "Mon 12:00", "Mon 21:45", "Tue 21:45", "Wed 21:45", "Thu 21:45", "Fri 21:45",
    ]  # fmt: skip


def test_a_ticker_that_fails_for_days_is_retried_every_eight_hours_and_when_a_session_closes(home: Home, engine: Engine) -> None:
    ticker_id = add_ticker(engine)
    store_bars(engine, ticker_id, date(2024, 2, 26))
    begun = attempts_of_a_week(engine, home, {ticker_id: "failed"})
    assert [f"{at:%a %H:%M}" for at in begun[:5]] == ["Mon 12:00", "Mon 20:00", "Mon 21:45", "Tue 06:00", "Tue 20:00"]
    assert len(begun) <= 3 * 7


@pytest.mark.parametrize(("minutes", "is_due"), [(10, True), (-10, False), (30, False)], ids=["after", "before", "in the future"])
def test_a_ticker_whose_price_file_was_repaired_after_its_last_attempt_is_due_at_once(
    home: Home, engine: Engine, minutes: int, is_due: bool
) -> None:
    ticker_id = add_ticker(engine)
    attempt(engine, home, COUNTS_FROM + timedelta(hours=1), outcomes={ticker_id: "failed"})
    seen = ticker_states(home.database)
    with engine.begin() as connection:
        at = COUNTS_FROM + timedelta(hours=1, minutes=minutes)
        writes.record_event(connection, "repair", "its price file was rebuilt", at=at, ticker_id=ticker_id)
    assert cycle_is_due(home, COUNTS_FROM + timedelta(hours=1, minutes=11)) is is_due
    assert ticker_states(home.database) != seen, "the idle daemon notices it"


def test_files_without_new_bars_for_days_are_read_again_every_eight_hours(home: Home, engine: Engine) -> None:
    ticker_id = add_ticker(engine, source="folder")
    store_bars(engine, ticker_id, date(2024, 2, 26))
    begun = attempts_of_a_week(engine, home, {ticker_id: "ok"})
    assert [f"{at:%a %H:%M}" for at in begun[:4]] == ["Mon 12:00", "Mon 20:00", "Mon 21:45", "Tue 06:00"]


def test_a_source_that_is_late_by_one_session_is_retried_soon(home: Home, engine: Engine) -> None:
    ticker_id = add_ticker(engine)
    store_bars(engine, ticker_id, date(2024, 3, 5))
    attempt(engine, home, COUNTS_FROM, outcomes={ticker_id: "ok"})
    assert not cycle_is_due(home, COUNTS_FROM + timedelta(minutes=14))
    assert cycle_is_due(home, COUNTS_FROM + timedelta(minutes=15))


def test_a_ticker_that_cannot_be_helped_delays_no_other_after_its_close(home: Home, engine: Engine) -> None:
    ended, tokyo = add_ticker(engine), add_ticker(engine, "7203.T", exchange="XTKS")
    store_bars(engine, ended, date(2023, 12, 29))
    store_bars(engine, tokyo, date(2024, 3, 6))
    attempt(engine, home, COUNTS_FROM, outcomes={ended: "ok", tokyo: "ok"})
    tokyo_counts = datetime(2024, 3, 7, 6, 45, tzinfo=UTC)  # 15:00 in Tokyo, and 45 minutes
    store_forecast(engine, home, tokyo, date(2024, 3, 6))
    assert not cycle_is_due(home, tokyo_counts - timedelta(minutes=1))
    assert cycle_is_due(home, tokyo_counts)


def test_a_ticker_tracked_after_a_cycle_with_old_bars_is_not_taken_for_one_without_hope(home: Home, engine: Engine) -> None:
    attempt(engine, home, COUNTS_FROM)
    store_bars(engine, add_ticker(engine), date(2023, 12, 29))
    assert cycle_is_due(home, COUNTS_FROM + timedelta(minutes=15))


def test_an_edit_of_the_settings_makes_a_cycle_due_once(home: Home, engine: Engine) -> None:
    ticker_id = add_ticker(engine)
    with engine.begin() as connection:
        writes.update_ticker(connection, ticker_id, status="too_short")
    attempt(engine, home, COUNTS_FROM)
    edited = COUNTS_FROM + timedelta(hours=1)
    os.utime(home.folder / "tickercast.toml", (edited.timestamp(), edited.timestamp()))
    assert not cycle_is_due(home, edited - timedelta(minutes=1))
    assert cycle_is_due(home, edited + timedelta(minutes=1))
    attempt(engine, home, edited + timedelta(minutes=1))
    assert not any(cycle_is_due(home, edited + timedelta(hours=hours)) for hours in range(1, 20))


def test_a_ticker_whose_calendar_cannot_be_built_makes_no_cycle_due_and_stops_none(home: Home, engine: Engine) -> None:
    add_ticker(engine, "TEVA.TA", exchange="XTAE")
    assert not cycle_is_due(home, COUNTS_FROM)
    add_ticker(engine)
    assert cycle_is_due(home, COUNTS_FROM)
