"""Ticker status: every branch with both sides of its boundary, and the days until each retry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tickercast.jobs.prices.ticker_status import TickerStatus, is_fetched, status_after_answer, status_after_unknown

NOW = datetime(2024, 3, 4, 22, tzinfo=UTC)


def suspended(failures: int, days: int) -> TickerStatus:
    return TickerStatus("suspended", failures, NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("sessions_behind", "expected"),
    [
        (0, TickerStatus("active", 0, None)),
        (1, TickerStatus("quiet", 0, None)),
        (9, TickerStatus("quiet", 0, None)),
        (10, suspended(1, 1)),
        (11, suspended(1, 1)),
    ],
)
def test_a_live_ticker_is_active_then_quiet_then_suspended_at_ten_sessions(sessions_behind: int, expected: TickerStatus) -> None:
    status = status_after_answer(
        is_live=True, sessions_behind=sessions_behind, has_quarantine=False, before="active", failures=0, now=NOW
    )
    assert status == expected


@pytest.mark.parametrize("sessions_behind", [0, 9, 10, 500])
def test_a_ticker_from_files_is_active_however_old_its_file_is(sessions_behind: int) -> None:
    status = status_after_answer(
        is_live=False, sessions_behind=sessions_behind, has_quarantine=False, before="suspended", failures=3, now=NOW
    )
    assert status == TickerStatus("active", 0, None)


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("sessions_behind", [0, 1, 10])
@pytest.mark.parametrize("before", ["active", "quiet", "suspended"])
def test_a_quarantined_bar_outweighs_everything_else(is_live: bool, sessions_behind: int, before: str) -> None:
    status = status_after_answer(
        is_live=is_live, sessions_behind=sessions_behind, has_quarantine=True, before=before, failures=4, now=NOW
    )
    assert status == TickerStatus("held", 0, None)


@pytest.mark.parametrize(("failures", "days"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (6, 30), (40, 30)])
def test_a_suspended_ticker_that_stays_silent_is_retried_after_twice_as_many_days_up_to_thirty(failures: int, days: int) -> None:
    status = status_after_answer(
        is_live=True, sessions_behind=12, has_quarantine=False, before="suspended", failures=failures, now=NOW
    )
    assert status == suspended(failures + 1, days)


@pytest.mark.parametrize("before", ["active", "quiet", "held", "too_short"])
def test_failures_before_a_suspension_do_not_lengthen_its_first_retry(before: str) -> None:
    status = status_after_answer(is_live=True, sessions_behind=10, has_quarantine=False, before=before, failures=2, now=NOW)
    assert status == suspended(1, 1)


def test_a_suspended_ticker_with_new_bars_is_quiet_or_active_again() -> None:
    common = {"is_live": True, "has_quarantine": False, "before": "suspended", "failures": 7, "now": NOW}
    assert status_after_answer(sessions_behind=9, **common) == TickerStatus("quiet", 0, None)
    assert status_after_answer(sessions_behind=0, **common) == TickerStatus("active", 0, None)


@pytest.mark.parametrize(
    ("failures", "sessions_behind", "expected"),
    [
        (0, 0, TickerStatus("quiet", 1, None)),
        (1, 0, TickerStatus("quiet", 2, None)),
        (2, 0, suspended(1, 1)),
        (3, 0, suspended(1, 1)),
        (0, 9, TickerStatus("quiet", 1, None)),
        (0, 10, suspended(1, 1)),
    ],
)
def test_an_unknown_ticker_is_suspended_the_third_time_or_ten_sessions_behind(
    failures: int, sessions_behind: int, expected: TickerStatus
) -> None:
    assert status_after_unknown(sessions_behind=sessions_behind, before="quiet", failures=failures, now=NOW) == expected


@pytest.mark.parametrize(("failures", "days"), [(0, 1), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (6, 30)])
def test_a_suspended_ticker_that_stays_unknown_is_retried_less_and_less_often(failures: int, days: int) -> None:
    status = status_after_unknown(sessions_behind=0, before="suspended", failures=failures, now=NOW)
    assert status == suspended(failures + 1, days)


@pytest.mark.parametrize(
    ("status", "retry_in", "expected"),
    [
        ("active", None, True),
        ("quiet", None, True),
        ("held", timedelta(days=1), True),
        ("suspended", None, True),
        ("suspended", timedelta(seconds=1), False),
        ("suspended", timedelta(0), True),
        ("suspended", timedelta(days=-1), True),
    ],
)
def test_only_a_suspended_ticker_waits_and_only_until_its_retry(status: str, retry_in: timedelta | None, expected: bool) -> None:
    assert is_fetched(status, NOW + retry_in if retry_in is not None else None, NOW) is expected
