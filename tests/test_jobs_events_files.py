"""Company events in files: what a row may say, what is refused, and that importing again adds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from tests.forecast_builders import SMALL_SETTINGS, ten_sessions
from tests.price_builders import sample_bars, write_csv
from tickercast.jobs.errors import UsageError
from tickercast.jobs.prices.company_events import new_reports
from tickercast.jobs.prices.event_files import read_event_file
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.tickers import rename, track
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.daily import run_once
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import Engine, open_writer, reading
from tickercast.storage.queries import read_view

NOW = datetime(2013, 2, 20, 23, tzinfo=UTC)
MAY, MOVED = date(2012, 5, 2), date(2012, 5, 9)


def written(folder: Path, *rows: str, head: str = "ticker,date,kind,recorded_at", name: str = "e.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


# --- what is new ---


@pytest.mark.parametrize(
    ("known", "day", "expected"),
    [
        ([], MAY, True),
        ([(MAY, at(MAY, 1))], MAY, False),
        ([(MAY, at(MAY, 1))], MOVED, True),
        ([(MAY, at(MAY, 1)), (MOVED, at(MAY, 2))], MAY, True),
        ([(MAY, at(MAY, 1)), (MOVED, at(MAY, 2))], MOVED, False),
        ([(date(2012, 4, 1), at(MAY, 1))], MAY, True),
        ([(MOVED, at(MAY))], MAY, False),
        ([], date(1961, 12, 31), False),
        ([], date(2013, 6, 7), False),
    ],
    ids=["first", "known", "moved", "moved back", "known after a move", "another report", "same instant", "too old", "too far"],
)
def test_a_day_is_new_where_it_is_not_what_counts_already(known: list[tuple[date, datetime]], day: date, expected: bool) -> None:
    assert new_reports(known, [day], at(MAY)) == ([(day, at(MAY))] if expected else [])


# --- reading ---


def test_a_row_is_a_report_with_its_instant_or_none(tmp_path: Path) -> None:
    rows = (
        "ibm,2012-05-02,earnings,2012-04-01T21:00:00Z",
        "BRK-B,2012-05-09 16:05,,",
        "NA,2012-06-01,Earnings,2012-04-01T21:00+02:00",
    )
    file = read_event_file(written(tmp_path, *rows, head="Ticker,DATE,kind,Recorded_At"), NOW)
    assert file.problems == ()
    assert file.reports == {
        "IBM": [(MAY, datetime(2012, 4, 1, 21, tzinfo=UTC))],
        "BRK-B": [(MOVED, None)],
        "NA": [(date(2012, 6, 1), datetime(2012, 4, 1, 19, tzinfo=UTC))],
    }


def test_a_parquet_file_says_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame({"symbol": ["IBM", "IBM"], "date": pd.to_datetime(["2012-05-02", "2012-08-01"]), "other": [1, 2]})
    frame["recorded_at"] = pd.to_datetime(["2012-04-01T21:00Z", None])
    frame.to_parquet(tmp_path / "e.parquet")
    assert read_event_file(tmp_path / "e.parquet", NOW).reports == {
        "IBM": [(MAY, datetime(2012, 4, 1, 21, tzinfo=UTC)), (date(2012, 8, 1), None)]
    }


def test_other_kinds_of_events_are_not_used(tmp_path: Path) -> None:
    file = read_event_file(written(tmp_path, "IBM,2012-05-02,dividend,"), NOW)
    assert (file.reports, file.problems) == ({}, ())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("../x,2012-05-02,,", "no ticker symbol"),
        ("IBM,2 May 2012,,", "date is not like 2024-05-02"),
        ("IBM,,,", "date is not like 2024-05-02"),
        ("IBM,1961-12-31,,", "date before 1962 or over 400 days ahead"),
        ("IBM,2014-03-28,,", "date before 1962 or over 400 days ahead"),
        ("IBM,2012-05-02,,2012-04-01", "recorded_at is not like 2024-04-01T21:00Z"),
        ("IBM,2012-05-02,,yesterday", "recorded_at is not like 2024-04-01T21:00Z"),
        ("IBM,2012-05-02,,2013-02-21T00:00Z", "recorded_at is later than the import"),
    ],
)
def test_a_bad_row_is_refused_with_its_reason_and_the_others_kept(tmp_path: Path, row: str, reason: str) -> None:
    file = read_event_file(written(tmp_path, row, "IBM,2012-08-01,,", row), NOW)
    [line] = file.problems
    assert f"e.csv: 2 rows refused: {reason}, first " in line
    assert line.endswith(" in row 1")
    assert file.reports == {"IBM": [(date(2012, 8, 1), None)]}


@pytest.mark.parametrize(
    ("head", "fault"),
    [("ticker,day", "no column date"), ("ticker,date,Date", "two columns have the same name"), ("", "cannot be read")],
)
def test_a_file_that_is_no_table_of_events_is_refused(tmp_path: Path, head: str, fault: str) -> None:
    with pytest.raises(BadSourceData, match=fault):
        read_event_file(written(tmp_path, head=head), NOW)


def test_a_folders_file_of_events_is_no_ticker(tmp_path: Path) -> None:
    write_csv(tmp_path, "IBM", sample_bars("IBM", "2013-01-02"))
    written(tmp_path, "IBM,2013-01-22,,", name="Events.csv")
    source = FolderSource(str(tmp_path), "as_traded")
    assert (source.tickers(), source.event_file) == (["IBM"], tmp_path / "Events.csv")


# --- importing ---


@pytest.fixture
def home(make_home: Callable[[str, str], Home]) -> Iterator[tuple[Home, Engine]]:
    made = make_home("home", SMALL_SETTINGS)
    engine = open_writer(made.database)
    yield made, engine
    engine.dispose()


def events_of(home: Home) -> list[tuple[str, str, str]]:
    with reading(home.database) as connection:
        rows = read_view(connection, "company_event").records()
    return sorted((row["ticker"], row["date"], row["recorded_at"][:16]) for row in rows)


def imported(home: tuple[Home, Engine], file: Path, now: datetime = NOW) -> str:
    """Backfill two sessions of IBM with a file of events, and return the closing line."""
    days = ten_sessions()
    request = BackfillRequest(("IBM",), days[0], days[1], source="sample", workers=1, events=file)
    return backfill_span(*home, request, now=now)


@pytest.mark.slow
def test_importing_a_file_again_adds_nothing(home: tuple[Home, Engine], tmp_path: Path) -> None:
    file = written(tmp_path, "IBM,2012-05-02,,", "IBM,2012-08-01,,2012-07-01T12:00Z", "KO,2012-05-02,,", "PEP,2012-05-02,,")
    assert "e.csv: 2 new company events, 2 tickers not stored here" in imported(home, file)
    once = events_of(home[0])
    assert once == [("IBM", "2012-05-02", "2013-02-20T23:00"), ("IBM", "2012-08-01", "2012-07-01T12:00")]
    assert "0 new company events, 2 tickers not stored here" in imported(home, file, NOW.replace(day=21))
    assert events_of(home[0]) == once


@pytest.mark.slow
def test_an_unreadable_file_stops_the_command_before_anything_is_done(home: tuple[Home, Engine], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--events: .*missing.csv: cannot be read: No such file or directory; nothing was done"):
        imported(home, tmp_path / "missing.csv")
    assert events_of(home[0]) == []


@pytest.mark.slow
def test_a_folders_events_are_read_once_for_the_tickers_of_that_folder(home: tuple[Home, Engine], tmp_path: Path) -> None:
    made, engine = home
    folder = tmp_path / "folder"
    for ticker in ("IBM", "MSFT"):
        write_csv(folder, ticker, sample_bars(ticker, "2012-01-03"))
    written(folder, "IBM,2013-01-22,,", "MSFT,2013-01-24,,", name="events.csv")
    track(made, engine, ["IBM"], source=f"folder:{folder}", adjustment="as_traded")
    rename(engine, "IBM", "BLUE")
    assert "events.csv: 1 new company event, 1 ticker not stored here" in run_once(made, engine, now=NOW, workers=1)
    assert "events.csv" not in run_once(made, engine, now=NOW.replace(day=21), workers=1)
    assert [row[:2] for row in events_of(made)] == [("BLUE", "2013-01-22")]


@pytest.mark.slow
def test_a_row_that_is_refused_for_its_time_is_accepted_later(home: tuple[Home, Engine], tmp_path: Path) -> None:
    made, engine = home
    folder = tmp_path / "folder"
    write_csv(folder, "IBM", sample_bars("IBM", "2012-01-03"))
    written(folder, "IBM,2013-04-18,,2013-02-21T12:00Z", name="events.csv")
    track(made, engine, ["IBM"], source=f"folder:{folder}", adjustment="as_traded")
    assert "events.csv: 1 row refused: recorded_at is later than the import" in run_once(made, engine, now=NOW, workers=1)
    assert "events.csv: 1 new company event" in run_once(made, engine, now=NOW.replace(day=21), workers=1)
    assert "events.csv" not in run_once(made, engine, now=NOW.replace(day=22), workers=1)


@pytest.mark.slow
def test_a_broken_file_in_a_folder_is_a_note(home: tuple[Home, Engine], tmp_path: Path) -> None:
    made, engine = home
    folder = tmp_path / "folder"
    write_csv(folder, "IBM", sample_bars("IBM", "2012-01-03"))
    written(folder, head="something,else", name="events.csv")
    track(made, engine, ["IBM"], source=f"folder:{folder}", adjustment="as_traded")
    message = run_once(made, engine, now=NOW, workers=1)
    assert message.startswith("1 of 1 tickers, 5 new forecasts")
    assert "events.csv: no column ticker, date; it needs ticker and date; the stored ones serve" in message
