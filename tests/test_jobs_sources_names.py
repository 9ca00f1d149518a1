"""Names in a folder: what is no symbol, clashes, or is no regular file is stated, and the other tickers are read."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.price_builders import bars_of_closes, write_csv
from tickercast.jobs.prices.sources.base import BadSourceData, SourceSettings
from tickercast.jobs.prices.sources.folder import FolderSource

BARS = bars_of_closes(100.0, 101.0, 102.0, start="2024-03-04")
HOSTILE = ("", "A" * 300, "../../etc/passwd", "/etc/passwd", "A\x1b[31m", "A\nB", "..", "a b", "é", "A/B")


def table_of(path: Path, *tickers: str) -> FolderSource:
    """Write one Parquet file with the same bars of some tickers, and return it as a source."""
    days = pd.DatetimeIndex(BARS.session)
    prices = dict.fromkeys(("open", "high", "low", "close"), BARS.close)
    pd.concat([pd.DataFrame({"date": days, "ticker": name, **prices}) for name in tickers]).to_parquet(path / "all.parquet")
    return FolderSource(str(path / "all.parquet"), "as_traded")


def test_names_in_a_table_that_are_no_symbols_are_each_a_line_and_the_others_are_read(tmp_path: Path) -> None:
    source = table_of(tmp_path, "GOOD", *HOSTILE)
    assert source.tickers() == ["GOOD"]
    lines = source.left_out()
    assert len(lines) == len(HOSTILE)
    assert all("is not a ticker symbol" in line and line.isprintable() and len(line) < 300 for line in lines)
    assert len(source.fetch("GOOD", None).bars) == 3


def test_rows_without_a_ticker_are_a_line(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.DatetimeIndex(BARS.session), "ticker": ["A", None, "A"], "close": BARS.close})
    for name in ("open", "high", "low"):
        frame[name] = frame["close"]
    frame.to_parquet(tmp_path / "all.parquet")
    source = FolderSource(str(tmp_path), "full")
    assert (source.tickers(), len(source.left_out()), len(source.fetch("A", None).bars)) == (["A"], 1, 2)


@pytest.mark.parametrize("kind", ["table", "files"])
def test_two_names_of_one_symbol_are_both_refused_and_neither_vanishes(tmp_path: Path, kind: str) -> None:
    if kind == "table":
        source = table_of(tmp_path, "aaa", "AAA", "B")
    else:
        for name in ("aaa", "AAA", "B"):
            write_csv(tmp_path, name, BARS)
        source = FolderSource(str(tmp_path), "as_traded")
    assert source.tickers() == ["AAA", "B"]
    with pytest.raises(BadSourceData, match=r"AAA: .*(aaa.*AAA|AAA.*aaa).* all mean AAA; keep one of them"):
        source.fetch("AAA", None)
    assert [line.partition(":")[0] for line in source.left_out()] == ["AAA"]
    assert len(source.fetch("B", None).bars) == 3


def test_names_of_files_that_are_no_symbols_are_each_a_line(tmp_path: Path) -> None:
    for name in ("GOOD", "my notes", "%2e%2e%2fetc", "A%0AB"):
        write_csv(tmp_path, name, BARS)
    source = FolderSource(str(tmp_path), "as_traded")
    assert (source.tickers(), len(source.left_out())) == (["GOOD"], 3)


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "dangling link", "link to a device"])
def test_what_is_no_regular_file_fails_its_ticker_without_waiting(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path, "GOOD", BARS)
    odd = tmp_path / "X.csv"
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    listener = socket.socket(socket.AF_UNIX)
    make: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(odd),
        "socket": lambda: listener.bind("X.csv"),
        "folder": odd.mkdir,
        "dangling link": lambda: odd.symlink_to(tmp_path / "gone"),
        "link to a device": lambda: odd.symlink_to("/dev/zero"),
    }
    with closing(listener):
        make[kind]()
    source = FolderSource(str(tmp_path), "as_traded")
    assert source.tickers() == ["GOOD", "X"]
    with pytest.raises(BadSourceData, match=r"X: .*X\.csv is not a regular file"):
        source.fetch("X", None)
    assert len(source.fetch("GOOD", None).bars) == 3


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "elsewhere", "A", BARS)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "B.csv").symlink_to(file)
    assert len(FolderSource(str(tmp_path / "own"), "as_traded").fetch("B", None).bars) == 3


def test_a_pipe_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "all.parquet")
    with pytest.raises(SourceSettings, match="neither a folder nor a file"):
        FolderSource(str(tmp_path / "all.parquet"), "as_traded")


# --- days ---


def parquet_of(folder: Path, ticker: str, frame: pd.DataFrame) -> FolderSource:
    """Write a frame to a ticker's Parquet file, and return its folder as a source."""
    frame.to_parquet(folder / f"{ticker}.parquet")
    return FolderSource(str(folder), "as_traded")


