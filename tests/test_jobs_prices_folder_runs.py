"""Files are read whole by every run: what changed is restated at any age, and what is unchanged is not read again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import pytest

from tests.price_builders import day_of, sample_bars, write_csv
from tests.price_homes import PriceHome
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices import ingest
from tickercast.jobs.prices.answers import Asking, FolderPart, answers_of_part
from tickercast.jobs.prices.bindings import Binding, Sources
from tickercast.jobs.prices.sources.base import SourceSettings
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.stored_prices import StoredPrices
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.runs.backfill import LAST_SESSIONS, BackfillRequest, backfill_span
from tickercast.storage.bars import Bars

pytestmark = pytest.mark.slow

MakeHome = Callable[..., PriceHome]
FRIDAY, MONDAY, TUESDAY = day_of("2012-06-08"), day_of("2012-06-11"), day_of("2012-06-12")


@pytest.fixture
def ibm() -> Bars:
    return sample_bars("IBM", "2011-01-03")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def home(price_home: MakeHome, folder: Path, ibm: Bars) -> PriceHome:
    """Return a home that follows the files IBM (from November 2011) and MSFT of a folder, forecast up to a Friday."""
    write_csv(folder, "IBM", ibm.select(ibm.session >= np.datetime64("2011-11-01")).through(FRIDAY))
    write_csv(folder, "MSFT", sample_bars("MSFT", "2011-11-01").through(FRIDAY))
    made = price_home()
    track(made.home, made.engine, ["IBM", "MSFT"], source=f"folder:{folder}", adjustment="as_traded")
    made.run(FRIDAY)
    return made


def with_close(bars: Bars, session: str) -> Bars:
    """Return the bars with another close of one session."""
    close = bars.close.copy()
    index = int(np.searchsorted(bars.session, np.datetime64(session)))
    close[index] = bars.low[index] * 1.0005
    return replace(bars, close=close)


def test_a_folder_that_has_lost_its_files_gives_workers_nothing_to_read(
    home: PriceHome, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "FEWEST_FOR_WORKERS", 1)
    feed = ingest.Ingest(home.engine, home.home.prices, Sources(home.home), datetime.now(UTC), 0, None)
    before = feed.has_work_for_workers(["IBM", "MSFT"])
    for path in folder.iterdir():
        path.unlink()
    feed = ingest.Ingest(home.engine, home.home.prices, Sources(home.home), datetime.now(UTC), 0, None)
    assert (before, feed.has_work_for_workers(["IBM", "MSFT"])) == (True, False)


def test_a_folder_that_goes_away_before_a_worker_reads_it_fails_its_tickers_alone(tmp_path: Path) -> None:
    binding = Binding("folder", str(tmp_path / "gone"), "as_traded")
    part = FolderPart(Asking(tmp_path, datetime.now(UTC), 0), binding, (), (StoredPrices("IBM"), StoredPrices("MSFT")), {})
    assert [type(answer.error) for answer in answers_of_part(part)] == [SourceSettings, SourceSettings]


def test_a_correction_of_any_age_is_a_restatement(home: PriceHome, folder: Path, ibm: Bars) -> None:
    later = ibm.select(ibm.session >= np.datetime64("2011-11-01")).through(MONDAY)
    write_csv(folder, "IBM", with_close(later, "2011-11-03"))
    home.run(MONDAY)
    assert home.rows("restatement", "ticker", "session", "field") == [("IBM", "2011-11-03", "close")]


def test_a_history_that_the_source_has_rewritten_is_named_in_the_closing_line(home: PriceHome, folder: Path, ibm: Bars) -> None:
    later = ibm.select(ibm.session >= np.datetime64("2011-11-01")).through(MONDAY)
    write_csv(folder, "IBM", with_close(later, "2011-11-03"))
    assert "history changed" not in home.run(MONDAY, hour=22)
    write_csv(folder, "IBM", replace(later, close=np.sqrt(later.low * later.high)))
    assert re.search(r"history changed by the source: IBM \(1\d\d bars\), view `restatement`", home.run(MONDAY, hour=23))


def test_history_put_before_the_first_bar_is_stored_with_the_instant_it_came(home: PriceHome, folder: Path, ibm: Bars) -> None:
    before = home.history("IBM").bars
    write_csv(folder, "IBM", ibm.through(MONDAY))
    home.run(MONDAY)
    bars = home.history("IBM").bars
    assert bars.session[0].item() == date(2011, 1, 3)
    old = np.isin(bars.session, before.session)
    assert np.array_equal(bars.recorded_at[old], before.recorded_at)
    assert (bars.recorded_at[~old] > before.recorded_at[0]).all()
    assert next(row[1] for row in home.rows("bar", "ticker", "session") if row[0] == "IBM") == "2011-01-03"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each reading of a file adds its ticker."""
    read: list[str] = []
    fetch = FolderSource.fetch

    def counted(self: FolderSource, ticker: str, *rest: object) -> object:
        read.append(ticker)
        return fetch(self, ticker, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderSource, "fetch", counted)
    return read


