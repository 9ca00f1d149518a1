"""Many tickers: workers and sets store what one ticker after the other would, and plain Parquet gives what CSV gives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from tests.price_builders import sample_bars, write_csv
from tickercast.jobs.prices import ingest as ingest_module
from tickercast.jobs.prices.answers import Answer, FolderPart
from tickercast.jobs.prices.bindings import Sources
from tickercast.jobs.prices.ingest import Ingest
from tickercast.jobs.prices.sources.base import Fetch
from tickercast.jobs.prices.sources.folder import FolderSource
from tickercast.jobs.prices.sources.price_columns import plain_columns
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage import digests, writes
from tickercast.storage.bars import VALUE_FIELDS, Bars
from tickercast.storage.database import Engine, open_writer, reading, upgrade_database
from tickercast.storage.verify import content_hash

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
TICKERS = [f"{name}-{letter}" for name in ("IBM", "MSFT", "AAPL") for letter in "ABC"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with nine tickers, one of which has a bad row and one nothing usable."""
    made = tmp_path / "feed"
    for ticker in TICKERS:
        write_csv(made, ticker, sample_bars(ticker.split("-")[0], "2012-01-03"))
    (made / "IBM-B.csv").write_text("date,open,high,low,close,volume\n2012-01-03,1,2,3,1,5\n")
    return made


@pytest.fixture
def make_home(tmp_path: Path, folder: Path) -> Iterator[Callable[[str], tuple[Home, Engine]]]:
    """Return what makes a home that reads the folder."""
    engines = []

    def make(name: str) -> tuple[Home, Engine]:
        folder_settings = {"source.kind": "folder", "source.path": str(folder), "source.adjustment": "as_traded"}
        home = create_home(tmp_path / name, settings=folder_settings)
        upgrade_database(home.database)
        engines.append(open_writer(home.database))
        return home, engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


def at_once(work: Callable[[FolderPart], list[Answer]], part: FolderPart) -> Future[list[Answer]]:
    """Do what a worker would."""
    done: Future[list[Answer]] = Future()
    done.set_result(work(part))
    return done


def ingest_of(home: Home, engine: Engine) -> Ingest:
    return Ingest(engine, home.prices, Sources(home), NOW, 15, None)


def stored(home: Home) -> tuple[str, list[tuple[object, ...]]]:
    """Return the hash of a home's record, and its tickers with their errors."""
    with reading(home.database) as connection:
        rows = connection.execute(sa.text("SELECT symbol, status, last_error, kind, currency FROM tickers ORDER BY symbol"))
        return content_hash(connection), [tuple(row) for row in rows]


def test_parts_read_by_workers_store_what_single_fetches_store(
    make_home: Callable[[str], tuple[Home, Engine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "AT_ONCE", 2)
    alone, together = make_home("alone"), make_home("together")
    one_by_one = [ingest_of(*alone).fetch(ticker) for ticker in TICKERS]
    in_parts = list(ingest_of(*together).fetch_by_workers(TICKERS, at_once, threading.Event()))
    assert [str(found.error) for found in in_parts] == [str(found.error) for found in one_by_one]
    assert [found.symbol for found in in_parts] == TICKERS
    assert stored(together[0]) == stored(alone[0])


def test_a_stop_keeps_the_tickers_that_were_fetched_before_it(make_home: Callable[[str], tuple[Home, Engine]]) -> None:
    home, engine = make_home("home")
    stop = threading.Event()
    ingest = ingest_of(home, engine)
    found = []
    for ticker in ingest.fetch_all(TICKERS[:1] * 3 + TICKERS[2:], stop):
        found.append(ticker.symbol)
        stop.set()
    with reading(home.database) as connection:
        assert found == list(connection.execute(sa.text("SELECT symbol FROM tickers ORDER BY id")).scalars())


def test_an_unchanged_folder_is_read_once(
    make_home: Callable[[str], tuple[Home, Engine]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, engine = make_home("home")
    ingest = ingest_of(home, engine)
    list(ingest.fetch_by_workers(TICKERS, at_once, threading.Event()))
    fetch, reads = FolderSource.fetch, []

    def counted(self: FolderSource, ticker: str, *rest: Any) -> Fetch:
        reads.append(ticker)
        return fetch(self, ticker, *rest)

    monkeypatch.setattr(FolderSource, "fetch", counted)
    again = list(ingest.fetch_by_workers(TICKERS, at_once, threading.Event()))
    assert (len(again), reads) == (9, ["IBM-B"])


def test_changed_tickers_keep_their_digests(make_home: Callable[[str], tuple[Home, Engine]]) -> None:
    home, engine = make_home("home")
    list(ingest_of(home, engine).fetch_all(TICKERS))
    with engine.begin() as connection:
        writes.update_tickers(connection, [{"id": 1, "currency": "CHF"}, {"id": 2, "currency": "USD"}])
    with reading(home.database) as connection:
        assert list(digests.changed_tables(connection)) == []


def parquet_of(frame: pd.DataFrame) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    return bytes(sink.getvalue())


def frame_of(bars: Bars) -> pd.DataFrame:
    values = {name: getattr(bars, name) for name in VALUE_FIELDS}
    return pd.DataFrame({"Date": bars.session.tolist(), **values, "kind": "stock"})


@pytest.mark.parametrize("adjustment", ["as_traded", "split", "full"])
def test_plain_parquet_gives_the_bars_of_the_same_rows_as_csv(tmp_path: Path, adjustment: str) -> None:
    frame = frame_of(sample_bars("AAPL", "2005-01-03")).iloc[::-1]
    frame.loc[frame.index[5], ["volume", "dividend", "split"]] = np.nan
    for name, content in (("csv", frame.to_csv(index=False).encode()), ("parquet", parquet_of(frame))):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"AAPL.{name}").write_bytes(content)
    plain, table = (FolderSource(str(tmp_path / name), adjustment).fetch("AAPL", None) for name in ("parquet", "csv"))
    assert plain_columns((tmp_path / "parquet" / "AAPL.parquet").read_bytes()) is not None
    assert (plain.listing, plain.refused) == (table.listing, table.refused)
    for name in ("session", *VALUE_FIELDS):
        np.testing.assert_array_equal(getattr(plain.bars, name), getattr(table.bars, name))


@pytest.mark.parametrize(
    "changed",
    [{"Date": "2024-01-02"}, {"Date": pd.Timestamp("2024-01-02", tz="UTC")}, {"close": "1.5"}, {"Close": 1.0}, {"kind": 3}],
    ids=["texts", "instants", "text number", "two names", "number kind"],
)
def test_anything_else_goes_through_a_table(changed: dict[str, object]) -> None:
    assert plain_columns(parquet_of(frame_of(sample_bars("IBM", "2012-01-03")).assign(**changed))) is None
