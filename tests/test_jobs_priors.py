"""The pooled prior: it knows nothing of its session or after, whoever else is there; new tickers start from it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.forecast_builders import (
    PRIOR_SETTINGS,
    WITH_PRIORS,
    day_by_day,
    hash_of,
    in_one_go,
    rows_of,
    sample,
    scrambled_after,
    task_of,
    ten_sessions,
)
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.forecasting.prior import Member, PriorTask, fit_prior
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.forecasting.tasks import Parent, Prior, StackResult
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.prior_plan import due_priors
from tickercast.jobs.workspace.home import Home
from tickercast.rnn.checkpoints import state_from_bytes, state_to_bytes
from tickercast.rnn.params import weights_of
from tickercast.storage.database import open_writer, reading
from tickercast.storage.queries import read_view
from tickercast.storage.verify import find_problems

pytestmark = pytest.mark.slow


def refresh_day() -> date:
    """Return the session among the ten on which a prior is fitted anew."""
    calendar = exchange_calendar("XNYS")
    return next(day for day in ten_sessions() if calendar.session_index(day) % 63 == 0)


def task_with(*members: Member) -> PriorTask:
    return next(due_priors(WITH_PRIORS, exchange_calendar("XNYS"), [refresh_day()], members, {}))


def test_a_prior_knows_closes_before_its_session_alone() -> None:
    before = exchange_calendar("XNYS").session_offset(refresh_day(), -1)
    bars = sample("IBM")
    plain = fit_prior(task_with(Member("IBM", "XNYS", bars), Member("MSFT", "XNYS", sample("MSFT"))))
    later = scrambled_after(bars, before, np.random.default_rng(0))
    same = fit_prior(task_with(Member("IBM", "XNYS", later), Member("MSFT", "XNYS", sample("MSFT"))))
    earlier = scrambled_after(bars, exchange_calendar("XNYS").session_offset(before, -1), np.random.default_rng(0))
    other = fit_prior(task_with(Member("IBM", "XNYS", earlier), Member("MSFT", "XNYS", sample("MSFT"))))
    assert plain.checkpoint == same.checkpoint
    assert plain.members == same.members
    assert plain.checkpoint != other.checkpoint
    assert max(row.last_session for row in plain.members) == before


def test_before_is_the_instant_of_the_close_not_the_date() -> None:
    """At New York's close of a day Tokyo's session of that day is over; at Tokyo's close New York's has not begun."""
    days = exchange_calendar("XNYS").sessions
    bars = sample("IBM")
    # Days on which both exchanges trade; for Tokyo's calendar the bars stand for a Japanese ticker's.
    both = bars.select(np.isin(bars.session, exchange_calendar("XTKS").sessions) & np.isin(bars.session, days))
    new_york = task_with(Member("IBM", "XNYS", bars), Member("7203.T", "XTKS", both))
    last = {member.key: member.bars.session[-1] for member in new_york.members}
    assert last["7203.T"] == last["IBM"]
    calendar = exchange_calendar("XTKS")
    session = calendar.session_at(calendar.session_index(date(2012, 9, 12)) // 63 * 63)
    tokyo = next(due_priors(WITH_PRIORS, calendar, [session], [Member("IBM", "XNYS", bars), Member("7203.T", "XTKS", both)], {}))
    last = {member.key: member.bars.session[-1] for member in tokyo.members}
    assert last["IBM"] < last["7203.T"] < np.datetime64(session)


def test_daily_is_backfill_through_the_fit_of_a_prior(make_home: Callable[[str, str], Home]) -> None:
    days = ten_sessions()
    daily, backfill = (
        day_by_day(make_home("daily", PRIOR_SETTINGS), days),
        in_one_go(make_home("backfill", PRIOR_SETTINGS), days, workers=2),
    )
    assert hash_of(daily) == hash_of(backfill)
    with reading(daily.database) as connection:
        lineage = read_view(connection, "model_lineage")
        problems = find_problems(connection, daily.prices)
        serving = connection.exec_driver_sql("SELECT count(DISTINCT prior_number) FROM models WHERE role = 'chain'").scalar()
    roles = [row[lineage.columns.index("role")] for row in lineage.rows]
    assert (roles.count("prior"), serving, problems) == (2, 2, [])


def test_a_ticker_with_its_prior_has_the_bytes_it_has_among_others() -> None:
    days = ten_sessions()
    rows = fit_prior(task_with(Member("IBM", "XNYS", sample("IBM")), Member("MSFT", "XNYS", sample("MSFT")))).checkpoint
    assert rows is not None
    prior = Prior(rows.model_id, refresh_day(), rows.content)
    tasks = (
        task_of({"IBM": sample("IBM")}, days, WITH_PRIORS),
        task_of({"AAPL": sample("AAPL"), "IBM": sample("IBM")}, days, WITH_PRIORS),
    )
    alone, together = (forecast_stack(replace(task, priors=(prior,))) for task in tasks)
    assert rows_of(alone, 0) == rows_of(together, 1)
    assert {row.prior_id for row in alone.models if row.origin >= refresh_day()} == {prior.model_id}
    without = forecast_stack(tasks[0])
    assert rows_of(without, 0)[0] != rows_of(alone, 0)[0]


def test_a_short_ticker_starts_from_the_prior_of_the_others_at_once(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("short", PRIOR_SETTINGS)
    engine = open_writer(home.database)
    first = SampleSource().fetch("FB", None).bars.session[129].item()  # its 130th bar
    backfill_span(home, engine, BackfillRequest(("FB", "IBM", "MSFT"), first, first, source="sample", workers=1))
    engine.dispose()
    with reading(home.database) as connection:
        rows = connection.exec_driver_sql(
            "SELECT t.symbol, m.epochs, p.role FROM models m "
            "JOIN tickers t ON t.id = m.ticker_id JOIN models p ON p.number = m.prior_number"
        ).fetchall()
        members = connection.exec_driver_sql("SELECT member FROM prior_members ORDER BY 1").fetchall()
    assert sorted(rows) == [("FB", 1, "prior"), ("IBM", 1, "prior"), ("MSFT", 1, "prior")]
    assert members == [("AAPL",), ("IBM",), ("MSFT",)]


def test_a_rerun_fits_no_prior_again(make_home: Callable[[str, str], Home]) -> None:
    home = make_home("again", PRIOR_SETTINGS)
    days = ten_sessions()
    in_one_go(home, days[:5])
    before = hash_of(home)
    in_one_go(home, days[:5])
    assert hash_of(home) == before


@pytest.mark.parametrize("bars", [100, 299])
def test_members_with_few_bars_make_no_prior(bars: int) -> None:
    few = sample("IBM").select(sample("IBM").session < np.datetime64(refresh_day())).select(slice(-bars, None))
    assert list(due_priors(WITH_PRIORS, exchange_calendar("XNYS"), [refresh_day()], [Member("IBM", "XNYS", few)], {})) == []


def test_twins_change_no_forecast_and_measure_every_warm_start(make_home: Callable[[str, str], Home]) -> None:
    days = ten_sessions()
    plain = in_one_go(make_home("plain", PRIOR_SETTINGS), days)
    home = make_home("twins", PRIOR_SETTINGS)
    engine = open_writer(home.database)
    request = BackfillRequest(("AAPL", "IBM", "MSFT"), days[0], days[-1], source="sample", workers=1, with_twins=True)
    told = backfill_span(home, engine, request)
    engine.dispose()
    assert "than cold twins in CRPS one session ahead" in told

    def forecasts(of: Home) -> list[tuple[object, ...]]:
        with reading(of.database) as connection:
            query = "SELECT ticker, origin, horizon, location, scale, dof, model_id FROM forecast_history ORDER BY 1, 2, 3"
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    assert forecasts(home) == forecasts(plain)
    with reading(home.database) as connection:
        warm, twins, scored = connection.exec_driver_sql(
            "SELECT (SELECT count(*) FROM models WHERE start = 'warm'), (SELECT count(*) FROM models WHERE role = 'twin'), "
            "(SELECT count(*) FROM baseline_forecasts WHERE crps > 0)"
        ).fetchone()  # type: ignore[misc]
        view = read_view(connection, "warm_start")
        problems = find_problems(connection, home.prices)
    assert (twins, problems) == (warm, [])
    assert scored > 0
    assert sum(row[view.columns.index("n")] for row in view.rows) == scored


def test_a_chain_that_fell_behind_the_baseline_starts_anew_and_its_neighbour_does_not() -> None:
    days = ten_sessions()
    first = forecast_stack(task_of({"AAPL": sample("AAPL"), "IBM": sample("IBM")}, days[:1], WITH_PRIORS))
    parents = dict(first.parents)
    state, meta = state_from_bytes(parents[1].checkpoint)
    weights_of(state.params, state.shape).output_bias[..., :5] = 3.0  # scales seven times too wide
    poisoned = {**parents, 1: replace(parents[1], checkpoint=state_to_bytes(state, meta))}
    task = task_of({"AAPL": sample("AAPL"), "IBM": sample("IBM")}, days[1:3], WITH_PRIORS)

    def with_parents(links: dict[int, Parent]) -> StackResult:
        return forecast_stack(replace(task, tickers=tuple(replace(t, parent=links[t.ticker_id]) for t in task.tickers)))

    ours, sound = with_parents(poisoned), with_parents(parents)
    reasons = {(row.ticker_id, row.origin): row.reason for row in ours.models}
    assert reasons == {(0, days[1]): "warm", (1, days[1]): "drift", (0, days[2]): "warm", (1, days[2]): "warm"}
    assert rows_of(ours, 0) == rows_of(sound, 0)
    assert {row.reason for row in sound.models} == {"warm"}


def test_a_chain_starts_anew_on_command_at_its_first_session_alone(make_home: Callable[[str, str], Home]) -> None:
    home, days = make_home("command", PRIOR_SETTINGS), ten_sessions()
    in_one_go(home, days[:3])
    engine = open_writer(home.database)
    request = BackfillRequest(("AAPL", "IBM"), days[3], days[4], source="sample", workers=1, force_cold=True)
    backfill_span(home, engine, request)
    engine.dispose()
    with reading(home.database) as connection:
        lineage = read_view(connection, "model_lineage", ["IBM"])
        problems = find_problems(connection, home.prices)
    place = {name: i for i, name in enumerate(lineage.columns)}
    reasons = {row[place["origin"]]: row[place["reason"]] for row in lineage.rows}
    assert [reasons[day.isoformat()] for day in days[:5]] == ["first origin", "warm", "warm", "command", "warm"]
    assert problems == []


def test_on_command_a_new_chain_starts_cold_once_not_twice(make_home: Callable[[str, str], Home]) -> None:
    home, days = make_home("new", PRIOR_SETTINGS), ten_sessions()
    engine = open_writer(home.database)
    backfill_span(home, engine, BackfillRequest(("IBM",), days[0], days[2], source="sample", workers=1, force_cold=True))
    engine.dispose()
    with reading(home.database) as connection:
        lineage = read_view(connection, "model_lineage", ["IBM"])
    reasons = sorted((row[lineage.columns.index("origin")], row[lineage.columns.index("reason")]) for row in lineage.rows)
    assert [reason for _, reason in reasons] == ["first origin", "warm", "warm"]
