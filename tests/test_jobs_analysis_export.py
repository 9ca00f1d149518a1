"""The export: every view in true types and in place, only what changed again, and no state in between for a reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tests.builders import (
    COLD_ORIGIN,
    IBM,
    MSFT,
    SESSIONS,
    WARM_ORIGIN,
    Record,
    add_origins,
    bar_file,
    model_row,
    origin_row,
    score_row,
)
from tests.exports import NOW, data_of, export_of
from tickercast.jobs.analysis import export_folder
from tickercast.jobs.analysis.export import Exported
from tickercast.jobs.terminal.typed_columns import schema_of
from tickercast.storage import schema, writes
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import as_known
from tickercast.storage.database import Connection
from tickercast.storage.rows import LossRow
from tickercast.storage.ticker_versions import SOURCES
from tickercast.storage.views import VIEWS, View

ODD_SYMBOLS = ("^GSPC", "BRK-B", "EURUSD=X", "M&M.NS", "600519", "NA", "2024-01-01")


@pytest.fixture(scope="module")
def exported(sound_record: Record, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the export of the small record. Tests share it and must not change it."""
    export_of(sound_record, folder := tmp_path_factory.mktemp("export") / "new")
    return folder


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_a_dataset_has_the_rows_of_its_view_in_true_types(sound_record: Record, exported: Path, view: View) -> None:
    found = ds.dataset(exported / view.name, partitioning="hive").to_table().select(view.names)
    assert found.schema.equals(schema_of(view.columns), check_metadata=False)
    query = f"SELECT {', '.join(view.names)} FROM {view.name}"
    stored = [tuple(map(as_stored, row.values())) for row in found.to_pylist()]
    assert sorted(stored, key=repr) == sorted((of_no_ticker(view, row) for row in sound_record.rows(query)), key=repr)


