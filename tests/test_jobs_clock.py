"""Instants and dates as users type them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tickercast.jobs import clock
from tickercast.jobs.errors import UsageError


def test_the_present_is_aware_and_in_utc() -> None:
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["2026-03-06T22:00:00Z", "2026-03-06T22:00:00", "2026-03-06 22:00", "2026-03-06T17:00:00-05:00", "2026-03-07T07:00+09:00"],
)
def test_an_instant_is_utc_whatever_its_offset(text: str) -> None:
    assert clock.parse_instant(text) == datetime(2026, 3, 6, 22, tzinfo=UTC)
    assert clock.parse_instant(text).tzinfo is UTC


def test_a_date_alone_is_its_midnight() -> None:
    assert clock.parse_instant("2026-03-06") == datetime(2026, 3, 6, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-02-30T00:00:00Z", "2026-03-06T25:00:00Z"])
def test_another_text_is_not_an_instant(text: str) -> None:
    with pytest.raises(UsageError, match="is not an instant; write it like 2026-03-06T22:00:00Z"):
        clock.parse_instant(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [(None, None), ("2026-03-06", date(2026, 3, 6)), ("1900-01-01", date(1900, 1, 1)), ("2200-12-31", date(2200, 12, 31))],
)
def test_a_day_is_a_date_of_1900_to_2200(text: str | None, day: date | None) -> None:
    assert clock.parse_day(text, "--start") == day


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-02-30", "--start: '2026-02-30' is not a date; write it like 2026-03-06"),
        ("06.03.2026", "--start: '06.03.2026' is not a date"),
        ("x" * 100, f"--start: '{'x' * 40}' is not a date"),
        ("1899-12-31", "--start: 1899-12-31 is outside the years 1900 to 2200"),
        ("2201-01-01", "--start: 2201-01-01 is outside the years 1900 to 2200"),
    ],
)
def test_another_day_is_refused_with_its_option(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        clock.parse_day(text, "--start")
    assert str(refused.value).startswith(message)
