"""Tables: plain and as wide as they need in a pipe; on a terminal fitted to its width, with every number whole."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest

from tickercast.jobs.terminal.tables import Table, TableColumn, fit_columns, table_of, write_table

NUMBERS = re.compile(r"(?<![\w.])-?\d+\.\d+(?![\w.])")
WIDE = Table(
    (
        TableColumn("ticker"),
        TableColumn("close", "number"),
        TableColumn("exchange", rank=2),
        TableColumn("volume", "number", rank=1),
        TableColumn("note", "text"),
    ),
    [
        ["AAPL", "311.3012", "XNYS", "123456789", "the bar was quarantined and is waiting for a decision"],
        ["A", "9.1", "XNYS", "7", ""],
    ],
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch, table: Table, width: int, **environment: str) -> tuple[str, tuple[str, ...]]:
    """Return what a terminal of a width shows of a table, and the notes."""
    for name, value in {"COLUMNS": str(width), "TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    notes = write_table(table, stream)
    return stream.getvalue(), notes


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_pipe_gets_whole_lines_as_wide_as_they_need() -> None:
    stream = io.StringIO()
    assert write_table(WIDE, stream) == ()
    assert stream.getvalue() == (
        "ticker     close  exchange     volume  note\n"
        "AAPL    311.3012  XNYS      123456789  the bar was quarantined and is waiting for a decision\n"
        "A            9.1  XNYS              7\n"
    )


def test_a_terminal_of_80_columns_wraps_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    text, notes = on_terminal(monkeypatch, WIDE, 80, NO_COLOR="1")
    assert lines_of(text) == [
        "ticker     close  exchange     volume  note",
        "AAPL    311.3012  XNYS      123456789  the bar was quarantined and is waiting",
        "                                       for a decision",
        "A            9.1  XNYS              7",
    ]
    assert notes == ()


def test_a_narrow_terminal_leaves_out_the_least_important_columns_and_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    text, notes = on_terminal(monkeypatch, WIDE, 45, NO_COLOR="1")
    assert lines_of(text)[:3] == [
        "ticker     close     volume  note",
        "AAPL    311.3012  123456789  the bar was",
        "                             quarantined and",
    ]
    assert notes == ("left out at a width of 45: exchange; --format csv has every column",)


@pytest.mark.parametrize("width", range(20, 120, 7))
def test_no_width_breaks_or_shortens_a_number(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    rows = [[f"T{i}", 10.0**i + 0.25, -(10.0**i) - 0.5, "some words that wrap", 0.125] for i in range(1, 9)]
    text, _ = on_terminal(monkeypatch, table_of(("ticker", "high", "low", "note", "share"), rows), width, NO_COLOR="1")
    numbers = {f"{value:.2f}" for row in rows for value in row[1:3]} | {"0.1250"}
    assert set(NUMBERS.findall(text)) <= numbers
    assert max(map(len, lines_of(text))) <= max(width, 3)


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_escape_code_is_written_without_colour(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    text, _ = on_terminal(monkeypatch, Table((TableColumn("verdict"),), [["better"]]), 80, **environment)
    assert "\x1b" not in text


def test_a_terminal_with_colours_shows_the_verdict_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    text, _ = on_terminal(monkeypatch, Table((TableColumn("verdict"),), [["better"]]), 80)
    assert "\x1b[32mbetter" in text


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_cell_and_no_title_steers_the_terminal(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal() if is_terminal else io.StringIO()
    write_table(table_of(("a\x1b[2J",), [("b\x1b[31m\u202e\n[bold]",)]), stream)
    assert "\x1b" not in stream.getvalue()
    assert r"b\x1b[31m\u202e\n[bold]" in stream.getvalue()


def test_a_long_line_is_shortened_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table((TableColumn("ticker"), TableColumn("error", "line")), [["AAPL", "no bars " * 20]])
    text, _ = on_terminal(monkeypatch, table, 60, NO_COLOR="1")
    assert [len(line) for line in lines_of(text)] == [13, 60]
    assert text.rstrip().endswith("…")
    stream = io.StringIO()
    write_table(table, stream)
    assert stream.getvalue().count("no bars") == 20


def test_many_rows_on_a_terminal_are_lines_of_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(i, i / 7, "some words that are longer than the line has room for") for i in range(1001)]
    text, _ = on_terminal(monkeypatch, table_of(("n", "x", "words"), rows), 40)
    assert lines_of(text)[1001] == "1000  142.8571  some words that are lon…"
    assert len(lines_of(text)) == 1002


WIDE_NAMES = [("日本語", "7203.T", 1.5), ("e\u0301", "ABC", 22.25), ("[bold]", ":smile:", 3.0)]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_wide_characters_are_whole_and_aligned(monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    for name, value in {"NO_COLOR": "1", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if is_terminal else io.StringIO()
    write_table(table_of(("name", "symbol", "x"), WIDE_NAMES), stream)
    assert lines_of(stream.getvalue()) == [
        "name    symbol         x",
        "日本語  7203.T    1.5000",
        "e\u0301       ABC      22.2500",
        "[bold]  :smile:   3.0000",
    ]


@pytest.mark.parametrize("width", range(20, 60, 3))
def test_wrapping_loses_no_character(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    words = "日本語のとても長い説明 and some words, 12345678901234567890123456789012345678901234567890"
    text, _ = on_terminal(monkeypatch, table_of(("x",), [(words,)]), width, NO_COLOR="1")
    assert "".join(text.split("\n", 1)[1].split()) == "".join(words.split())


def test_hints_are_for_a_terminal_and_notes_for_every_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table((TableColumn("n"),), [["1"]], ("the last 1 of 2",), ("--all shows more",))
    assert on_terminal(monkeypatch, table, 80)[1] == ("the last 1 of 2", "--all shows more")
    assert write_table(table, io.StringIO()) == ("the last 1 of 2",)


def test_the_last_columns_of_any_rows_are_left_out_first() -> None:
    table = table_of(("a", "b", "c"), [(1, "x" * 30, 2.5)])
    fitted, widths = fit_columns(table, 33)
    assert ([column.title for column in fitted.columns], widths) == (["a", "b"], [1, 30])


def test_any_rows_are_numbers_to_the_right_and_other_values_to_the_left() -> None:
    columns = table_of(("n", "flag", "day", "words"), [(1, True, date(2026, 3, 6), "a b"), (None, None, None, None)]).columns
    assert [column.kind for column in columns] == ["number", "word", "word", "text"]
