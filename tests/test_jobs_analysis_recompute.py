"""verify --deep computes quantiles, scores and realised returns again from a real record's rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.builders import Record
from tests.forecast_builders import SMALL_SETTINGS, TICKERS, ten_sessions
from tickercast.jobs.analysis.answers import check, check_deeply
from tickercast.jobs.analysis.recompute import wrong_figures
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import open_writer, reading, upgrade_database

pytestmark = pytest.mark.slow

OF_FIRST = "origin_id IN (SELECT id FROM origins WHERE ticker_id = 1)"  # rows of the first ticker


@pytest.fixture(scope="module")
def sound_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("recomputed")
    (folder / "tickercast.toml").write_text(SMALL_SETTINGS)
    home, days = create_home(folder), ten_sessions()
    upgrade_database(home.database)
    engine = open_writer(home.database)
    backfill_span(home, engine, BackfillRequest(TICKERS, days[0], days[-1], source="sample", workers=1))
    engine.dispose()
    return home


def wrong_after(home: Home, folder: Path, statement: str) -> list[str]:
    """Return what is found wrong in a copy of a home after a statement."""
    copy = Record(folder / "copy.db", home.prices)
    shutil.copy(home.database, copy.database)
    copy.force(statement)
    with reading(copy.database) as connection:
        return list(wrong_figures(connection))


def test_a_real_record_is_computed_again_to_the_same_figures(sound_home: Home) -> None:
    with reading(sound_home.database) as connection:
        assert list(wrong_figures(connection)) == []
    assert "as computed again" in check_deeply(sound_home)
    assert "computed" not in check(sound_home)


@pytest.mark.parametrize("column", ["q05", "q50", "q95", "scale", "dof"])
def test_a_quantile_that_is_not_of_its_distribution_is_found(sound_home: Home, tmp_path: Path, column: str) -> None:
    change = f"UPDATE forecasts SET {column} = {column} * 1.000001 WHERE horizon = 5 AND {OF_FIRST}"
    found = wrong_after(sound_home, tmp_path, change)
    assert found[0] == "forecasts whose quantiles are not those of their distribution: 10"


def test_a_last_price_that_the_quantiles_do_not_start_from_is_found(sound_home: Home, tmp_path: Path) -> None:
    found = wrong_after(sound_home, tmp_path, "UPDATE origins SET last_price = last_price * 1.000001 WHERE ticker_id = 1")
    assert found[0] == "forecasts whose quantiles are not those of their distribution: 50"


@pytest.mark.parametrize("column", ["realised_price", "crps", "baseline_crps", "pit"])
def test_a_score_that_is_not_of_its_forecast_is_found(sound_home: Home, tmp_path: Path, column: str) -> None:
    found = wrong_after(sound_home, tmp_path, f"UPDATE scores SET {column} = {column} * 0.9999 WHERE horizon = 1 AND {OF_FIRST}")
    assert found[0] == "scores that are not those of their forecast and outcome: 8"


def test_a_realised_return_that_is_not_of_the_bars_is_found(sound_home: Home, tmp_path: Path) -> None:
    found = wrong_after(sound_home, tmp_path, "UPDATE bars SET adjusted_return = adjusted_return + 0.001")
    assert [line.split(":")[0] for line in found] == ["scores whose newest revision has another return than the stored bars"]
