"""What an origin may know beside its ticker's bars: the reference, the calendar and company reports. The laws hold with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from tests.forecast_builders import WITH_PRIORS, rows_of, sample, task_of, ten_sessions
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.forecasting.context import (
    Events,
    KnownReports,
    Reference,
    SessionDays,
    calendar_columns,
    known_reports,
    reference_levels,
    report_positions,
)
from tickercast.jobs.forecasting.prior import Member, fit_prior
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.forecasting.tasks import Prior, StackTask
from tickercast.jobs.runs.prior_plan import due_priors
from tickercast.jobs.runs.spans import session_days
from tickercast.rnn.context import CALENDAR_NAMES
from tickercast.storage.rows import FORECAST_NUMBERS

DAYS = ten_sessions()
LONG_AGO, FAR_AHEAD = np.datetime64("2000-01-01", "us"), np.datetime64("2030-01-01", "us")


def events(days: list[date], recorded_at: np.datetime64 = FAR_AHEAD) -> Events:
    """Return reports that were all recorded at one instant."""
    return Events(np.array(days, "datetime64[D]"), np.full(len(days), recorded_at))


def quarterly(last: date) -> list[date]:
    """Return eight report days, the last one given, 91 days apart."""
    return [last - timedelta(days=91 * i) for i in reversed(range(8))]


def known(reports: Events, origin: date = date(2024, 3, 4)) -> tuple[list[date], str]:
    """Return what the close of a Monday knows, with reports of the five sessions after it assumed."""
    found = known_reports(
        reports,
        LONG_AGO.astype("datetime64[D]"),
        np.datetime64(origin, "us") + np.timedelta64(21, "h"),
        np.datetime64(origin) + 7,
    )
    return found.day.tolist(), found.knowledge


def test_before_the_first_recording_reports_of_the_next_sessions_are_assumed_and_no_later_ones() -> None:
    days = [date(2023, 12, 1), date(2024, 3, 11), date(2024, 6, 3)]
    assert known(events(days)) == (days[:2], "assumed")


def test_after_the_first_recording_only_what_was_recorded_by_the_close_is_known() -> None:
    days = np.array(["2023-12-01", "2024-03-11", "2024-03-06"], "datetime64[D]")
    instants = np.array(["2023-11-01T00:00", "2024-03-04T21:00", "2024-03-04T21:01"], "datetime64[us]")
    assert known(Events(days, instants)) == ([date(2023, 12, 1), date(2024, 3, 11)], "recorded")


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(1, 2, date(2024, 3, 9)), (2, 1, date(2024, 3, 5)), (1, 1, date(2024, 3, 9))]
)
def test_of_two_dates_within_thirty_days_the_one_recorded_later_counts(first: int, second: int, expected: date) -> None:
    days = np.array(["2024-03-05", "2024-03-09"], "datetime64[D]")
    instants = np.array([f"2024-02-0{first}", f"2024-02-0{second}"], "datetime64[us]")
    assert known(Events(days, instants)) == ([expected], "recorded")


def test_a_date_that_is_not_known_yet_moves_no_known_one() -> None:
    """The later record of a pair within 30 days must not remove the earlier one before an origin may know it."""
    days = np.array(["2023-12-04", "2024-03-06", "2024-03-20"], "datetime64[D]")
    instants = np.array(["2030-01-01", "2030-01-01", "2030-01-02"], "datetime64[us]")
    assert known(Events(days, instants)) == ([date(2023, 12, 4), date(2024, 3, 6)], "assumed")


def test_where_the_newest_report_is_older_than_a_quarter_nothing_is_known() -> None:
    assert known(events([date(2023, 11, 1)])) == ([], "none")
    assert known(events([date(2023, 12, 1)])) == ([date(2023, 12, 1)], "assumed")


def test_a_report_on_a_day_without_a_session_counts_on_the_next_one() -> None:
    sessions = np.array(["2024-03-07", "2024-03-08", "2024-03-11"], "datetime64[D]")
    positions = report_positions(KnownReports(np.array(["2024-03-09"], "datetime64[D]"), "assumed"), sessions)
    assert positions is not None
    assert positions.tolist() == [2]


def test_the_reference_of_a_session_is_its_newest_close() -> None:
    days = np.array(["2024-03-07", "2024-03-08", "2024-03-11"], "datetime64[D]")
    levels = reference_levels(Reference(days[1:2], np.array([14.5])), days)
    assert np.array_equal(levels, [np.nan, 14.5, 14.5], equal_nan=True)


def test_a_reference_older_than_a_week_is_not_known() -> None:
    days = np.array(["2024-03-07", "2024-03-14", "2024-03-15"], "datetime64[D]")
    levels = reference_levels(Reference(days[:1], np.array([14.5])), days)
    assert np.array_equal(levels, [14.5, 14.5, np.nan], equal_nan=True)


def test_the_calendar_tells_of_short_sessions_the_last_week_of_december_and_weekends() -> None:
    days = session_days(exchange_calendar("XNYS"), date(2012, 12, 19), date(2012, 12, 24))
    columns = {name: column.tolist() for name, column in zip(CALENDAR_NAMES, calendar_columns(days).T, strict=True)}
    assert columns["next session short"] == [0, 0, 1, 0]  # 24 December 2012 closed at one
    assert columns["later short sessions"] == [1, 1, 0, 0]
    assert columns["next session in the last week of December"] == [0, 0, 1, 1]
    assert columns["share of sessions in it"] == pytest.approx([0.6, 0.8, 1.0, 0.8])
    assert not any(columns["share of weekend sessions"])
    crypto = session_days(exchange_calendar("24/7"), date(2024, 3, 7), date(2024, 3, 8))
    assert isinstance(crypto, SessionDays)
    assert calendar_columns(crypto)[:, -2:].tolist() == [[0, 0.4], [1, 0.4]]


@pytest.fixture(scope="module")
def task() -> StackTask:
    """One ticker with a prior, ten sessions."""
    calendar = exchange_calendar("XNYS")
    cutoff = next(day for day in DAYS if calendar.session_index(day) % 63 == 0)
    member = Member("IBM", "XNYS", sample("IBM"), "stock", events(quarterly(date(2012, 10, 16))))
    rows = fit_prior(next(due_priors(WITH_PRIORS, calendar, [cutoff], [member], {}))).checkpoint
    assert rows is not None
    return replace(task_of({"IBM": sample("IBM")}, DAYS[-1:], WITH_PRIORS), priors=(Prior(rows.model_id, cutoff, rows.content),))


def forecasts(task: StackTask, reports: Events | None = None, reference: Reference | None = None) -> list[dict[str, Any]]:
    tickers = tuple(replace(ticker, events=reports) for ticker in task.tickers)
    return rows_of(forecast_stack(replace(task, tickers=tickers, reference=reference)), 0)[0]


def vix(last: date, level: float = 20.0) -> Reference:
    days = exchange_calendar("XNYS").sessions
    days = days[(days >= np.datetime64("2011-01-03")) & (days <= np.datetime64(last))]
    return Reference(days, np.full(len(days), level))


def scales(rows: list[dict[str, Any]]) -> list[float]:
    return [numbers[FORECAST_NUMBERS.index("scale")] for row in rows for numbers in row["numbers"]]


def test_reports_beyond_the_assumed_sessions_change_no_byte(task: StackTask) -> None:
    origin = DAYS[-1]
    near, far = (exchange_calendar("XNYS").session_offset(origin, ahead) for ahead in (5, 6))
    past = quarterly(origin - timedelta(days=80))
    plain = forecasts(task, events(past))
    assert forecasts(task, events([*past, far, far + timedelta(days=90)])) == plain
    assert scales(forecasts(task, events([*past, near]))) != scales(plain)
    assert {row["context"] for row in plain} == {"assumed"}


def test_reports_recorded_after_the_close_change_no_byte(task: StackTask) -> None:
    past = quarterly(DAYS[-1] - timedelta(days=80))
    recorded = events(past, LONG_AGO)
    plain = forecasts(task, recorded)
    closed = np.datetime64(exchange_calendar("XNYS").close_at(DAYS[-1]).replace(tzinfo=None), "us")
    announced = np.datetime64(exchange_calendar("XNYS").session_offset(DAYS[-1], 2))

    def with_one(recorded_at: np.datetime64) -> Events:
        return Events(np.append(recorded.date, announced), np.append(recorded.recorded_at, recorded_at))

    assert forecasts(task, with_one(closed + 1)) == plain
    assert scales(forecasts(task, with_one(closed))) != scales(plain)
    assert {row["context"] for row in plain} == {"recorded"}


def test_the_reference_after_the_origin_changes_no_byte(task: StackTask) -> None:
    plain = forecasts(task, reference=vix(DAYS[-1]))
    later = vix(DAYS[-1] + timedelta(days=30))
    later.close[later.session > np.datetime64(DAYS[-1])] = 80.0
    assert forecasts(task, reference=later) == plain
    assert scales(forecasts(task, reference=vix(DAYS[-1], 25.0))) != scales(plain)


def test_without_reports_the_context_is_none_and_a_config_without_them_ignores_them(task: StackTask) -> None:
    plain = forecasts(task)
    assert {row["context"] for row in plain} == {"none"}
    off = replace(task, config=replace(task.config, events=False, reference="none"))
    reports = events(quarterly(DAYS[-1]))
    assert scales(forecasts(off, reports, vix(DAYS[-1]))) == scales(forecasts(off)) == scales(plain)


def test_a_fund_reads_no_company_reports(task: StackTask) -> None:
    fund = replace(task, tickers=tuple(replace(ticker, kind="fund") for ticker in task.tickers))
    rows = forecasts(fund, events(quarterly(DAYS[-1])))
    assert rows == forecasts(fund)
    assert {row["context"] for row in rows} == {"none"}
