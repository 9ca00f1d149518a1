"""A calendar library that later knows other sessions: the record keeps its past ones and their numbers, and says so once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import exchange_calendars
import pytest

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.runs.sessions import RunCalendars, live_until
from tickercast.jobs.workspace.home import Home
from tickercast.storage import queries, writes
from tickercast.storage.database import Engine, open_writer

NOW = datetime(2024, 3, 18, 12, tzinfo=UTC)
NEW_YORK = exchange_calendar("XNYS")
MONDAY = date(2024, 3, 11)


@pytest.fixture
def engine(make_home: Callable[[str, str], Home]) -> Iterator[Engine]:
    engine = open_writer(make_home("home", "").database)
    yield engine
    engine.dispose()


def rows_without(missing: date | None, first: date = date(2024, 3, 4)) -> list[dict[str, Any]]:
    """Return New York's sessions as a library would count them that does not know one of them."""
    rows = [r for r in NEW_YORK.session_rows(first, NOW.date() + timedelta(days=366)) if r["session"] != missing]
    return [{**row, "number": row["number"] - (missing is not None and row["session"] > missing)} for row in rows]


def store(engine: Engine, rows: list[dict[str, Any]]) -> None:
    with engine.begin() as connection:
        writes.store_sessions(connection, "XNYS", rows, now=NOW)


def calendars(engine: Engine) -> RunCalendars:
    with engine.begin() as connection:
        run_id = writes.start_run(connection, kind="run", at=NOW, config_id=None, fingerprint="f")
    return RunCalendars(engine, NOW, run_id)


def stored(engine: Engine) -> dict[date, int]:
    with engine.connect() as connection:
        return {row[0]: row[1] for row in queries.closed_sessions(connection, "XNYS", NOW + timedelta(days=400))}


def test_a_record_that_agrees_with_the_library_has_the_librarys_calendar(engine: Engine) -> None:
    store(engine, rows_without(None))
    run = calendars(engine)
    run.store("XNYS", MONDAY)
    assert run.of("XNYS") is NEW_YORK
    assert run.warnings() == []


def test_numbers_go_on_from_the_record_when_the_library_has_added_a_past_session(engine: Engine) -> None:
    added = date(2024, 3, 12)
    store(engine, rows_without(added))
    calendar = calendars(engine).of("XNYS")
    index = NEW_YORK.session_index(MONDAY)
    week = [date(2024, 3, day) for day in (11, 12, 13, 14, 15, 18, 19)]
    assert [calendar.session_index(day) - index for day in week] == [0, 0, 1, 2, 3, 4, 5]
    assert calendar.session_at(index) == MONDAY
    assert [calendar.session_offset(MONDAY, count) for count in range(-1, 6)] == [date(2024, 3, 8), *week[:6]]


def test_a_past_session_that_the_library_has_dropped_stays_with_its_number(engine: Engine) -> None:
    saturday = {**rows_without(None)[5], "session": date(2024, 3, 9)}
    before = [row for row in rows_without(None) if row["session"] <= date(2024, 3, 8)]
    number = before[-1]["number"]
    later = [{**row, "number": row["number"] + 1} for row in rows_without(None) if row["session"] > date(2024, 3, 9)]
    with engine.begin() as connection:
        hours = {"open_at": datetime(2024, 3, 9, 14, tzinfo=UTC), "close_at": datetime(2024, 3, 9, 18, tzinfo=UTC)}
        rows = [*before, {**saturday, **hours, "number": number + 1}, *later]
        writes.store_sessions(connection, "XNYS", rows, now=NOW)
    calendar = calendars(engine).of("XNYS")
    assert [calendar.session_index(date(2024, 3, day)) - number for day in (8, 9, 11, 12, 19)] == [0, 1, 2, 3, 8]
    assert calendar.close_at(date(2024, 3, 9)) == hours["close_at"]


