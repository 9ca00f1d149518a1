"""Homes that each landed version made: they upgrade, verify, keep their rows, and go on with the forecasts of a new home."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from alembic import command

from tests.price_builders import write_csv
from tickercast.jobs.errors import SomeTickersFailed
from tickercast.jobs.prices.copies import fill_copies
from tickercast.jobs.prices.quarantine import release
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.runs.upgrade import fill_skill_and_risk
from tickercast.jobs.workspace.home import Home, create_home, open_home
from tickercast.storage.bars import Bars
from tickercast.storage.database import alembic_config, open_writer, reading, upgrade_database
from tickercast.storage.errors import SchemaOlder
from tickercast.storage.verify import content_hash, find_deep_problems, find_problems
from tickercast.storage.versions import stored_revision

pytestmark = pytest.mark.slow

HOMES = Path(__file__).parent / "data" / "homes"
VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0007", "0009")
WITH_GATES = VERSIONS[1:]
WITHOUT_CONTEXT = VERSIONS[:5]
OLD_CONFIG = VERSIONS[:5]  # of these, new forecasts have another config id
# The content hash of each version's home, computed by the last version that stored a forecast's shared values in every row.
HASHES = {
    "0001": "eb4590f0f1ada8160f18fcaaa1b03a0d09e58114b0b0dfa349e81ddf78fdd2bb",
    "0002": "638932239f65b9d698e9d1299a538dce2914fd0f4c95e1267911bc8a1ffa62ba",
    "0003": "f3e48ae8857bbc279783ce597a49be5bc43732003084c7647c0e36081d2c92f1",
    "0004": "b4ac754ace2e1bf40b7a156b193c19904837683bd779691e1096d6d87253d9f3",
    "0005": "ca7dd2a69971dcf0b20c20d9c3fba7c0b549a5347827144312c22fd9cd3e8ed2",
    "0005_twins": "e80a9e9e0c4d7caee70acfcdd5fc776fed6f35db15fd84a7c6b2efc85a8946db",
}
# And by the version that made the home.
NARROW_HASHES = {
    "0007": "3f3357668d4b77a0a94c7c3d53926fb759e5040207619b55c20f3f1bb31a9874",
    "0009": "3f3357668d4b77a0a94c7c3d53926fb759e5040207619b55c20f3f1bb31a9874",
}
TICKERS = ("AAPL", "IBM", "MSFT")
RESTATED, SPIKE = date(2013, 2, 19), date(2013, 2, 22)
NEXT_DAYS = (date(2013, 2, 26), date(2013, 2, 27))
NEXT_SESSION = "mode = '*' AND horizon = 1 AND level = 0.05"
OLD_ROWS = ("origins", "forecasts", "models", "losses", "recalibrations")
NEW_FORECASTS = """SELECT f.ticker, f.origin, f.horizon, f.location, f.scale, f.dof, f.q05, f.q95, f.input_sha256, f.model_id
FROM forecast_history f JOIN config c ON c.id = f.config WHERE c.active = 1 AND f.ticker <> 'IBM' ORDER BY 1, 2, 3"""


def true_bars(ticker: str) -> Bars:
    bars = SampleSource().fetch(ticker, None).bars
    return bars.select(slice(len(bars) - 420, len(bars)))


def write_feed(folder: Path, day: date) -> None:
    """Write the folder's files as they were after a day."""
    for ticker in TICKERS:
        bars = true_bars(ticker).through(day)
        if ticker == "IBM":
            bars.close[bars.session == bars.session.dtype.type(RESTATED)] *= 1.004
            bars.high[:] = bars.high.clip(min=bars.close)
        if ticker == "AAPL":
            for column in (bars.open, bars.high, bars.low, bars.close):
                column[bars.session >= bars.session.dtype.type(SPIKE)] *= 0.1
        write_csv(folder, ticker, bars)


def unpacked(folder: Path, version: str) -> Home:
    """Return the home that a landed version made, with its prices in a folder of this test."""
    with tarfile.open(HOMES / f"{version}.tar.xz") as archive:
        archive.extractall(folder / "home", filter="data")
    settings = folder / "home" / "tickercast.toml"
    settings.write_text(settings.read_text().replace("FEED", str(folder / "feed")))
    with closing(sqlite3.connect(folder / "home" / "tickercast.db")) as connection:
        if "source_path" in {row[1] for row in connection.execute("PRAGMA table_info(tickers)")}:
            connection.execute("UPDATE tickers SET source_path = ?", (str(folder / "feed"),))
            connection.commit()
    return open_home(folder / "home")


