"""The three laws: daily = backfill, no future, no neighbours. Bytes are compared, by content hash or row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.forecast_builders import (
    SMALL,
    SMALL_SETTINGS,
    day_by_day,
    hash_of,
    in_one_go,
    rows_of,
    sample,
    scrambled_after,
    task_of,
    ten_sessions,
)
from tests.price_builders import write_csv
from tickercast.jobs.forecasting.stack import forecast_stack
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.storage.bars import Bars, adjusted
from tickercast.storage.database import open_writer, reading
from tickercast.storage.queries import read_view
from tickercast.storage.verify import content_hash, find_problems

pytestmark = pytest.mark.slow

Make = Callable[[str, str], Home]


def test_ten_days_run_one_by_one_leave_the_record_of_one_backfill(make_home: Make) -> None:
    days = ten_sessions()
    assert hash_of(day_by_day(make_home("daily", SMALL_SETTINGS), days)) == hash_of(
        in_one_go(make_home("once", SMALL_SETTINGS), days)
    )


def test_daily_runs_on_a_server_leave_the_record_of_a_backfill_in_a_file(make_home: Make, make_server_home: Make) -> None:
    days = ten_sessions()
    server, file = (
        day_by_day(make_server_home("server", SMALL_SETTINGS), days),
        in_one_go(make_home("file", SMALL_SETTINGS), days),
    )
    assert hash_of(server) == hash_of(file)


@pytest.mark.parametrize(
    "model",
    [
        'cell = "gru"\nlayers = 2\n[training]\ncold_epochs = 4\npatience = 1\noptimizer = "adamw"\n',
        'cell = "lstm"\n[training]\ncold_epochs = 3\nschedule = "half_cosine"\ntruncation = 30\n',
        'cell = "elman_relu"\n[training]\ncold_epochs = 3\noptimizer = "sgd"\nlearning_rate = 0.01\n',
    ],
)
def test_daily_is_backfill_for_other_cells_and_trainings(make_home: Make, model: str) -> None:
    days = ten_sessions()[3:8]
    settings = f'[source]\nkind = "sample"\n[model]\nhistory_sessions = 260\nhidden = 8\n{model}'
    daily, once = day_by_day(make_home("daily", settings), days), in_one_go(make_home("once", settings), days)
    assert hash_of(daily) == hash_of(once)


def test_a_backfill_in_two_parts_leaves_the_record_of_one(make_home: Make) -> None:
    days = ten_sessions()
    parts = in_one_go(in_one_go(make_home("parts", SMALL_SETTINGS), days[:4]), days)
    assert hash_of(parts) == hash_of(in_one_go(make_home("once", SMALL_SETTINGS), days))


def test_another_span_has_another_hash(make_home: Make) -> None:
    days = ten_sessions()
    assert hash_of(in_one_go(make_home("a", SMALL_SETTINGS), days)) != hash_of(
        in_one_go(make_home("b", SMALL_SETTINGS), days[:9])
    )


@pytest.mark.both_records
def test_a_rerun_adds_no_rows_and_the_record_verifies(make_home: Make) -> None:
    days = ten_sessions()
    home = in_one_go(make_home("again", SMALL_SETTINGS), days)
    before = hash_of(home)
    in_one_go(home, days)
    with reading(home.database) as connection:
        assert (content_hash(connection), find_problems(connection, home.prices)) == (before, [])


@pytest.mark.parametrize("field", ["close", "open"])
def test_bars_after_the_origin_do_not_change_the_forecast(field: str) -> None:
    days = ten_sessions()
    config = replace(SMALL, field=field)
    bars = sample("AAPL")
    other = scrambled_after(bars, days[-1], np.random.default_rng(0))
    assert not np.array_equal(bars.close, other.close)
    ours, theirs = (forecast_stack(task_of({"AAPL": b}, days, config)) for b in (bars, other))
    assert rows_of(ours, 0) == rows_of(theirs, 0)


def test_a_bar_of_the_origin_itself_does_change_the_forecast() -> None:
    days = ten_sessions()
    bars = sample("AAPL")
    other = scrambled_after(bars, days[-2], np.random.default_rng(0))
    ours, theirs = (forecast_stack(task_of({"AAPL": b}, days)) for b in (bars, other))
    assert rows_of(ours, 0) != rows_of(theirs, 0)


def shifted(bars: Bars, by: int) -> Bars:
    """Return another ticker's bars: the values of `by` sessions earlier on the same days."""
    moved = {f.name: np.roll(getattr(bars, f.name), by) for f in fields(Bars)}
    return replace(Bars(**moved), session=bars.session).select(slice(by, len(bars)))


