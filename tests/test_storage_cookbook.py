"""The cookbook: each query runs on a real record, and the figures of some are computed a second time with pandas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.forecast_builders import SMALL_SETTINGS, TICKERS, sample
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import create_home
from tickercast.storage.cookbook import COOKBOOK, Recipe
from tickercast.storage.database import open_writer, upgrade_database

pytestmark = pytest.mark.slow

# Questions about what did not happen in this record.
EMPTY = {
    "When was the value at risk exceeded?",
    "Which bars are quarantined or refused?",
    "Which stored prices did the source change later, and how many forecasts had used them?",
    "Which runs failed, and for which tickers?",
    "What happened lately that somebody should know about?",
}
LONGEST_QUERY = 5  # lines


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database of three tickers' forecasts from ten sessions of the sample."""
    folder = tmp_path_factory.mktemp("cookbook")
    (folder / "tickercast.toml").write_text(SMALL_SETTINGS)
    home = create_home(folder)
    upgrade_database(home.database)
    engine = open_writer(home.database)
    backfill_span(home, engine, BackfillRequest(TICKERS, last_sessions()[0], source="sample", workers=1))
    engine.dispose()
    return home.database


def last_sessions() -> list[date]:
    """Return the last ten sessions of the sample."""
    days: list[date] = sample("AAPL").session[-10:].tolist()
    return days


def answer(database: Path, question: str) -> pd.DataFrame:
    """Return the answer to a question of the cookbook."""
    query = next(recipe.query for recipe in COOKBOOK if recipe.question.startswith(question))
    with closing(sqlite3.connect(database)) as connection:
        return pd.read_sql_query(query, connection)


def test_the_cookbook_has_every_question_of_the_users_once() -> None:
    assert len({recipe.question for recipe in COOKBOOK}) == len(COOKBOOK) == 27


def test_every_query_is_short() -> None:
    assert [recipe.question for recipe in COOKBOOK if recipe.query.count("\n") >= LONGEST_QUERY] == []


@pytest.mark.parametrize("recipe", COOKBOOK, ids=lambda recipe: recipe.question)
def test_every_query_runs_on_a_real_record(database: Path, recipe: Recipe) -> None:
    query = recipe.query.replace("2013-01-15", str(last_sessions()[4]))
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(query).fetchall()
    assert bool(rows) is (recipe.question not in EMPTY)


def test_the_skill_of_a_quarter_is_one_minus_the_ratio_of_mean_scores(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        scored = pd.read_sql_query("SELECT target, crps, baseline_crps FROM scored_forecast WHERE horizon = 1", connection)
    quarters = pd.PeriodIndex(pd.to_datetime(scored["target"]), freq="Q")
    means = scored.groupby(quarters)[["crps", "baseline_crps"]].mean()
    expected = (100 * (1 - means["crps"] / means["baseline_crps"])).round(2)
    found = answer(database, "How did the skill change")
    assert found["skill_percent"].tolist() == pytest.approx(expected.tolist(), abs=0.011)
    assert found["quarter"].tolist() == [f"{period.year} Q{period.quarter}" for period in expected.index]


def test_the_width_is_that_of_the_interval_in_percent_of_the_last_price(database: Path) -> None:
    found = answer(database, "What do the forecasts say for the next")
    assert found["width_percent"].tolist() == pytest.approx((100 * (found["q95"] - found["q05"]) / found["last_price"]).tolist())
    assert found["move_percent"].tolist() == pytest.approx((100 * (found["q50"] / found["last_price"] - 1)).tolist())


def test_the_last_session_is_provisional_until_it_is_scored(database: Path) -> None:
    found = answer(database, "How did the last session go")
    assert set(found["state"]) == {"provisional"}
    with closing(sqlite3.connect(database)) as connection:
        closes = dict(
            connection.execute("SELECT ticker, close FROM bar WHERE session = (SELECT max(session) FROM bar)").fetchall()
        )
    assert dict(zip(found["ticker"], found["realised_price"], strict=True)) == pytest.approx(closes)


def test_the_chain_of_the_newest_forecast_goes_back_to_a_cold_start(database: Path) -> None:
    found = answer(database, "Which trainings led")
    assert found["depth"].tolist() == list(range(len(found)))
    assert found["start"].tolist() == ["cold"] + ["warm"] * (len(found) - 1)


@pytest.mark.parametrize("name", ["last_session", "worst_coverage", "surprises", "waiting_forecasts"])
def test_a_question_about_lately_has_its_answer_where_forecasts_stopped_long_before_the_newest_bar(
    database: Path, name: str
) -> None:
    query = next(recipe.query for recipe in COOKBOOK if recipe.name == name)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TEMP TABLE bar AS SELECT date(session, '+6 months') AS session FROM main.bar")
        assert connection.execute(query).fetchall()