def upgraded(folder: Path, version: str) -> Home:
    home = unpacked(folder, version)
    upgrade_database(home.database)
    list(fill_copies(home))
    return home


def rows_of(home: Home, query: str) -> list[tuple[Any, ...]]:
    with reading(home.database) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def shown_by_views(home: Home) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """Return the columns of each view in their order, and its rows in one order."""
    with closing(sqlite3.connect(home.database)) as connection:
        found = {}
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
            cursor = connection.execute(f"SELECT * FROM {name}")
            found[name] = [column[0] for column in cursor.description], sorted(cursor.fetchall(), key=repr)
    return found


def run_on(home: Home, day: date, feed: Path) -> None:
    """Do the daily run of a day; the ticker in quarantine may fail, the others must not."""
    write_feed(feed, day)
    engine = open_writer(home.database)
    with contextlib.suppress(SomeTickersFailed):
        run_once(home, engine, now=datetime.combine(day, time(23), UTC), workers=1)
    engine.dispose()


def problems_of(home: Home) -> list[str]:
    with reading(home.database) as connection:
        return [*find_problems(connection, home.prices), *find_deep_problems(connection, home.prices)]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_home_of_a_landed_version_asks_for_the_upgrade_and_is_sound_after_it(tmp_path: Path, version: str) -> None:
    home = unpacked(tmp_path, version)
    with pytest.raises(SchemaOlder), reading(home.database):
        pass
    upgrade_database(home.database)
    list(fill_copies(home))
    assert problems_of(home) == []


@pytest.mark.parametrize("version", HASHES)
def test_narrow_rows_show_in_every_view_what_wide_rows_showed(tmp_path: Path, version: str) -> None:
    home = unpacked(tmp_path, version)
    command.upgrade(alembic_config(home.database), "0006")
    before = shown_by_views(home)
    command.upgrade(alembic_config(home.database), "0007")
    after = shown_by_views(home)
    assert len(before["scored_forecast"][1]) > 30
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []


@pytest.mark.parametrize(("version", "expected"), (HASHES | NARROW_HASHES).items())
def test_an_upgraded_home_has_the_content_hash_that_it_had(tmp_path: Path, version: str, expected: str) -> None:
    home = unpacked(tmp_path, version)
    upgrade_database(home.database)
    with reading(home.database) as connection:
        assert content_hash(connection) == expected


def test_an_upgraded_database_has_no_empty_pages(tmp_path: Path) -> None:
    home = unpacked(tmp_path, "0005")
    upgrade_database(home.database)
    with closing(sqlite3.connect(home.database)) as connection:
        assert connection.execute("PRAGMA freelist_count").fetchone() == (0,)


def test_an_upgrade_returns_the_path_of_its_copy(tmp_path: Path) -> None:
    home = unpacked(tmp_path, "0005")
    copy = upgrade_database(home.database)
    assert copy is not None
    assert copy.parent == home.folder
    assert stored_revision(copy) == "0005"
    assert upgrade_database(home.database) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_an_upgraded_home_goes_on_keeps_its_rows_and_stays_sound(tmp_path: Path, version: str) -> None:
    home = upgraded(tmp_path, version)
    [(config,)] = rows_of(home, "SELECT id FROM configs")
    before = {table: rows_of(home, f"SELECT * FROM {table}") for table in OLD_ROWS}
    for day in NEXT_DAYS:
        run_on(home, day, tmp_path / "feed")
    for table, rows in before.items():
        assert set(rows) <= set(rows_of(home, f"SELECT * FROM {table}"))
    assert rows_of(home, f"SELECT active FROM configs WHERE id = '{config}'") == [(0 if version in OLD_CONFIG else 1,)]
    assert problems_of(home) == []