def test_a_ticker_alone_has_the_bytes_it_has_in_a_stack_of_twenty() -> None:
    days = ten_sessions()
    bars = sample("IBM")
    stack = {f"T{i}": shifted(bars, 7 * i) for i in range(1, 20)} | {"IBM": bars}
    together = forecast_stack(task_of(stack, days))
    alone = forecast_stack(task_of({"IBM": bars}, days))
    assert rows_of(alone, 0) == rows_of(together, 19)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_ticker_alone_has_the_bytes_it_has_in_a_stack_whatever_the_cell(cell: str) -> None:
    days, config = ten_sessions()[3:7], replace(SMALL, cell=cell, layers=2, patience=2)
    bars = sample("IBM")
    stack = {f"T{i}": shifted(bars, 7 * i) for i in range(1, 6)} | {"IBM": bars}
    assert rows_of(forecast_stack(task_of({"IBM": bars}, days, config)), 0) == rows_of(
        forecast_stack(task_of(stack, days, config)), 5
    )


def test_another_process_has_the_same_bytes_whatever_the_threads_outside(tmp_path: Path, tickercast: Command) -> None:
    span = ("AAPL", "IBM", "--source", "sample", "--start", "2013-02-20", "--end", "2013-02-26", "--workers", 1)
    for threads in ("1", "8"):
        assert tickercast("--home", threads, "backfill", *span, OPENBLAS_NUM_THREADS=threads).returncode == 0
    assert len({hash_of(open_home(tmp_path / threads)) for threads in ("1", "8")}) == 1


