"""The folder source: what a file says, what must be stated, and how a bad file is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.price_builders import bars_of_closes, write_csv
from tickercast.jobs.prices.sources import open_source
from tickercast.jobs.prices.sources.base import BadSourceData, SourceSettings, UnknownTicker
from tickercast.jobs.prices.sources.folder import FolderSource, parse_splits
from tickercast.jobs.workspace.home import Home

DATA = Path(__file__).parent / "data"


def folder_of(folder: Path, *names: str) -> FolderSource:
    """Return the source of a folder with one bar in a file of each name."""
    paths = [write_csv(folder, name, bars_of_closes(1.0)) for name in names]
    return FolderSource(str(paths[0].parent), "split")


def folder_with(folder: Path, text: str, name: str = "A.csv", adjustment: str = "split") -> FolderSource:
    """Return the source of a folder with one file of some text."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return FolderSource(str(folder), adjustment)


def test_split_adjusted_prices_with_their_split_are_what_was_traded(tmp_path: Path) -> None:
    head, *lines = (DATA / "GOOGL_splitadj.csv").read_text().splitlines()
    text = "\n".join([f"{head},split", *(f"{line},0" for line in lines), "2022-07-18,112,114,108,109,109,1,20"])
    ours = folder_with(tmp_path / "after", text, "GOOGL.csv").fetch("GOOGL", None)
    before = (DATA / "GOOGL_presplit.csv").read_text()
    theirs = folder_with(tmp_path / "before", before, "GOOGL.csv", "as_traded").fetch("GOOGL", None)
    assert ours.listing.price_basis == "as_traded"
    assert np.allclose(ours.bars.close[:-1], theirs.bars.close, rtol=1e-4)
    assert np.allclose(ours.bars.volume[:-1], theirs.bars.volume, rtol=1e-2)


@pytest.mark.parametrize(
    ("ex_date", "closes", "splits"),
    [
        ("2024-03-05", [200.0, 101.0], [1.0, 2.0]),
        ("2024-03-02", [100.0, 101.0], [2.0, 1.0]),
        ("2024-03-06", [200.0, 202.0], [1.0, 1.0]),
    ],
    ids=["on a bar", "before the first bar", "after the last bar"],
)
def test_a_stated_split_counts_from_the_first_bar_at_or_after_it(
    tmp_path: Path, ex_date: str, closes: list[float], splits: list[float]
) -> None:
    write_csv(tmp_path, "A", bars_of_closes(100.0, 101.0, start="2024-03-04"))
    bars = FolderSource(str(tmp_path), "split", {"A": {date.fromisoformat(ex_date): 2.0}}).fetch("A", None).bars
    assert (bars.close.tolist(), bars.split.tolist()) == (closes, splits)


def test_a_stated_split_is_read_with_its_ticker_and_day() -> None:
    splits = parse_splits(["GOOGL 2022-07-18 20:1", " googl 2014-04-03 2.002/1 ", "C 2011-05-09 1:10"])
    assert splits == {
        "GOOGL": {date(2022, 7, 18): 20.0, date(2014, 4, 3): 2.002}, "C": {date(2011, 5, 9): 0.1}
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "GOOGL",
        "GOOGL 2022-02-30 20:1",
        "GOOGL 2022-07-18 20:0",
        "GOOGL 2022-07-18 0:1",
        "../X 2022-07-18 2:1",
        "A 2022-07-18 1.:.",
        "",
    ],
)
def test_a_split_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(SourceSettings, match=rf"source\.splits has {re.escape(repr(text))}"):
        parse_splits([text])


def test_a_split_that_cannot_be_read_stops_a_command(make_home: Callable[[str, str], Home], tmp_path: Path) -> None:
    home = make_home("bad", f'[source]\nkind = "folder"\npath = "{tmp_path}"\nadjustment = "split"\nsplits = ["GOOGL"]\n')
    with pytest.raises(SourceSettings, match=r"source\.splits has 'GOOGL'"):
        open_source(home)


def test_rows_newest_first_with_time_zones_keep_their_days(tmp_path: Path) -> None:
    rows = "2024-03-05 00:00:00-05:00,2,2,2,2,5\n2024-03-04 00:00:00+09:00,1,1,1,1,5\n"
    source = folder_with(tmp_path, f"Date,Open,High,Low,Close,Volume\n{rows}")
    assert source.fetch("A", None).bars.session.tolist() == [date(2024, 3, 4), date(2024, 3, 5)]


def test_columns_are_found_in_any_case_and_others_ignored(tmp_path: Path) -> None:
    source = folder_with(tmp_path, " DATE ,Open,HIGH,low,Close,Volume,Note\n2024-03-04,2,4,1,3,5,x\n")
    bars = source.fetch("A", None).bars
    assert (bars.open[0], bars.high[0], bars.low[0], bars.close[0], bars.volume[0]) == (2.0, 4.0, 1.0, 3.0, 5)