def test_an_unchanged_file_is_not_read_again(home: PriceHome, folder: Path, ibm: Bars, reads: list[str]) -> None:
    home.run(MONDAY)
    assert reads == []
    write_csv(folder, "IBM", ibm.through(MONDAY))
    home.run(MONDAY)
    assert reads == ["IBM"]
    (home.home.cache / "read-files.json").unlink()
    home.run(MONDAY)
    assert reads == ["IBM", "IBM", "MSFT"]


def test_a_file_that_changed_with_its_size_and_time_kept_is_read(home: PriceHome, folder: Path, reads: list[str]) -> None:
    path = folder / "IBM.csv"
    times, text = path.stat(), path.read_text()
    path.write_text(text[:-1] + ("1" if text[-1] != "1" else "2"))  # the volume of the last bar
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    home.run(MONDAY)
    assert (reads, path.stat().st_size) == (["IBM"], times.st_size)


def test_a_file_with_bars_of_later_sessions_is_read_until_they_have_closed(
    home: PriceHome, folder: Path, ibm: Bars, reads: list[str]
) -> None:
    write_csv(folder, "IBM", ibm.through(TUESDAY))
    home.run(MONDAY)
    assert home.last_bar("IBM") == MONDAY
    home.run(TUESDAY)
    assert home.last_bar("IBM") == TUESDAY
    home.run(TUESDAY)
    assert reads == ["IBM", "IBM"]


@pytest.mark.sqlite_file
def test_a_restored_database_is_compared_with_its_files_again(home: PriceHome, folder: Path, ibm: Bars, reads: list[str]) -> None:
    home.engine.dispose()  # the last connection empties the write-ahead log
    kept = home.home.database.read_bytes()
    write_csv(folder, "IBM", ibm.through(MONDAY))
    home.run(MONDAY)
    home.engine.dispose()
    for suffix in ("-wal", "-shm"):
        home.home.database.with_name(home.home.database.name + suffix).unlink(missing_ok=True)
    home.home.database.write_bytes(kept)
    home.run(MONDAY)
    assert reads == ["IBM", "IBM"]
    assert home.last_bar("IBM") == MONDAY


# --- what a backfill forecasts from, and says before ---


def backfill(home: PriceHome, **asked: object) -> str:
    """Backfill IBM on Friday night."""
    request = BackfillRequest(("IBM",), workers=1, **asked)  # type: ignore[arg-type]
    request.check()
    return backfill_span(home.home, home.engine, request, now=datetime.combine(FRIDAY, time(23), UTC))


def test_a_backfill_without_a_start_covers_the_last_year_and_says_its_plan_first(
    price_home: MakeHome, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(folder, "IBM", sample_bars("IBM", "2010-11-01").through(FRIDAY))
    home = price_home()
    told = backfill(home, source=f"folder:{folder}", adjustment="as_traded")
    assert f", {LAST_SESSIONS * 5} new forecasts" in told
    assert capsys.readouterr().err == "plan: 1 ticker x 252 sessions, 1,260 forecasts, about 4 s\n"
    assert min(row[0] for row in home.rows("forecast_history", "origin")) == "2011-06-10"  # 261 weekdays less 9 holidays
    assert ", 120 new forecasts" in backfill(home, everything=True)


def test_all_history_with_a_start_is_refused(home: PriceHome) -> None:
    with pytest.raises(UsageError, match="--all begins at the first session, --start 2012-06-08 later"):
        backfill(home, everything=True, start=FRIDAY)