def test_two_workers_leave_the_record_of_one(make_home: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKERCAST_COMPUTE__STACK", "2")
    days = ten_sessions()
    one = in_one_go(make_home("one", SMALL_SETTINGS), days)
    monkeypatch.setenv("TICKERCAST_COMPUTE__STACK", "1")
    two = in_one_go(make_home("two", SMALL_SETTINGS), days, workers=2)
    assert hash_of(one) == hash_of(two)


def test_a_target_is_scored_when_a_later_session_is_known_and_not_before(make_home: Make) -> None:
    days = ten_sessions()
    home = in_one_go(make_home("scored", SMALL_SETTINGS), days)
    with reading(home.database) as connection:
        scored = read_view(connection, "scored_forecast", ["IBM"])
        made = read_view(connection, "forecast_history", ["IBM"])
    target, last = scored.columns.index("target"), days[-1].isoformat()
    due = [row for row in made.rows if row[made.columns.index("target")] < last]
    assert max(row[target] for row in scored.rows) == days[-2].isoformat()
    assert len(scored.rows) == len(due) > 0


def test_a_realised_return_is_that_of_the_adjusted_closes(make_home: Make) -> None:
    days = ten_sessions()
    home = in_one_go(make_home("realised", SMALL_SETTINGS), days)
    with reading(home.database) as connection:
        answer = read_view(connection, "scored_forecast", ["MSFT"])
    row = dict(zip(answer.columns, answer.rows[-1], strict=True))
    bars = adjusted(SampleSource().fetch("MSFT", None).bars)
    close = {day.isoformat(): price for day, price in zip(bars.session.tolist(), bars.close, strict=True)}
    assert row["realised_return"] == pytest.approx(np.log(close[row["target"]] / close[row["origin"]]), abs=1e-12)


def test_a_restated_bar_makes_the_next_start_cold(make_home: Make, tmp_path: Path) -> None:
    bars = SampleSource().fetch("IBM", None).bars
    days = ten_sessions()
    write_csv(tmp_path / "csv", "IBM", bars)
    folder = f'[source]\nkind = "folder"\npath = "{tmp_path / "csv"}"\nadjustment = "as_traded"\n'
    home = make_home("restated", SMALL_SETTINGS.replace('[source]\nkind = "sample"\n', folder))
    engine = open_writer(home.database)
    track(home, engine, ["IBM"])
    for day in days[:2]:
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    changed = bars.close.copy()
    place = np.searchsorted(bars.session, np.datetime64(days[0]))
    changed[place] = 0.3 * bars.high[place] + 0.7 * bars.low[place]
    write_csv(tmp_path / "csv", "IBM", replace(bars, close=changed))
    run_once(home, engine, now=datetime.combine(days[2], time(23), UTC), workers=1)
    engine.dispose()
    with reading(home.database) as connection:
        reasons = [row[5] for row in sorted(read_view(connection, "model_lineage", ["IBM"]).rows, key=lambda row: row[2])]
        restated = read_view(connection, "restatement", ["IBM"]).rows
    assert reasons == ["first origin", "warm", "restatement"]
    assert [(row[1], row[2], row[6]) for row in restated] == [(days[0].isoformat(), "close", 10)]


@pytest.mark.both_records
def test_a_restated_target_is_scored_again_as_a_further_revision(make_home: Make, tmp_path: Path) -> None:
    bars, days = SampleSource().fetch("IBM", None).bars, ten_sessions()
    close = bars.close.copy()
    folder = tmp_path / "csv"
    write_csv(folder, "IBM", bars)
    source = f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n'
    home = make_home("revised", SMALL_SETTINGS.replace('[source]\nkind = "sample"\n', source))
    engine = open_writer(home.database)
    track(home, engine, ["IBM"])
    for day in days[:5]:
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    place = int(np.searchsorted(bars.session, np.datetime64(days[2])))
    close[place] = 0.3 * bars.high[place] + 0.7 * bars.low[place]
    write_csv(folder, "IBM", replace(bars, close=close))
    run_once(home, engine, now=datetime.combine(days[5], time(23), UTC), workers=1)
    with reading(home.database) as connection:
        rows = connection.exec_driver_sql(
            "SELECT o.origin, s.horizon, f.target, s.realised_return FROM scores s "
            "JOIN forecasts f USING (origin_id, horizon) JOIN origins o ON o.id = s.origin_id WHERE s.revision = 1 ORDER BY 1, 2"
        ).fetchall()
        shown = read_view(connection, "scored_forecast")
    revised = {(row[0], row[2]) for row in rows}
    # Only spans that begin or end at the restated close have another return.
    moved = days[2].isoformat()
    assert revised == {(o, t) for o, t in revised if moved in (o, t)}
    assert {(days[0].isoformat(), moved), (days[1].isoformat(), moved), (moved, days[3].isoformat())} <= revised
    assert rows[0][3] == pytest.approx(np.log(close[place] / close[place - 2]), abs=1e-12)
    assert {row[shown.columns.index("revision")] for row in shown.rows} == {0}
    count = len(rows)
    run_once(home, engine, now=datetime.combine(days[6], time(23), UTC), workers=1)
    engine.dispose()
    with reading(home.database) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM scores WHERE revision > 0").scalar() == count


def test_scores_of_ended_tickers_do_not_depend_on_neighbours_or_workers(make_home: Make, tmp_path: Path) -> None:
    days, feed = ten_sessions(), tmp_path / "feed"
    for i in range(6):
        bars = shifted(sample("IBM"), 5 * i)
        write_csv(feed, f"T{i:02}", bars if i % 2 else bars.through(days[3 + i // 2]))
    source = f'[source]\nkind = "folder"\npath = "{feed}"\nadjustment = "split"\n'
    settings = f"{source}[training]\ncold_epochs = 2\nprior_every = 0\n[model]\nhistory_sessions = 260\n"
    names = tuple(f"T{i:02}" for i in range(6))

    def scores(name: str, *, workers: int, groups: list[tuple[str, ...]]) -> list[tuple[object, ...]]:
        home = make_home(name, settings)
        engine = open_writer(home.database)
        for group in groups:
            backfill_span(home, engine, BackfillRequest(group, days[0], days[-1], workers=workers))
        engine.dispose()
        with reading(home.database) as connection:
            query = (
                "SELECT t.key, o.origin, s.* FROM scores s JOIN origins o ON o.id = s.origin_id "
                "JOIN tickers t ON t.id = o.ticker_id ORDER BY 1, 2, s.horizon"
            )
            return [(*row[:2], *row[3:]) for row in connection.exec_driver_sql(query)]

    together = scores("one", workers=1, groups=[names])
    assert {row[0] for row in together} == set(names)
    assert scores("two", workers=2, groups=[names]) == together
    assert scores("alone", workers=1, groups=[(name,) for name in reversed(names)]) == together