def as_stored(value: Any) -> Any:
    """Return a value of Parquet as SQLite has it."""
    if isinstance(value, bool):
        return int(value)
    if hasattr(value, "tzinfo"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return value.isoformat() if hasattr(value, "isoformat") else value


def of_no_ticker(view: View, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row of a view with ticker * for NULL."""
    return tuple("*" if name == "ticker" and value is None else value for name, value in zip(view.names, row, strict=True))


def test_types_are_those_that_readers_need(exported: Path) -> None:
    found = ds.dataset(exported / "outcome", partitioning="hive").schema
    assert [found.field(name).type for name in ("target", "made_at", "inside_90", "horizon", "q05", "ticker")] == [
        pa.date32(), pa.timestamp("us", tz="UTC"), pa.bool_(), pa.int64(), pa.float64(), pa.string(),
    ]  # fmt: skip


def test_a_view_without_rows_has_columns_for_every_reader(exported: Path) -> None:
    folder = exported / "gate" / "ticker=%2A"
    assert pq.read_table(folder / "data.parquet").num_rows == 0
    assert duckdb.sql(f"SELECT session FROM '{exported}/restatement/*/*.parquet' WHERE ticker = 'MSFT'").fetchall() == []


def test_odd_symbols_are_read_in_place_as_they_are(record: Record, tmp_path: Path) -> None:
    add_tickers(record, *ODD_SYMBOLS)
    export_of(record, folder := tmp_path / "out", "freshness", "gate")
    expected = sorted(["IBM", "MSFT", *ODD_SYMBOLS])
    pyarrow = ds.dataset(folder / "freshness", partitioning="hive").to_table()["ticker"].to_pylist()
    duck = duckdb.sql(f"SELECT ticker FROM '{folder}/freshness/*/*.parquet'").fetchall()
    polars = pl.read_parquet(folder / "freshness", hive_partitioning=True)["ticker"].to_list()
    assert (sorted(pyarrow), sorted(ticker for (ticker,) in duck), sorted(polars)) == (expected, expected, expected)


def test_tickers_of_digits_alone_stay_text(record: Record, tmp_path: Path) -> None:
    with record.writing() as connection:
        writes.rename_ticker(connection, IBM, "600519", on=SESSIONS[0])
        writes.rename_ticker(connection, MSFT, "000001", on=SESSIONS[0])
    export_of(record, folder := tmp_path / "out", "bar")
    assert ds.dataset(folder / "bar", partitioning="hive").schema.field("ticker").type == pa.string()
    assert duckdb.sql(f"SELECT DISTINCT ticker FROM '{folder}/bar/*/*.parquet' ORDER BY 1").fetchall() == [
        ("000001",),
        ("600519",),
    ]
    assert pl.read_parquet(folder / "bar", hive_partitioning=True)["ticker"].dtype == pl.String


def add_tickers(record: Record, *symbols: str) -> None:
    """Add tickers that have nothing yet."""
    with record.writing() as connection:
        listing = read_bars(record.prices, *record.rows("SELECT path, sha256 FROM price_files LIMIT 1")[0]).listing
        for symbol in symbols:
            writes.add_ticker(connection, symbol, listing, source="folder", tracked=True, at=NOW)


def test_a_second_export_writes_nothing(sound_record: Record, exported: Path) -> None:
    files = len(data_of(exported))
    assert export_of(sound_record, exported) == Exported(written=0, unchanged=files, removed=0, bytes=0)


def new_origin(connection: Connection, record: Record) -> None:
    writes.insert_models(connection, [model_row("next", SESSIONS[4], start="warm", parent_id="warm", depth=2)], run_id=1)
    writes.insert_losses(connection, [LossRow("next", 0, 1.4, None, 0.3, 0.01)])
    add_origins(connection, origin_row(SESSIONS[4], "next"))


def new_score(connection: Connection, record: Record) -> None:
    writes.insert_mappings(connection, schema.Score, [score_row(WARM_ORIGIN, 1)])


def revised_score(connection: Connection, record: Record) -> None:
    writes.insert_mappings(connection, schema.Score, [score_row(COLD_ORIGIN, 1, revision=1, realised_return=0.02)])


def new_bar(connection: Connection, record: Record) -> None:
    file = bar_file(record.prices, "IBM", bars=6)
    writes.record_price_file(connection, IBM, file, [], price_basis="as_traded", at=NOW)
    writes.copy_bars(connection, IBM, as_known(read_bars(record.prices, file.path, file.sha256)))


def new_symbol(connection: Connection, record: Record) -> None:
    writes.rename_ticker(connection, IBM, "BIG", on=SESSIONS[-1])


def new_status(connection: Connection, record: Record) -> None:
    writes.update_ticker(connection, IBM, status="suspended", last_error="404")


def new_config(connection: Connection, record: Record) -> None:
    row = {"id": "new", "preset": "article", "field": "open", "settings": "{}", "created_at": NOW}
    writes.ensure_config(connection, row, active_id="new")


def forgotten(connection: Connection, record: Record) -> None:
    writes.forget_ticker(connection, MSFT)


OF_IBM = "ticker=IBM"
# Those with versions, and some of the others.
COMPARED = (*SOURCES, "latest_forecast", "calibration", "freshness", "price_file", "config")
CHANGES: list[tuple[Callable[[Connection, Record], None], set[str]]] = [
    (new_origin, {"forecast_history", "outcome", "loss_curve", "model_lineage", "latest_forecast", "freshness"}),
    (new_score, {"outcome", "scored_forecast", "calibration"}),
    (revised_score, {"outcome", "scored_forecast"}),
    (new_bar, {"bar", "outcome", "freshness", "price_file"}),
    (new_symbol, {"bar"}),
    (new_status, {"freshness"}),
    (new_config, {"config"}),
    (forgotten, {"bar"}),
]


@pytest.mark.parametrize(("change", "views"), CHANGES, ids=lambda value: getattr(value, "__name__", ""))
def test_after_any_change_an_old_export_becomes_what_a_new_one_is(
    record: Record, tmp_path: Path, change: Callable[[Connection, Record], None], views: set[str]
) -> None:
    export_of(record, old := tmp_path / "old", *COMPARED)
    before = data_of(old)
    with record.writing() as connection:
        change(connection, record)
    export_of(record, old, *COMPARED)
    export_of(record, new := tmp_path / "new", *COMPARED)
    after = data_of(old)
    assert after == data_of(new)
    assert views <= {name.split("/")[0] for name, content in after.items() if before.get(name) != content} | {
        name.split("/")[0] for name in before.keys() - after.keys()
    }


def test_only_the_tickers_with_something_new_are_read_and_written(record: Record, tmp_path: Path) -> None:
    export_of(record, folder := tmp_path / "out", "bar", "forecast_history")
    with record.writing() as connection:
        new_bar(connection, record)
    assert export_of(record, folder, "bar", "forecast_history").written == 1


def test_a_renamed_ticker_leaves_its_old_folder(record: Record, tmp_path: Path) -> None:
    export_of(record, folder := tmp_path / "out", "bar")
    with record.writing() as connection:
        new_symbol(connection, record)
    assert export_of(record, folder, "bar").removed == 1
    assert sorted(path.name for path in (folder / "bar").iterdir()) == ["ticker=%2A", "ticker=BIG", "ticker=MSFT"]


def test_what_a_reader_has_open_stays_as_it_was(record: Record, tmp_path: Path) -> None:
    export_of(record, folder := tmp_path / "out", "bar")
    with (folder / "bar" / OF_IBM / "data.parquet").open("rb") as reader:
        with record.writing() as connection:
            new_bar(connection, record)
        export_of(record, folder, "bar")
        assert pq.read_table(reader).num_rows == 5
    assert pq.read_table(folder / "bar" / OF_IBM / "data.parquet").num_rows == 6
    assert not (folder / export_folder.PARTIAL).exists()


def test_other_files_in_the_folder_of_a_ticker_that_is_gone_stay(record: Record, tmp_path: Path) -> None:
    export_of(record, folder := tmp_path / "out", "bar")
    mine = folder / "bar" / OF_IBM / "notes.txt"
    mine.write_text("mine")
    with record.writing() as connection:
        new_symbol(connection, record)
    export_of(record, folder, "bar")
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
