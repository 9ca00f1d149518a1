"""What is written to stdout: each format by hand, and text that cannot steer a terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tickercast.jobs.terminal.output import Format, write_rows
from tickercast.jobs.terminal.tables import Table, TableColumn, table_of, write_table
from tickercast.jobs.terminal.text import counted, printable

COLUMNS = ("ticker", "session", "close", "volume", "note")
ROWS = [
    ("MSFT", date(2026, 3, 6), 412.3456, 1200, None),
    ("^GSPC", date(2026, 3, 6), 0.123456, 7, 'says "hi", twice'),
]

Written = Callable[[Format], str]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Written:
    """Return a function that gives what a format writes for the rows above."""

    def write(output_format: Format) -> str:
        write_rows(COLUMNS, ROWS, output_format)
        return capsys.readouterr().out

    return write


def lines_of(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> list[str]:
    stream = io.StringIO()
    write_table(table_of(columns, rows), stream)
    return stream.getvalue().splitlines()


def test_a_table_aligns_numbers_to_the_right_and_text_to_the_left() -> None:
    assert lines_of(COLUMNS, ROWS) == [
        "ticker  session        close  volume  note",
        "MSFT    2026-03-06  412.3456    1200",
        '^GSPC   2026-03-06    0.1235       7  says "hi", twice',
    ]


def test_scores_that_differ_look_different() -> None:
    assert lines_of(("crps", "baseline_crps"), [(0.00882, 0.00887), (0.0101, None)]) == [
        "    crps  baseline_crps",
        "0.008820       0.008870",
        "0.010100",
    ]


def test_a_table_without_rows_is_its_header() -> None:
    assert lines_of(("ticker", "n"), []) == ["ticker  n"]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""), (0, "0"), (True, "True"), (9.99994, "9.9999"), (10.0, "10.00"), (-10.0, "-10.00"), (-9.5, "-9.5000"),
        (1234567.891, "1234567.89"), ("a\tb\x1b[31m\u202e", r"a\tb\x1b[31m\u202e"), (date(2026, 3, 6), "2026-03-06"),
        (b"\x01\xff", "01FF"), (-0.0, "0.0000"),
    ],
)  # fmt: skip
def test_a_cell_is_rounded_and_escaped(value: object, cell: str) -> None:
    assert lines_of(("x",), [(value,)])[1].strip() == cell


def test_a_column_of_numbers_and_gaps_is_flush_right_and_a_column_of_truths_is_not() -> None:
    assert lines_of(("number", "truth"), [(1, True), (None, None), (22, False)]) == [
        "number  truth",
        "     1  True",
        "",
        "    22  False",
    ]


def test_a_table_shows_what_the_command_made_for_people_and_its_notes_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(COLUMNS, ROWS, "table", table=lambda: Table((TableColumn("name"),), [["Microsoft"]], ("1 of 2",)))
    assert capsys.readouterr() == ("name\nMicrosoft\n", "1 of 2\n")


@pytest.mark.parametrize("output_format", ["csv", "json", "ndjson"])
def test_other_formats_take_the_rows_and_write_no_notes(capsys: pytest.CaptureFixture[str], output_format: Format) -> None:
    write_rows(COLUMNS, ROWS, output_format, table=lambda: Table((TableColumn("name"),), [["Microsoft"]], ("1 of 2",)))
    written = capsys.readouterr()
    assert "412.3456" in written.out
    assert written.err == ""


def test_csv_is_unrounded_and_quoted(written: Written) -> None:
    assert written("csv") == (
        'ticker,session,close,volume,note\nMSFT,2026-03-06,412.3456,1200,\n^GSPC,2026-03-06,0.123456,7,"says ""hi"", twice"\n'
    )


def test_json_is_a_list_of_objects(written: Written) -> None:
    assert json.loads(written("json")) == [
        {"ticker": "MSFT", "session": "2026-03-06", "close": 412.3456, "volume": 1200, "note": None},
        {"ticker": "^GSPC", "session": "2026-03-06", "close": 0.123456, "volume": 7, "note": 'says "hi", twice'},
    ]


def test_json_is_indented_and_ends_its_line(written: Written) -> None:
    assert written("json").startswith('[\n {\n  "ticker": "MSFT",\n  "session": "2026-03-06",\n')
    assert written("json").endswith("\n }\n]\n")


def test_parquet_has_every_column_and_type(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    write_rows(COLUMNS, ROWS, "parquet", table=lambda: Table((), []))
    table = pq.read_table(pa.BufferReader(capsysbinary.readouterr().out))
    assert table.to_pylist() == [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize(("output_format", "text"), [("csv", "a,b\n"), ("json", "[]\n"), ("ndjson", ""), ("table", "a  b\n")])
def test_no_rows_are_the_header_alone(capsys: pytest.CaptureFixture[str], output_format: Format, text: str) -> None:
    write_rows(("a", "b"), [], output_format)
    assert capsys.readouterr().out == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain é 日本", "plain é 日本"), ("a\nb", r"a\nb"), ("\x07\x9b", r"\x07\x9b"), ("\u200b\ue000", r"\u200b\ue000")],
)
def test_control_and_format_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(("count", "text"), [(0, "0 bars"), (1, "1 bar"), (2, "2 bars")])
def test_a_noun_is_plural_unless_there_is_one(count: int, text: str) -> None:
    assert counted(count, "bar") == text
