"""A universe's prior: its members are those that the settings name, whoever is tracked, was first, or failed today."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.forecast_builders import hash_of, sample, ten_sessions, ticker_rows
from tests.price_builders import write_csv
from tickercast.jobs.analysis.views import upgrade_notices
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.forecasting import prior
from tickercast.jobs.forecasting.density_model import _most_steps, train_pooled
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home, open_home
from tickercast.rnn.training import Training
from tickercast.storage.database import open_writer, reading
from tickercast.storage.verify import find_problems

pytestmark = pytest.mark.slow

FEW = ("AAPL", "GOOG", "IBM", "MSFT")
UNIVERSE = (
    '[model]\nhistory_sessions = 260\nprior = "universe"\n[prior]\nuniverse = ["AAPL", "GOOG", "MSFT"]\n'
    "[training]\nprior_every = 63\nprior_sessions = 400\nprior_steps = 2\ntune_epochs = 1\n"
)
LAST = ten_sessions()[-1]
Make = Callable[[str, str], Home]


def feed_of(folder: Path, *tickers: str, until: date = LAST, count: int = 800) -> str:
    """Write some tickers' newest bars up to a day as files, and return the source settings of their folder."""
    for ticker in tickers:
        bars = sample(ticker)
        write_csv(folder, ticker, bars.select(bars.session <= np.datetime64(until)).select(slice(-count, None)))
    return f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n'


def backfilled(home: Home, *tickers: str, days: list[date] | None = None) -> str:
    engine, span = open_writer(home.database), days or ten_sessions()
    try:
        return backfill_span(home, engine, BackfillRequest(tickers, span[0], span[-1], workers=1))
    finally:
        engine.dispose()


def run_on(home: Home, day: date, *new: str) -> str:
    """Track some tickers, then do the daily run of a day."""
    engine = open_writer(home.database)
    try:
        if new:
            track(home, engine, new)
        return run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    finally:
        engine.dispose()


def rows(home: Home, query: str) -> list[tuple[Any, ...]]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_members_are_the_named_tickers_which_are_stored_and_not_forecast(make_home: Make, tmp_path: Path) -> None:
    feed = feed_of(tmp_path / "feed", *FEW)
    alone, pair = make_home("alone", feed + UNIVERSE), make_home("pair", feed + UNIVERSE)
    told = backfilled(alone, "IBM")
    backfilled(pair, "IBM", "MSFT")
    assert "prior: universe of 3, 3 with enough bars" in told
    assert rows(alone, "SELECT DISTINCT ticker FROM forecast_history") == [("IBM",)]
    assert rows(alone, "SELECT symbol, tracked FROM tickers ORDER BY 1") == [(ticker, 0) for ticker in FEW]
    assert rows(alone, "SELECT DISTINCT kind, family, members FROM prior") == [("universe", "XNYS", "AAPL,GOOG,MSFT")]
    assert ticker_rows(alone, "IBM") == ticker_rows(pair, "IBM")


def test_a_ticker_that_is_tracked_later_changes_no_chain_of_another(make_home: Make, tmp_path: Path) -> None:
    days = ten_sessions()
    feed = feed_of(tmp_path / "feed", *FEW)
    alone, joined = make_home("alone", feed + UNIVERSE), make_home("joined", feed + UNIVERSE)
    for i, day in enumerate(days):
        run_on(alone, day, "IBM")
        run_on(joined, day, "IBM", *(["MSFT"] if i > 2 else []))
    assert ticker_rows(alone, "IBM") == ticker_rows(joined, "IBM")


def test_stored_bars_serve_where_a_member_fails_on_the_day_of_the_fit(make_home: Make, tmp_path: Path) -> None:
    days = ten_sessions()
    daily = make_home("daily", feed_of(tmp_path / "feed", *FEW) + UNIVERSE)
    once = make_home("once", feed_of(tmp_path / "whole", *FEW) + UNIVERSE)
    for day in days:
        (tmp_path / "feed" / "GOOG.csv").unlink(missing_ok=True)
        if day != days[5]:  # the fixed cold start, on which the prior is fitted
            feed_of(tmp_path / "feed", "GOOG", until=day)
        run_on(daily, day, "IBM")
    backfilled(once, "IBM")
    assert hash_of(daily) == hash_of(once)
    assert rows(daily, "SELECT member_count FROM prior") == [(3,), (3,)]


