"""What only reads gives the same of a record on PostgreSQL as of the same record in a SQLite file: views, cookbook and pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.builders import Record
from tests.forecast_builders import SMALL_SETTINGS, TICKERS, sample
from tests.home_states import state
from tests.postgres_records import copied_record
from tests.postgres_server import PostgresCluster
from tickercast.jobs.cli.app import app
from tickercast.jobs.cli.completion import complete_ticker
from tickercast.jobs.pages.compare import compare_page
from tickercast.jobs.pages.health import health_page
from tickercast.jobs.pages.risk import risk_page
from tickercast.jobs.pages.site import served_site
from tickercast.jobs.pages.ticker import ticker_page
from tickercast.jobs.pages.today import today_page
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import create_home
from tickercast.storage import monitoring, notices
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.connection import Reader
from tickercast.storage.cookbook import COOKBOOK, Recipe
from tickercast.storage.database import open_writer, upgrade_database
from tickercast.storage.reader import SORTED_BY, select_rows, snapshot, view_query
from tickercast.storage.ticker_versions import ticker_versions
from tickercast.storage.views import VIEWS, View

pytestmark = pytest.mark.slow

NOW = datetime(2024, 3, 13, 12, tzinfo=UTC)  # after both records
SITE = served_site(NOW)
NOW_COLUMNS = {"sessions_behind"}  # of the present instant

Pair = tuple[Path, PostgresServer]


@pytest.fixture(scope="module", params=["small", "sample"])
def pair(
    request: pytest.FixtureRequest, postgres: PostgresCluster, sound_record: Record, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    """Return a record as a file and on a server: the small one, or three tickers' forecasts of the sample."""
    file = sound_record.database if request.param == "small" else sample_record(tmp_path_factory.mktemp("sample"))
    return file, copied_record(file, postgres)


def sample_record(folder: Path) -> Path:
    (folder / "tickercast.toml").write_text(SMALL_SETTINGS)
    home = create_home(folder)
    upgrade_database(home.database)
    engine = open_writer(home.database)
    backfill_span(home, engine, BackfillRequest(TICKERS, sample("AAPL").session[-10], source="sample", workers=1))
    engine.dispose()
    assert home.place.database_file is not None
    return home.place.database_file


def read(database: Database, work: Callable[[Reader], Any]) -> Any:
    """Return what a function reads of a record."""
    with snapshot(database) as connection:
        return work(connection)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_each_view_has_the_same_rows_in_the_same_order(view: View, pair: Pair) -> None:
    file, server = (read(database, lambda connection: select_rows(connection, view_query(view)).records()) for database in pair)
    assert list(map(sort_keys, server)) == list(map(sort_keys, file))
    pairs = zip(sorted(server, key=repr), sorted(file, key=repr), strict=True)
    wrong = [(name, row[name], other[name]) for row, other in pairs for name in row if not is_same(row[name], other[name])]
    assert [one for one in wrong if one[0] not in NOW_COLUMNS] == []


def sort_keys(row: dict[str, Any]) -> list[Any]:
    """Return what a row of a view is sorted by."""
    return [row[key] for key in SORTED_BY if key in row]


@pytest.mark.parametrize("recipe", COOKBOOK, ids=lambda recipe: recipe.name)
def test_each_query_of_the_cookbook_has_the_same_answer(recipe: Recipe, pair: Pair) -> None:
    file, server = (read(database, lambda connection: select_rows(connection, recipe.query)) for database in pair)
    assert server.columns == file.columns
    assert len(server.rows) == len(file.rows)
    assert all(map(is_same, chain.from_iterable(server.rows), chain.from_iterable(file.rows)))


def is_same(value: object, other: object) -> bool:
    """Return whether a server's value is that of the file. json_each of a server gives numbers as texts."""
    if isinstance(other, int | float) and isinstance(value, str):
        value = float(value)
    return value == (pytest.approx(other, rel=1e-12) if isinstance(other, float) else other)


@pytest.mark.parametrize(
    "page",
    [
        lambda connection: today_page(connection, SITE, NOW, state()),
        lambda connection: health_page(connection, SITE, NOW, state()),
        lambda connection: risk_page(connection, SITE, NOW),
        lambda connection: compare_page(connection, SITE, NOW, ["IBM"], []),
        lambda connection: ticker_page(connection, SITE, NOW, "IBM"),
    ],
    ids=["today", "health", "risk", "compare", "ticker"],
)
def test_each_page_is_the_same(page: Callable[[Reader], str], pair: Pair) -> None:
    file, server = (read(database, page) for database in pair)
    assert server == file


def test_status_and_notices_are_the_same(pair: Pair) -> None:
    file, server = (read(database, monitored) for database in pair)
    assert server == file


def monitored(connection: Reader) -> list[Any]:
    since = NOW - timedelta(days=9_000)
    return [
        monitoring.daemon_row(connection), monitoring.ticker_facts(connection, NOW), monitoring.newest_one_shot_run(connection),
        monitoring.newest_complete_run(connection), monitoring.runs_by_status(connection), monitoring.forecast_count(connection),
        monitoring.daily_forecasts(connection, since), notices.unfinished_notices(connection),
        notices.lasting_notices(connection), notices.new_outcomes(connection, since), ticker_versions(connection),
    ]  # fmt: skip


def test_tickers_are_completed_from_a_server_and_from_none_that_does_not_answer(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tickercast.toml").write_text("")
    context = typer.Context(typer.main.get_command(app))
    context.params["home"] = str(tmp_path)
    monkeypatch.setenv("TICKERCAST_STORE__URL", pair[1].url)
    assert "IBM" in complete_ticker(context, "")
    assert complete_ticker(context, "ib") == ["ibm"]
    monkeypatch.setenv("TICKERCAST_STORE__URL", "postgresql://test@127.0.0.1:1/none")
    assert complete_ticker(context, "") == []
