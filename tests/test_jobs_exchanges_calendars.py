"""Calendars against the exchanges' published holidays and hours: sessions, indices, and when a session counts as closed."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import exchange_calendars
import numpy as np
import pytest

from tickercast.jobs.exchanges.calendars import CalendarError, ExchangeCalendar, exchange_calendar
from tickercast.jobs.exchanges.zones import TIME_ZONE_EXCHANGES, exchange_of_zone

# Weekdays of 2024 without a session, as the exchanges published them.
HOLIDAYS_2024 = {
    "XNYS": ["01-01", "01-15", "02-19", "03-29", "05-27", "06-19", "07-04", "09-02", "11-28", "12-25"],
    "XLON": ["01-01", "03-29", "04-01", "05-06", "05-27", "08-26", "12-25", "12-26"],
    "XTKS": ["01-01", "01-02", "01-03", "01-08", "02-12", "02-23", "03-20", "04-29", "05-03", "05-06", "07-15", "08-12",
             "09-16", "09-23", "10-14", "11-04", "12-31"],
}  # fmt: skip
SEOUL = "Asia/Seoul"  # its calendar takes 12 s to build, so only its code is checked
# Zones whose exchange is elsewhere, or whose name is an older one of the exchange's zone.
OTHER_ZONES = {"America/Chicago": "America/New_York", "Asia/Calcutta": "Asia/Kolkata"}


@pytest.fixture(scope="module")
def new_york() -> ExchangeCalendar:
    return exchange_calendar("XNYS")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[D]")


@pytest.mark.parametrize("exchange", HOLIDAYS_2024)
def test_the_sessions_of_2024_are_its_weekdays_without_the_published_holidays(exchange: str) -> None:
    year = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    holidays = days(*(f"2024-{day}" for day in HOLIDAYS_2024[exchange]))
    expected = np.is_busday(year, holidays=holidays)
    calendar = exchange_calendar(exchange)
    assert calendar.are_sessions(year).tolist() == expected.tolist()
    assert [calendar.is_session(day) for day in year.tolist()] == expected.tolist()


def test_a_new_calendar_is_built_from_1980_to_the_end_of_the_year_after_the_next() -> None:
    calendar = ExchangeCalendar("24/7")  # each day is a session
    assert (calendar.session_at(0), calendar.sessions[0].item()) == (date(1980, 1, 2), date(1980, 1, 2))
    assert calendar.sessions[-1].item() == date(date.today().year + 2, 12, 31)
    assert (calendar.code, calendar.sessions.dtype) == ("24/7", "datetime64[D]")


@pytest.mark.parametrize(
    ("exchange", "session", "open_at", "close_at"),
    [
        ("XNYS", "2024-01-02", "14:30", "21:00"),  # 09:30 to 16:00 in New York, winter
        ("XNYS", "2024-07-01", "13:30", "20:00"),  # summer
        ("XNYS", "2024-07-03", "13:30", "17:00"),  # early close at 13:00
        ("XNYS", "2026-11-27", "14:30", "18:00"),  # early close after Thanksgiving
        ("XLON", "2024-12-24", "08:00", "12:30"),
        ("XTKS", "2024-11-01", "00:00", "06:00"),  # until 15:00 in Tokyo
        ("XTKS", "2024-11-05", "00:00", "06:30"),  # from this day on until 15:30
    ],
)
def test_a_session_opens_and_closes_at_the_published_hours(exchange: str, session: str, open_at: str, close_at: str) -> None:
    calendar, day = exchange_calendar(exchange), date.fromisoformat(session)
    assert calendar.open_at(day) == datetime.fromisoformat(f"{session}T{open_at}+00:00")
    assert calendar.close_at(day) == datetime.fromisoformat(f"{session}T{close_at}+00:00")
    assert calendar.close_at(day).tzinfo is UTC


def test_indices_count_the_sessions_from_1980_on(new_york: ExchangeCalendar) -> None:
    # January 1980: the 1st is a holiday, the 2nd a Wednesday.
    first_week = [date(1980, 1, 2), date(1980, 1, 3), date(1980, 1, 4), date(1980, 1, 7)]
    assert [new_york.session_index(day) for day in first_week] == [0, 1, 2, 3]
    assert [new_york.session_at(index) for index in range(4)] == first_week


@pytest.mark.parametrize("day", [date(2026, 11, 26), date(2026, 11, 28), date(1979, 12, 25)])
def test_a_day_without_a_session_has_no_index(new_york: ExchangeCalendar, day: date) -> None:
    with pytest.raises(CalendarError, match=rf"^{day} is not a session of XNYS$"):
        new_york.session_index(day)


@pytest.mark.parametrize(
    ("session", "count", "expected"),
    [
        ("2026-11-25", 0, "2026-11-25"), ("2026-11-25", 1, "2026-11-27"), ("2026-11-25", 2, "2026-11-30"),
        ("2026-11-27", -1, "2026-11-25"), ("1980-01-03", -1, "1980-01-02"),
    ],
)  # fmt: skip
def test_an_offset_counts_sessions_not_days(new_york: ExchangeCalendar, session: str, count: int, expected: str) -> None:
    assert new_york.session_offset(date.fromisoformat(session), count) == date.fromisoformat(expected)


def test_an_offset_out_of_reach_names_the_years_of_reach() -> None:
    calendar = ExchangeCalendar("24/7")
    out_of_reach = r"^the calendar of 24/7 reaches from 1850-01-01 to 2210-12-31$"
    with pytest.raises(CalendarError, match=out_of_reach):
        calendar.session_offset(date(2210, 12, 31), 1)
    with pytest.raises(CalendarError, match=out_of_reach):
        calendar.session_offset(date(1850, 1, 1), -1)


@pytest.mark.parametrize(
    ("first", "last", "count"),
    [
        ("2024-03-28", "2024-04-01", 1),  # Good Friday and a weekend lie between
        ("2024-03-28", "2024-03-31", 0), ("2024-03-27", "2024-03-28", 1), ("2024-03-28", "2024-03-28", 0),
        ("2024-04-01", "2024-03-28", 0), ("2024-03-30", "2024-04-02", 2), ("2023-12-29", "2024-12-31", 252),
    ],
)  # fmt: skip
def test_sessions_between_excludes_the_first_day_and_includes_the_last(
    new_york: ExchangeCalendar, first: str, last: str, count: int
) -> None:
    assert new_york.sessions_between(date.fromisoformat(first), date.fromisoformat(last)) == count


def test_missing_sessions_lie_within_the_days_given(new_york: ExchangeCalendar) -> None:
    given = days("2024-03-27", "2024-04-01", "2024-04-04")
    assert new_york.missing_sessions(given).tolist() == days("2024-03-28", "2024-04-02", "2024-04-03").tolist()
    assert new_york.missing_sessions(days("2024-03-28", "2024-04-01")).tolist() == []
    assert new_york.missing_sessions(days("2024-03-29", "2024-03-30")).tolist() == []


def test_a_calendar_warns_from_60_days_before_its_holidays_end() -> None:
    bombay = exchange_calendar("XBOM")
    assert bombay.known_until is not None
    end = datetime.combine(bombay.known_until, datetime.min.time(), UTC)
    warning = (
        f"the holidays of XBOM are known until {bombay.known_until}; later sessions follow the weekly rule; "
        "upgrade exchange-calendars"
    )
    assert [bombay.end_warning(end - timedelta(days=days)) for days in (60, 59, -900)] == [None, warning, warning]


def test_a_calendar_whose_holidays_have_no_end_never_warns(new_york: ExchangeCalendar) -> None:
    assert new_york.known_until is None
    assert new_york.end_warning(datetime(2199, 12, 31, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("exchange", "now", "wait_minutes", "expected"),
    [
        ("XNYS", "2026-11-27T18:45:00+00:00", 45, "2026-11-27"),  # closed early at 18:00 UTC
        ("XNYS", "2026-11-27T18:44:59+00:00", 45, "2026-11-25"),  # the 26th is Thanksgiving
        ("XNYS", "2026-11-27T18:00:00+00:00", 0, "2026-11-27"),
        ("XNYS", "2026-11-27T13:45:00-05:00", 45, "2026-11-27"),  # the same instant in New York
        ("XNYS", "2024-03-31T12:00:00+00:00", 45, "2024-03-28"),  # Easter Sunday
        ("XNYS", "2001-09-16T12:00:00+00:00", 45, "2001-09-10"),  # closed after 11 September
        ("XTKS", "2024-11-05T06:30:00+00:00", 0, "2024-11-05"),
        ("XTKS", "2024-11-05T06:29:00+00:00", 0, "2024-11-01"),
        ("XTKS", "2019-05-06T12:00:00+00:00", 45, "2019-04-26"),  # ten days closed for the change of emperor
        ("24/7", "2024-03-31T00:00:00+00:00", 0, "2024-03-30"),
    ],
)
def test_the_last_closed_session_is_the_newest_whose_close_and_wait_are_over(
    exchange: str, now: str, wait_minutes: int, expected: str
) -> None:
    found = exchange_calendar(exchange).last_closed_session(datetime.fromisoformat(now), wait_minutes)
    assert found == date.fromisoformat(expected)


def test_before_the_calendars_reach_no_session_has_closed() -> None:
    calendar = ExchangeCalendar("24/7")
    assert calendar.last_closed_session(datetime(1850, 1, 1, 23, 59, tzinfo=UTC), 0) is None
    assert calendar.last_closed_session(datetime(1850, 1, 2, tzinfo=UTC), 0) == date(1850, 1, 1)


def test_session_rows_are_the_rows_of_the_table(new_york: ExchangeCalendar) -> None:
    rows = list(new_york.session_rows(date(2024, 3, 8), date(2024, 3, 11)))
    # New York's clocks changed on the Sunday between.
    assert [(row["session"], row["open_at"], row["close_at"]) for row in rows] == [
        (date(2024, 3, 8), datetime(2024, 3, 8, 14, 30, tzinfo=UTC), datetime(2024, 3, 8, 21, 0, tzinfo=UTC)),
        (date(2024, 3, 11), datetime(2024, 3, 11, 13, 30, tzinfo=UTC), datetime(2024, 3, 11, 20, 0, tzinfo=UTC)),
    ]
    assert all(row[name].tzinfo is UTC for row in rows for name in ("open_at", "close_at"))
    assert [row["exchange"] for row in rows] == ["XNYS", "XNYS"]
    assert [new_york.session_at(row["number"]) for row in rows] == [row["session"] for row in rows]


def test_session_rows_begin_and_end_within_their_span(new_york: ExchangeCalendar) -> None:
    rows = new_york.session_rows(date(2024, 3, 29), date(2024, 4, 1))  # a holiday, a weekend, a Monday
    assert [row["session"] for row in rows] == [date(2024, 4, 1)]


@pytest.mark.parametrize(("exchange", "zone"), [("XNYS", "America/New_York"), ("XTKS", "Asia/Tokyo"), ("24/7", "UTC")])
def test_a_calendar_knows_its_time_zone(exchange: str, zone: str) -> None:
    assert exchange_calendar(exchange).time_zone == zone
    assert exchange_calendar(exchange).code == exchange


@pytest.mark.slow
@pytest.mark.parametrize("zone", sorted(set(TIME_ZONE_EXCHANGES) - {SEOUL}))
def test_a_time_zone_stands_for_an_exchange_of_that_zone(zone: str) -> None:
    calendar = exchange_calendars.get_calendar(exchange_of_zone(zone), start="2024-01-02", end="2024-01-31")
    assert str(calendar.tz) == OTHER_ZONES.get(zone, zone)


def test_seoul_stands_for_the_korea_exchange() -> None:
    assert exchange_of_zone(SEOUL) == "XKRX"


@pytest.mark.parametrize("zone", ["", "Antarctica/Troll"])
def test_an_unknown_time_zone_stands_for_new_york(zone: str) -> None:
    assert exchange_of_zone(zone) == "XNYS"


def test_an_exchange_has_one_calendar() -> None:
    assert exchange_calendar("XNYS") is exchange_calendar("XNYS")


def test_an_unknown_exchange_is_refused() -> None:
    with pytest.raises(CalendarError, match=r"^NOWHERE: no calendar is known for this exchange$"):
        exchange_calendar("NOWHERE")


def test_a_calendar_that_the_library_cannot_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("Special dates are not sessions.")

    monkeypatch.setattr(exchange_calendars, "get_calendar", fail)
    with pytest.raises(CalendarError, match=r"^XTAE: exchange-calendars cannot build the calendar of this exchange$"):
        ExchangeCalendar("XTAE")


@pytest.mark.slow
def test_a_machine_without_time_zone_files_has_the_same_hours() -> None:
    program = "from datetime import date; from tickercast.jobs.exchanges.calendars import exchange_calendar as e;"
    program += "print(*(e(code).close_at(date(2026, 3, 10)) for code in ('XNYS', 'XTKS', 'XLON')))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONTZPATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2026-03-10", "20:00:00+00:00", "2026-03-10", "06:30:00+00:00", "2026-03-10", "16:30:00+00:00"]