def priced(days: pd.DatetimeIndex) -> pd.DataFrame:
    """Return a frame with prices and a column of dates."""
    return pd.DataFrame({"date": days, **dict.fromkeys(("open", "high", "low", "close"), BARS.close)})


ZONES = {"7203.T": "Asia/Tokyo", "IBM": "America/New_York", "VOD.L": "Europe/London", "BHP.AX": "Australia/Sydney"}


@pytest.mark.parametrize("hour", [0, 9, 16], ids=["midnight", "open", "close"])
@pytest.mark.parametrize("written", ["UTC", "own"])
@pytest.mark.parametrize("ticker", ZONES)
def test_instants_with_a_zone_are_the_sessions_of_their_exchange(tmp_path: Path, ticker: str, written: str, hour: int) -> None:
    local = (pd.DatetimeIndex(BARS.session) + pd.Timedelta(hours=hour)).tz_localize(ZONES[ticker])
    days = local.tz_convert("UTC") if written == "UTC" else local
    fetched = parquet_of(tmp_path, ticker, priced(days)).fetch(ticker, None)
    assert np.array_equal(fetched.bars.session, BARS.session)
    texts = priced(days).assign(date=[str(day) for day in days])
    (tmp_path / "csv").mkdir()
    texts.to_csv(tmp_path / "csv" / f"{ticker}.csv", index=False)
    fetched = FolderSource(str(tmp_path / "csv"), "as_traded").fetch(ticker, None)
    assert np.array_equal(fetched.bars.session, BARS.session)


@pytest.mark.parametrize("ticker", ZONES)
def test_midnight_in_utc_is_the_day_as_written(tmp_path: Path, ticker: str) -> None:
    days = pd.DatetimeIndex(BARS.session).tz_localize("UTC")
    assert np.array_equal(parquet_of(tmp_path, ticker, priced(days)).fetch(ticker, None).bars.session, BARS.session)


@pytest.mark.parametrize("index", ["date", "Date", None])
def test_a_parquet_with_dates_in_its_index_and_in_a_column_is_read(tmp_path: Path, index: str | None) -> None:
    frame = priced(pd.DatetimeIndex(BARS.session))
    frame.index = pd.DatetimeIndex(BARS.session, name=index)
    assert len(parquet_of(tmp_path, "A", frame).fetch("A", None).bars) == 3


def test_a_parquet_with_dates_in_one_level_of_its_index_is_read(tmp_path: Path) -> None:
    frame = priced(pd.DatetimeIndex(BARS.session)).assign(symbol="A").set_index(["symbol", "date"])
    assert len(parquet_of(tmp_path, "A", frame).fetch("A", None).bars) == 3


def test_a_row_without_a_date_is_named(tmp_path: Path) -> None:
    frame = priced(pd.DatetimeIndex(BARS.session))
    frame.loc[1, "date"] = pd.NaT
    with pytest.raises(BadSourceData, match="1 row without a date"):
        parquet_of(tmp_path, "A", frame).fetch("A", None)