def test_a_renumbered_calendar_is_an_event_and_a_warning_once(engine: Engine) -> None:
    store(engine, rows_without(date(2024, 3, 12)))
    first, second = calendars(engine), calendars(engine)
    first.store("XNYS", MONDAY)
    second.store("XNYS", MONDAY)
    assert first.warnings() == [
        f"exchange-calendars {exchange_calendars.__version__} counts past sessions of XNYS otherwise than the record, "
        "which keeps its sessions and their numbers"
    ]
    assert second.warnings() == []
    with engine.connect() as connection:
        assert queries.has_event(connection, "calendar", first.warnings()[0])
    assert stored(engine)[date(2024, 3, 13)] == NEW_YORK.session_index(date(2024, 3, 13)) - 1


def test_a_future_session_that_the_library_no_longer_knows_is_dropped_and_said(engine: Engine) -> None:
    good_friday = date(2024, 3, 29)
    wrong = [row for row in rows_without(None) if row["session"] < good_friday]
    hours = {"open_at": datetime(2024, 3, 29, 14, tzinfo=UTC), "close_at": datetime(2024, 3, 29, 18, tzinfo=UTC)}
    number = wrong[-1]["number"]
    later = [{**row, "number": row["number"] + 1} for row in rows_without(None) if row["session"] > good_friday]
    store(engine, [*wrong, {**wrong[-1], "session": good_friday, **hours, "number": number + 1}, *later])
    run = calendars(engine)
    run.store("XNYS", MONDAY)
    assert good_friday not in stored(engine)
    assert stored(engine)[date(2024, 4, 1)] == number + 1
    assert [warning.split(";")[0] for warning in run.warnings()] == [
        f"the calendar of XNYS has changed: {len(later) + 1} future sessions corrected, the first one 2024-03-29"
    ]


def test_sessions_between_two_recorded_spans_are_counted_without_a_warning(engine: Engine) -> None:
    store(engine, [row for row in rows_without(None, date(2023, 1, 3)) if not date(2023, 6, 1) < row["session"] < MONDAY])
    assert calendars(engine).of("XNYS") is NEW_YORK


@pytest.mark.parametrize(
    ("exchange", "origin", "until"),
    [
        ("XNYS", "2024-03-08", "2024-03-11T13:30"),  # the open of Monday, in summer time
        ("24/7", "2024-03-08", "2024-03-09T01:45"),  # closes at midnight, complete at 00:45
        ("24/5", "2024-03-06", "2024-03-07T01:45"),
        ("24/5", "2024-03-08", "2024-03-11T00:00"),  # a weekend lies between
        ("us_futures", "2024-03-06", "2024-03-07T00:45"),  # closes at 18:00 in New York
    ],
)
def test_a_forecast_is_live_until_its_target_opens_or_an_hour_after_a_complete_bar(
    exchange: str, origin: str, until: str
) -> None:
    calendar, session = exchange_calendar(exchange), date.fromisoformat(origin)
    target = calendar.session_offset(session, 1)
    assert live_until(calendar, session, target, 45) == datetime.fromisoformat(f"{until}+00:00")


def test_exchanges_whose_holidays_end_on_one_day_are_one_warning_and_an_event_each(engine: Engine) -> None:
    run = RunCalendars(engine, datetime(2026, 12, 20, tzinfo=UTC), calendars(engine).run_id)
    run.store("XSES", date(2026, 12, 18))
    run.store("XBOM", date(2026, 12, 18))
    until = exchange_calendar("XBOM").known_until
    assert until == exchange_calendar("XSES").known_until
    rule = f"known until {until}; later sessions follow the weekly rule; upgrade exchange-calendars"
    assert run.warnings() == [f"the holidays of XBOM, XSES are {rule}"]
    with engine.connect() as connection:
        assert all(queries.has_event(connection, "calendar", f"the holidays of {code} are {rule}") for code in ("XBOM", "XSES"))