def test_no_prior_is_fitted_before_a_member_that_does_not_answer_has_bars(make_home: Make, tmp_path: Path) -> None:
    day = ten_sessions()[-1]
    home = make_home("home", feed_of(tmp_path / "feed", "IBM", "AAPL", "MSFT") + UNIVERSE)
    feed_of(tmp_path / "other", "GOOG")
    engine = open_writer(home.database)
    track(home, engine, ["GOOG"], source=f"folder:{tmp_path / 'other'}", adjustment="as_traded")
    engine.dispose()
    (tmp_path / "other").rename(tmp_path / "moved")
    with pytest.raises(SomeTickersFailed, match="IBM: no forecast before GOOG of the universe has bars"):
        backfilled(home, "IBM", days=[day])
    assert rows(home, "SELECT count(*) FROM forecasts") == rows(home, "SELECT count(*) FROM priors") == [(0,)]
    (tmp_path / "moved").rename(tmp_path / "other")
    assert "universe of 3, 3 with enough bars" in backfilled(home, "IBM", days=[day])


def test_a_member_that_its_source_does_not_have_is_left_out_and_named(make_home: Make, tmp_path: Path) -> None:
    home = make_home("home", feed_of(tmp_path / "feed", "IBM", "AAPL", "MSFT") + UNIVERSE)
    told = backfilled(home, "IBM", days=ten_sessions()[-1:])
    assert "universe of 3, 2 with enough bars" in told
    assert "GOOG of the universe has no bars" in told


def test_without_members_with_enough_bars_cold_starts_begin_from_scratch(make_home: Make, tmp_path: Path) -> None:
    home = make_home("home", feed_of(tmp_path / "feed", *FEW, count=290) + UNIVERSE)
    assert "universe of 3, no prior: cold starts begin from scratch" in backfilled(home, "IBM", days=ten_sessions()[-1:])


def test_a_prior_that_diverged_is_stored_and_fitted_once(
    make_home: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*arguments: Any) -> tuple[Training, str]:
        training, features = train_pooled(*arguments)
        return replace(training, faults=("the loss is not finite",)), features

    monkeypatch.setattr(prior, "train_pooled", diverge)
    days = ten_sessions()
    home = make_home("home", feed_of(tmp_path / "feed", *FEW) + UNIVERSE)
    told = [backfilled(home, "IBM", days=days[i : i + 2]) for i in (6, 8)]
    assert rows(home, "SELECT kind, diverged, member_count FROM prior") == [("universe", 1, 3)]
    assert rows(home, "SELECT count(*) FROM event WHERE message LIKE '%universe prior of XNYS diverged%'") == [(1,)]
    assert all("no prior: cold starts begin from scratch" in line for line in told)
    with reading(home.database) as connection:
        assert find_problems(connection, home.prices) == []


def test_a_home_with_priors_of_runs_keeps_them_and_says_once_that_new_forecasts_have_another(
    make_home: Make, tmp_path: Path
) -> None:
    days = ten_sessions()
    feed = feed_of(tmp_path / "feed", *FEW)
    home = make_home("home", feed + UNIVERSE)
    backfilled(home, "IBM", days=days[:3])
    engine = open_writer(home.database)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE priors SET kind = 'run'")
    engine.dispose()
    (home.folder / "tickercast.toml").write_text(feed + "[model]\nhistory_sessions = 260\n[training]\ncold_epochs = 1\n")
    home = open_home(home.folder)
    backfilled(home, "IBM", days=days[:3])
    [notice] = upgrade_notices(home.database)
    assert notice.startswith(f"new forecasts have config {home.settings.config().id}, whose prior is bundled")
    assert rows(home, "SELECT count(DISTINCT config), count(*) FROM forecast_history") == [(2, 30)]
    assert rows(home, "SELECT kind FROM prior") == [("run",)]
    backfilled(home, "IBM", days=days[:4])
    assert upgrade_notices(home.database) == []


@pytest.mark.parametrize(("sessions", "steps"), [(3_000, 60), (24_000, 100), (10_000_000, 41_666)])
def test_a_fit_on_few_histories_makes_fewer_steps(sessions: int, steps: int) -> None:
    """20 passes over windows of 75 sessions that count, 64 in a step: 24,000 x 20 / 4,800 = 100."""
    assert _most_steps(sessions) == steps
