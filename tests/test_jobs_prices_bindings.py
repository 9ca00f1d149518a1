"""Each ticker keeps its own source: bound at its first stored bar, used by every run, alone in its failures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from tests.loopback_yahoo import LoopbackYahoo, Reply
from tests.price_builders import day_of, sample_bars, write_csv
from tests.price_homes import PriceHome
from tickercast.jobs.errors import NothingFetched, SomeTickersFailed
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.sources.base import SourceSettings
from tickercast.jobs.prices.tickers import rename, track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import open_home
from tickercast.storage.errors import TickerSourceFixed

pytestmark = pytest.mark.slow

MakeHome = Callable[..., PriceHome]
FRIDAY, MONDAY = day_of("2012-06-08"), day_of("2012-06-11")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the prices of MSFT and GOOG."""
    for ticker in ("MSFT", "GOOG"):
        write_csv(tmp_path / "own", ticker, sample_bars(ticker, "2011-11-01"))
    return tmp_path / "own"


@pytest.fixture
def mixed(price_home: MakeHome, server: LoopbackYahoo, folder: Path) -> PriceHome:
    """Return a home with IBM from Yahoo, MSFT from a folder and AAPL from the sample, forecast up to a Friday."""
    home = price_home("IBM")
    server.serve("IBM", sample_bars("IBM", "2011-11-01"))
    track(home.home, home.engine, ["MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    track(home.home, home.engine, ["AAPL"], source="sample")
    home.serve_and_run(FRIDAY)
    return home


def bindings(home: PriceHome) -> dict[str, tuple[str, str, str]]:
    """Return source, path and adjustment of each ticker."""
    with home.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT symbol, source, source_path, adjustment FROM tickers")
        return {row[0]: (row[1], row[2], row[3]) for row in rows}


def last_origins(home: PriceHome) -> dict[str, str]:
    """Return the newest origin of each ticker."""
    return {row[0]: row[1] for row in home.rows("latest_forecast", "ticker", "origin")}


def backfill(home: PriceHome, symbol: str, source: str | None = None, adjustment: str | None = None) -> str:
    """Backfill one session of a ticker."""
    request = BackfillRequest((symbol,), FRIDAY, FRIDAY, source=source, adjustment=adjustment, workers=1)
    return backfill_span(home.home, home.engine, request, now=datetime.combine(FRIDAY, time(23), UTC))


def test_own_files_are_followed_day_by_day_without_a_word_in_the_settings(price_home: MakeHome, folder: Path) -> None:
    home = price_home()
    track(home.home, home.engine, ["MSFT", "GOOG"], source=f"folder:{folder}", adjustment="as_traded")
    home.run_days([FRIDAY, MONDAY])
    assert last_origins(home) == {"MSFT": "2012-06-11", "GOOG": "2012-06-11"}
    assert bindings(home)["MSFT"] == ("folder", str(folder), "as_traded")


def test_a_backfill_from_a_folder_remembers_it_for_the_daily_run(price_home: MakeHome, folder: Path) -> None:
    home = price_home()
    backfill(home, "MSFT", f"folder:{folder}", "as_traded")
    track(home.home, home.engine, ["MSFT"])
    home.run(MONDAY)
    assert last_origins(home) == {"MSFT": "2012-06-11"}


def test_a_home_with_three_sources_runs_each_ticker_from_its_own(mixed: PriceHome, folder: Path) -> None:
    assert last_origins(mixed) == dict.fromkeys(("AAPL", "IBM", "MSFT"), "2012-06-08")
    assert bindings(mixed) == {
        "IBM": ("yahoo", "", "as_traded"), "MSFT": ("folder", str(folder), "as_traded"), "AAPL": ("sample", "", "as_traded"),
    }  # fmt: skip


def test_a_source_that_is_gone_stops_no_other(mixed: PriceHome, folder: Path) -> None:
    shutil.move(folder, folder.with_name("moved"))
    with pytest.raises(SomeTickersFailed, match=r"1 failed, first MSFT: folder .* does not exist; .*`tickercast track MSFT"):
        mixed.serve_and_run(MONDAY)
    assert last_origins(mixed) == {"AAPL": "2012-06-11", "IBM": "2012-06-11", "MSFT": "2012-06-08"}


def test_only_when_no_source_is_available_a_run_has_nothing_new(price_home: MakeHome, folder: Path) -> None:
    home = price_home("IBM")
    track(home.home, home.engine, ["MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    home.server.always = Reply(500, b"")
    shutil.rmtree(folder)
    with pytest.raises(NothingFetched, match="0 of 2 tickers"):
        home.run(MONDAY)


def test_a_moved_folder_is_taken_and_another_kind_or_adjustment_is_not(mixed: PriceHome, folder: Path) -> None:
    moved = folder.with_name("moved")
    shutil.move(folder, moved)
    track(mixed.home, mixed.engine, ["MSFT"], source=f"folder:{moved}")
    mixed.serve_and_run(MONDAY)
    assert last_origins(mixed)["MSFT"] == "2012-06-11"
    with pytest.raises(TickerSourceFixed, match=r"MSFT keeps its source folder \(as_traded\) for life; .* another symbol"):
        track(mixed.home, mixed.engine, ["MSFT"], source=f"folder:{moved}", adjustment="split")
    with pytest.raises(TickerSourceFixed, match="IBM keeps its source yahoo for life"):
        track(mixed.home, mixed.engine, ["IBM"], source="sample")


def test_a_backfill_refuses_another_folder_and_names_the_way_to_move(mixed: PriceHome, folder: Path) -> None:
    other = shutil.copytree(folder, folder.with_name("other"))
    with pytest.raises(TickerSourceFixed, match="if the folder has moved: `tickercast track MSFT --source folder:NEWPATH`"):
        backfill(mixed, "MSFT", f"folder:{other}", "as_traded")


def test_a_ticker_without_a_bar_takes_another_source_freely(price_home: MakeHome, folder: Path) -> None:
    home = price_home("MSFT", "GOOG")
    with pytest.raises(SomeTickersFailed):
        home.run(FRIDAY)  # this Yahoo knows no ticker
    backfill(home, "MSFT", f"folder:{folder}", "as_traded")
    track(home.home, home.engine, ["GOOG"], source="sample")
    home.run(FRIDAY)
    assert (bindings(home)["MSFT"][0], bindings(home)["GOOG"][0]) == ("folder", "sample")


def test_a_ticker_tracked_without_a_source_follows_the_settings_until_its_first_bar(price_home: MakeHome, folder: Path) -> None:
    home = price_home("MSFT")
    (home.home.folder / "tickercast.toml").write_text(f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n')
    sources = Sources(open_home(home.home.folder))
    assert sources.binding_of(None).option == f"folder:{folder}"
    with pytest.raises(SourceSettings, match="--adjustment belongs to a folder"):
        Sources(home.home, None, "split")


def test_a_folder_ticker_of_an_earlier_version_takes_the_folder_of_the_settings_and_stores_it(
    price_home: MakeHome, folder: Path
) -> None:
    settings = f'[source]\nkind = "folder"\npath = "{folder}"\nadjustment = "as_traded"\n'
    home = price_home("MSFT", settings=settings)
    home.run(FRIDAY)
    with home.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tickers SET source_path = '', adjustment = ''")
    home.run(MONDAY)
    assert bindings(home)["MSFT"] == ("folder", str(folder), "as_traded")


@pytest.mark.parametrize("file", ["META", "MSFT"], ids=["new name", "old name"])
def test_a_renamed_ticker_is_found_in_its_folder_under_either_name(price_home: MakeHome, folder: Path, file: str) -> None:
    home = price_home()
    track(home.home, home.engine, ["MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    home.run(FRIDAY)
    rename(home.engine, "MSFT", "META")
    (folder / "MSFT.csv").rename(folder / f"{file}.csv")
    home.run(MONDAY)
    assert last_origins(home) == {"META": "2012-06-11"}


def test_an_old_name_that_is_another_tickers_now_is_not_read_for_a_renamed_one(price_home: MakeHome, folder: Path) -> None:
    home = price_home()
    track(home.home, home.engine, ["MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    home.run(FRIDAY)
    rename(home.engine, "MSFT", "META")
    track(home.home, home.engine, ["MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    with pytest.raises(SomeTickersFailed, match="META: not in"):
        home.run(MONDAY)
