"""Values that a format has no word for, columns of one name, and files that appear whole or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tickercast.jobs.errors import UsageError
from tickercast.jobs.terminal import parquet_rows
from tickercast.jobs.terminal.formats import distinct_names, write_csv, write_json, write_ndjson
from tickercast.jobs.terminal.output import Format, write_rows
from tickercast.jobs.terminal.parquet_rows import write_parquet

INFINITE = float("inf")


def parquet_of(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> pa.Table:
    stream = io.BytesIO()
    write_parquet(columns, rows, stream)
    return pq.read_table(pa.BufferReader(stream.getvalue()))


def text_of(write: Callable[..., None], columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    stream = io.StringIO()
    write(columns, rows, stream)
    return stream.getvalue()


def test_an_infinity_and_a_nan_are_null_in_json() -> None:
    rows = [(1.5, INFINITE), (-INFINITE, float("nan"))]
    assert json.loads(text_of(write_json, ("a", "b"), rows)) == [{"a": 1.5, "b": None}, {"a": None, "b": None}]
    assert text_of(write_ndjson, ("a", "b"), rows) == '{"a": 1.5, "b": null}\n{"a": null, "b": null}\n'


def test_json_of_some_rows_is_what_the_standard_library_writes() -> None:
    rows = [('a\n"b"', 1), ("é", None), ("", 2.25)]
    expected = json.dumps([{"x": x, "y": y} for x, y in rows], indent=1) + "\n"
    assert text_of(write_json, ("x", "y"), rows) == expected


@pytest.mark.parametrize("write", [write_csv, write_json, write_ndjson])
def test_bytes_are_hexadecimal_text(write: Callable[..., None]) -> None:
    assert "00FF41" in text_of(write, ("a", "b"), [(b"\x00\xffA", 1)])


def test_bytes_stay_bytes_in_parquet() -> None:
    assert parquet_of(("a",), [(b"\x00\xff",)]).to_pylist() == [{"a": b"\x00\xff"}]


@pytest.mark.parametrize(
    ("names", "distinct"),
    [
        (("a", "b"), ("a", "b")),
        (("a", "a", "a"), ("a", "a_2", "a_3")),
        (("a", "a", "a_2"), ("a", "a_3", "a_2")),
        (("", ""), ("", "_2")),
    ],
)
def test_two_columns_of_one_name_get_a_number(names: tuple[str, ...], distinct: tuple[str, ...]) -> None:
    assert distinct_names(names) == distinct


@pytest.mark.parametrize("output_format", ["csv", "json", "ndjson", "parquet"])
def test_no_format_loses_the_second_column_of_one_name(tmp_path: Path, output_format: Format) -> None:
    write_rows(("n", "n"), [(1, 2)], output_format, out=tmp_path / "out")
    content = (tmp_path / "out").read_bytes()
    assert (b"n_2" in content, b"2" in content) == (True, True)


@pytest.mark.parametrize(
    ("values", "type_", "stored"),
    [
        ([None, None], pa.null(), [None, None]),
        ([None, 1], pa.int64(), [None, 1]),
        ([1, 0.5], pa.float64(), [1.0, 0.5]),
        ([1, "x", 0.5], pa.string(), ["1", "x", "0.5"]),
        (["x", b"\xff"], pa.string(), ["x", "FF"]),
        ([True, False], pa.bool_(), [True, False]),
        ([2**60 + 1, 0.5], pa.string(), ["1152921504606846977", "0.5"]),
        ([2**63, 1], pa.string(), ["9223372036854775808", "1"]),
        ([INFINITE, 1.0], pa.float64(), [INFINITE, 1.0]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows_in_group", [1, 10])
def test_a_parquet_column_has_the_type_that_holds_all_its_values(
    monkeypatch: pytest.MonkeyPatch, rows_in_group: int, values: list[object], type_: pa.DataType, stored: list[object]
) -> None:
    monkeypatch.setattr(parquet_rows, "VALUES_IN_GROUP", rows_in_group)
    column = parquet_of(("x",), [(value,) for value in values]).column("x")
    assert (column.type, column.to_pylist()) == (type_, stored)


def test_parquet_is_written_by_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "VALUES_IN_GROUP", 100)
    stream = io.BytesIO()
    write_parquet(("x",), ((n,) for n in range(250)), stream)
    assert pq.ParquetFile(pa.BufferReader(stream.getvalue())).num_row_groups == 3


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.csv", b"x\n1\n"), ("a.json", b"[\n {"), ("a.ndjson", b'{"x"'), ("a.PARQUET", b"PAR1"), ("a.txt", b"x\n")],
)
def test_the_extension_of_a_file_says_its_format(tmp_path: Path, name: str, start: bytes) -> None:
    write_rows(("x",), [(1,)], out=tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_a_stated_format_outranks_the_extension(tmp_path: Path) -> None:
    write_rows(("x",), [(1,)], "csv", out=tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "x\n1\n"


def test_an_extension_that_says_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="give --format"):
        write_rows(("x",), [(1,)], out=tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_fails_half_way_leaves_no_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise ValueError("half-way")

    (tmp_path / "old.csv").write_text("mine")
    for name in ("old.csv", "new.csv"):
        with pytest.raises(ValueError, match="half-way"):
            write_rows(("x",), rows(), out=tmp_path / name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("old.csv", "mine")]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none/a\.csv: cannot be written: No such file"):
        write_rows(("x",), [(1,)], out=tmp_path / "none" / "a.csv")


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    device = Path("/dev/null")
    write_rows(("x",), [(1,)], "csv", out=device)
    assert device.is_char_device()


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "target.csv")
    write_rows(("x",), [(1,)], out=tmp_path / "link.csv")
    assert ((tmp_path / "link.csv").is_symlink(), (tmp_path / "target.csv").read_text()) == (True, "x\n1\n")


def test_text_that_no_encoding_has_is_escaped_in_a_file(tmp_path: Path) -> None:
    write_rows(("x",), [("\ud800",)], out=tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "x\n\\ud800\n"