def test_bars_as_the_bars_command_writes_them_are_read(tmp_path: Path) -> None:
    bars = folder_with(tmp_path, "session,open,high,low,close,volume\n2024-03-04,2,4,1,3,5\n").fetch("A", None).bars
    assert bars.session.tolist() == [date(2024, 3, 4)]


@pytest.mark.parametrize(
    ("adjustment", "dividend"), [("as_traded", 2.0), ("full", 0.0)], ids=["derived", "already in the prices"]
)
def test_dividends_are_derived_from_the_adjusted_close(tmp_path: Path, adjustment: str, dividend: float) -> None:
    text = "date,open,high,low,close,adj close\n2024-03-04,100,100,100,100,98\n2024-03-05,98,98,98,98,98\n"
    bars = folder_with(tmp_path, text, adjustment=adjustment).fetch("A", None).bars
    assert bars.dividend.tolist() == pytest.approx([0.0, dividend])


def test_a_dividend_column_outweighs_the_adjusted_close(tmp_path: Path) -> None:
    text = "date,open,high,low,close,adj close,dividends\n2024-03-04,9,9,9,9,8,0\n2024-03-05,9,9,9,9,9,0.5\n"
    assert folder_with(tmp_path, text).fetch("A", None).bars.dividend.tolist() == [0.0, 0.5]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a,b\n1,2\n", "no column date"),
        ("date,open,high,low,close\n2024-03-04,1,1,1,x\n", "x"),
        ("date,open,high,low,close\nsoon,1,1,1,1\n", "'soon' is not a date; write it like 2026-03-06"),
        (
            "date,open,high,low,close\n2024-03-04,1,1,1,0\n",
            "no usable row in .*; 1 refused row, the first: 2024-03-04 close is zero",
        ),
        ("date,open,high,low,close,Open\n2024-03-04,1,1,1,1,1\n", "two columns have the same name"),
        ("", "cannot be read"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, wrong: str) -> None:
    with pytest.raises(BadSourceData, match=wrong):
        folder_with(tmp_path, text).fetch("A", None)


@pytest.mark.parametrize("adjustment", ["", "splits"])
def test_a_folder_needs_a_stated_adjustment(tmp_path: Path, adjustment: str) -> None:
    with pytest.raises(SourceSettings, match="--adjustment as_traded, split or full"):
        FolderSource(str(tmp_path), adjustment)


@pytest.mark.parametrize("path", ["", "/no/such/folder"])
def test_a_folder_that_does_not_exist_is_named(path: str) -> None:
    with pytest.raises(SourceSettings, match=f"folder '{path}' does not exist"):
        FolderSource(path, "split")


def test_an_unknown_ticker_of_a_folder_is_answered_with_its_first_tickers(tmp_path: Path) -> None:
    with pytest.raises(UnknownTicker, match=r"Z: not in .*; it has A, B, C, D, E and 2 more"):
        folder_of(tmp_path, *"ABCDEFG").fetch("Z", None)


def test_a_file_without_the_name_of_a_ticker_is_no_part_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    assert folder_of(tmp_path, "A", "read me").tickers() == ["A"]


def test_a_folder_without_price_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceSettings, match="has no CSV and no Parquet file"):
        FolderSource(str(tmp_path), "split").tickers()


def test_one_parquet_with_a_ticker_column_holds_many(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    day = np.array(["2024-03-04", "2024-03-04"], dtype="datetime64[D]")
    columns = {"date": pa.array(day), "ticker": ["A", "B"], **{n: [1.0, 2.0] for n in ("open", "high", "low", "close")}}
    pq.write_table(pa.table(columns), tmp_path / "all.parquet")
    source = FolderSource(str(tmp_path), "full")
    assert source.tickers() == ["A", "B"]
    fetch = source.fetch("B", None)
    assert (fetch.bars.close[0], fetch.listing.price_basis) == (2.0, "fully_adjusted")


def test_a_file_with_all_tickers_is_read_again_after_its_rows_were_freed(tmp_path: Path) -> None:
    table = pd.DataFrame({
        "ticker": ["AAA", "BBB", "AAA"], "date": ["2024-03-04", "2024-03-04", "2024-03-05"],
        **dict.fromkeys(("open", "high", "low", "close", "volume"), 10.0),
    })  # fmt: skip
    table.to_parquet(tmp_path / "all.parquet")
    source = FolderSource(str(tmp_path), "split")
    before = source.fetch("AAA", None).bars
    source.forget_rows()
    assert source.fetch("AAA", None).bars.session.tolist() == before.session.tolist() == [date(2024, 3, 4), date(2024, 3, 5)]
