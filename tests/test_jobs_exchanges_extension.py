"""Beyond the years whose holidays the library knows every exchange has sessions, at every clock and for old bars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from dateutil.easter import easter

from tickercast.jobs.exchanges.calendars import (
    CalendarError,
    ExchangeCalendar,
    exchange_calendar,
    require_calendars,
)
from tickercast.jobs.exchanges.extension import easter_sunday, returning_holidays
from tickercast.jobs.exchanges.symbols import INDEX_EXCHANGES, SUFFIX_EXCHANGES, exchange_of
from tickercast.jobs.exchanges.zones import TIME_ZONE_EXCHANGES

SEOUL = "XKRX"  # its calendar takes seconds to build
TEL_AVIV = "XTAE"  # the library cannot build it before 2026
EXCHANGES = sorted(
    {*SUFFIX_EXCHANGES.values(), *INDEX_EXCHANGES.values(), *TIME_ZONE_EXCHANGES.values(), "24/5", "us_futures"}
    - {SEOUL, TEL_AVIV}
)
ALL_EXCHANGES = [*EXCHANGES, pytest.param(SEOUL, marks=pytest.mark.slow)]
CLOCKS = [datetime(2026, 12, day, 12, tzinfo=UTC) for day in range(20, 32)] + [
    datetime(year, month, day, 23, 30, tzinfo=UTC) for year in range(2027, 2036) for month, day in ((1, 4), (6, 30), (12, 31))
]
LONGEST_CLOSURE = timedelta(days=12)
ENDING = ("XBOM", "XSES", "XSHG")  # their holidays are known until 2026-12-31


def days(first: str, last: str) -> np.ndarray:
    return np.arange(first, last, dtype="datetime64[D]")


@pytest.mark.parametrize("exchange", ALL_EXCHANGES)
def test_at_every_clock_until_2035_each_exchange_has_a_closed_session_and_targets_and_hours_a_year_ahead(exchange: str) -> None:
    calendar = exchange_calendar(exchange)
    for now in reversed(CLOCKS):  # from the last, so that the calendar is built once
        closed = calendar.last_closed_session(now, 45)
        assert closed is not None
        assert timedelta(0) <= now.date() - closed <= LONGEST_CLOSURE
        targets = [calendar.session_offset(closed, horizon) for horizon in range(6)]
        assert all(timedelta(0) < later - earlier <= LONGEST_CLOSURE for earlier, later in pairwise(targets))
        assert [calendar.session_at(calendar.session_index(day)) for day in targets] == targets
        rows = list(calendar.session_rows(closed, now.date() + timedelta(days=366)))
        assert 230 <= len(rows) <= 380
        assert [row["number"] for row in rows] == [calendar.session_index(closed) + n for n in range(len(rows))]
        assert all(before["close_at"] <= after["open_at"] for before, after in pairwise(rows))


@pytest.mark.parametrize("exchange", ENDING)
def test_sessions_and_numbers_are_the_same_however_far_a_calendar_was_asked(exchange: str) -> None:
    short, long = ExchangeCalendar(exchange), ExchangeCalendar(exchange)
    long.session_offset(date(2026, 12, 23), 5000)
    assert long.is_session(date(1970, 1, 5))
    day = date(2028, 6, 1)
    assert (long.session_index(day), long.close_at(day)) == (short.session_index(day), short.close_at(day))


def test_a_calendar_follows_the_clock_for_as_long_as_a_process_lives() -> None:
    calendar = ExchangeCalendar("XNYS")
    far = date(calendar.sessions[-1].item().year + 3, 3, 1)
    closed = calendar.last_closed_session(datetime(far.year, 3, 1, 23, tzinfo=UTC), 45)
    assert closed is not None
    assert far - closed <= timedelta(days=4)


def test_beyond_its_known_years_an_exchange_keeps_its_hours_in_its_own_time_zone() -> None:
    # New Zealand's sessions open the day before in UTC; Bombay is UTC+5:30 all year.
    bombay = exchange_calendar("XBOM")
    assert bombay.open_at(date(2031, 7, 1)) == datetime(2031, 7, 1, 3, 45, tzinfo=UTC)
    assert bombay.close_at(date(2031, 1, 2)) == datetime(2031, 1, 2, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("exchange", "holidays"),
    [
        ("XBOM", ["2027-01-26", "2027-03-26"]),  # Republic Day, Good Friday
        ("XSES", ["2027-01-01", "2027-03-26", "2027-08-09", "2028-12-25"]),  # National Day
        ("XSHG", ["2027-01-01", "2027-10-01", "2027-10-04", "2028-05-01"]),  # National Day's week, Labour Day
    ],
)
def test_beyond_its_known_years_holidays_of_a_fixed_date_and_of_easter_return(exchange: str, holidays: list[str]) -> None:
    assert not exchange_calendar(exchange).are_sessions(np.array(holidays, dtype="datetime64[D]")).any()


@pytest.mark.parametrize("exchange", ["XLON", "XNYS", "XETR", "XSES"])
def test_the_rule_would_have_foretold_the_fixed_holidays_of_a_known_year(exchange: str) -> None:
    calendar = exchange_calendar(exchange)
    known = calendar.sessions[calendar.sessions < np.datetime64("2024-01-01")]
    foretold = np.array(list(returning_holidays(known, "1111100", date(2024, 1, 1), date(2024, 12, 31))), dtype="datetime64[D]")
    assert len(foretold) >= 4
    assert not calendar.are_sessions(foretold).any()


def test_a_date_whose_sundays_are_made_up_for_on_mondays_is_so_again() -> None:
    closed = [date(2012, 1, 2), date(2017, 1, 2), *(date(year, 1, 1) for year in range(2010, 2021))]
    known = days("2010-01-01", "2021-01-01")
    known = known[np.is_busday(known, holidays=closed)]
    found = list(returning_holidays(known, "1111100", date(2021, 1, 1), date(2023, 12, 31)))
    assert found == [date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1), date(2023, 1, 2)]


def test_easter_is_that_of_another_library() -> None:
    assert [easter_sunday(year) for year in range(1850, 2211)] == [easter(year) for year in range(1850, 2211)]


@pytest.mark.parametrize(
    ("exchange", "old"),
    [("XNYS", "1928-01-03"), ("XNYS", "1962-01-02"), ("XTKS", "1965-01-05"), ("XBOM", "1979-04-03"), ("XLON", "1935-07-01")],
)
def test_old_bars_are_of_sessions_with_negative_numbers_and_later_numbers_stay(exchange: str, old: str) -> None:
    calendar, plain = ExchangeCalendar(exchange), exchange_calendar(exchange)
    later = plain.session_index(date(2024, 6, 3))
    assert calendar.is_session(date.fromisoformat(old))
    assert calendar.session_index(date.fromisoformat(old)) < 0
    assert calendar.session_index(date(2024, 6, 3)) == later
    assert calendar.session_at(calendar.session_index(date.fromisoformat(old))) == date.fromisoformat(old)


def test_before_the_known_years_weekdays_without_a_bar_are_no_gaps() -> None:
    tokyo = exchange_calendar("XTKS")
    assert not len(tokyo.missing_sessions(np.array(["1990-01-04", "1996-12-30"], dtype="datetime64[D]")))
    assert len(tokyo.missing_sessions(np.array(["1996-12-30", "1997-01-08"], dtype="datetime64[D]"))) == 2


@pytest.mark.parametrize("symbol", ["TEVA.TA", "X.TA"])
def test_a_symbol_of_an_exchange_without_a_usable_calendar_is_refused_by_name(symbol: str) -> None:
    assert exchange_of(symbol) == TEL_AVIV
    with pytest.raises(CalendarError, match=rf"^{symbol}: XTAE: .* cannot build the calendar .*; nothing was done$"):
        require_calendars(["IBM", symbol])