@pytest.mark.parametrize("version", NARROW_HASHES)
def test_an_upgraded_home_has_the_risk_of_its_forecasts_at_once(tmp_path: Path, version: str) -> None:
    home = upgraded(tmp_path, version)
    assert rows_of(home, "SELECT count(*) FROM risk") == [(0,)]
    fill_skill_and_risk(home, datetime(2013, 2, 26, 12, tzinfo=UTC))
    newest = rows_of(home, "SELECT ticker, target FROM latest_forecast WHERE horizon = 1 ORDER BY ticker")
    assert rows_of(home, f"SELECT ticker, target FROM risk WHERE {NEXT_SESSION} AND ticker <> '*' ORDER BY ticker") == newest
    counts = "SELECT ticker, count(*), sum(pit < 0.05) FROM scored_forecast WHERE horizon = 1 GROUP BY ticker ORDER BY ticker"
    risk = f"SELECT ticker, n, exceedances FROM risk WHERE {NEXT_SESSION} AND ticker <> '*' ORDER BY ticker"
    assert rows_of(home, risk) == rows_of(home, counts) != []
    assert problems_of(home) == []
    fill_skill_and_risk(home, datetime(2013, 2, 27, tzinfo=UTC))
    assert rows_of(home, "SELECT DISTINCT computed_at FROM risk") == [("2013-02-26T12:00:00.000000Z",)]


@pytest.mark.parametrize("version", OLD_CONFIG)
def test_an_upgraded_home_forecasts_what_a_new_home_forecasts(tmp_path: Path, version: str) -> None:
    home = upgraded(tmp_path, version)
    run_on(home, NEXT_DAYS[0], tmp_path / "feed")
    new = create_home(tmp_path / "new")
    shutil.copy(home.folder / "tickercast.toml", new.folder)
    new = open_home(new.folder)
    upgrade_database(new.database)
    engine = open_writer(new.database)
    track(new, engine, ["MSFT"])
    engine.dispose()
    run_on(new, NEXT_DAYS[0], tmp_path / "feed")
    expected = rows_of(new, NEW_FORECASTS)
    assert [row for row in rows_of(home, NEW_FORECASTS) if row[0] == "MSFT"] == expected != []


@pytest.mark.parametrize("version", WITH_GATES)
def test_quarantined_bars_of_an_upgraded_home_can_be_released(tmp_path: Path, version: str) -> None:
    home = upgraded(tmp_path, version)
    engine = open_writer(home.database)
    release(home, engine, "AAPL", None)
    engine.dispose()
    run_on(home, NEXT_DAYS[0], tmp_path / "feed")
    assert rows_of(home, "SELECT last_bar FROM freshness WHERE ticker = 'AAPL'") == [(str(NEXT_DAYS[0]),)]
    assert problems_of(home) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_revisions_that_an_old_version_left_out_are_written_once(tmp_path: Path, version: str) -> None:
    home = upgraded(tmp_path, version)
    for day in NEXT_DAYS:
        run_on(home, day, tmp_path / "feed")
    query = "SELECT count(*), max(revision) FROM scores WHERE revision > 0"
    first = rows_of(home, query)
    run_on(home, NEXT_DAYS[1], tmp_path / "feed")
    assert (rows_of(home, query), first[0][1]) == (first, 1)


PRIORS = {"0003": "run", "0004": "run", "0005": "universe", "0007": "universe", "0009": "universe"}


@pytest.mark.parametrize(("version", "kind"), PRIORS.items())
def test_the_priors_of_a_landed_version_are_shown_with_their_members(tmp_path: Path, version: str, kind: str) -> None:
    home = upgraded(tmp_path, version)
    assert rows_of(home, "SELECT kind, members, member_count FROM prior") == [(kind, "AAPL,IBM,MSFT", 3)]


@pytest.mark.parametrize("version", WITHOUT_CONTEXT)
def test_an_upgraded_ticker_gets_its_kind_at_its_next_fetch_and_old_forecasts_say_nothing_of_context(
    tmp_path: Path, version: str
) -> None:
    home = upgraded(tmp_path, version)
    assert rows_of(home, "SELECT DISTINCT context FROM forecast_history") == [(None,)]
    assert {kind for (kind,) in rows_of(home, "SELECT kind FROM tickers")} == {None}
    run_on(home, NEXT_DAYS[0], tmp_path / "feed")
    assert rows_of(home, "SELECT kind FROM tickers WHERE symbol = 'MSFT'") == [("stock",)]
    assert ("none",) in rows_of(home, "SELECT DISTINCT context FROM forecast_history")
