"""Tables for people. On a terminal they fit its width; in a pipe or a file they are plain text, as wide as they need.

A table holds finished text; jobs.terminal.figures writes numbers. Not here: rows for programs (formats), and which columns a
command shows (jobs.cli).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TextIO

from tickercast.jobs.terminal.figures import decimals_of, rounded
from tickercast.jobs.terminal.text import cell_width, plain, printable

Row = Sequence[Any]
Kind = Literal["number", "word", "text", "line"]
GAP = "  "
LEAST_WIDTHS: dict[Kind, int] = {"text": 16, "line": 28}
LONGEST_WORD = 32  # longer than an instant; a longer text is wrapped
MOST_DRAWN = 1000  # rows; drawing takes half a millisecond for each, so the texts of more are shortened instead of wrapped
COLOURS = {"better": "green", "worse": "red", "held": "yellow", "suspended": "red", "quiet": "yellow"}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table, and what happens to it on a narrow terminal.

    kind: `number` is flush right, the others are flush left. `text` is wrapped and `line` shortened; the other two stay whole.
    rank: where the columns do not fit, those with the highest rank are left out first; 0 = never left out.
    """

    title: str
    kind: Kind = "word"
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows of finished text.

    heading: lines before it. notes: lines on stderr after it, without which it would be misread. hints: the same for what it
    can do without, on a terminal alone.
    """

    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[str]]
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    heading: str = ""


def table_of(columns: Sequence[str], rows: Sequence[Row], notes: tuple[str, ...] = ()) -> Table:
    """Return a table of any rows: numbers are rounded, long texts wrapped, and the last columns are left out first."""
    values = [[row[i] for row in rows] for i in range(len(columns))]
    described = [TableColumn(name, _kind(values[i]), rank=i) for i, name in enumerate(columns)]
    cells = [_texts(of_column) for of_column in values]
    return Table(described, [[of_column[i] for of_column in cells] for i in range(len(rows))], notes)


def write_table(table: Table, stream: TextIO) -> tuple[str, ...]:
    """Write a table and return its notes; on a terminal also its hints, and the names of the columns that do not fit."""
    columns = [replace(column, title=printable(column.title)) for column in table.columns]
    table = replace(table, columns=columns, rows=[[printable(text) for text in row] for row in table.rows])
    if not stream.isatty():
        _write_plain(table, stream)
        stream.flush()  # before the notes; a closed pipe ends the command here
        return table.notes
    width = shutil.get_terminal_size().columns
    fitted, widths = fit_columns(table, width)
    if len(table.rows) > MOST_DRAWN:
        _write_plain(replace(fitted, rows=[_shortened(row, widths) for row in fitted.rows]), stream)
    else:
        _draw(fitted, widths, stream, width)
    left_out = [column.title for column in columns if column not in fitted.columns]
    note = f"left out at a width of {width}: {', '.join(left_out)}; --format csv has every column"
    return (*table.notes, *table.hints, *([note] if left_out else []))


def fit_columns(table: Table, width: int) -> tuple[Table, list[int]]:
    """Return the table with only the columns that fit, and the width of each: long texts share what the others leave."""
    natural = _widths(table)
    kept = list(range(len(natural)))
    while _room(table, natural, kept, width) < 0 and any(table.columns[i].rank for i in kept):
        kept.remove(max(kept, key=lambda i: (table.columns[i].rank, i)))
    room, widths = max(0, _room(table, natural, kept, width)), []
    for i in kept:
        least = _least_width(table.columns[i], natural[i])
        widths.append(least + min(room, natural[i] - least))
        room -= widths[-1] - least
    rows = [[row[i] for i in kept] for row in table.rows]
    return replace(table, columns=[table.columns[i] for i in kept], rows=rows), widths


def _room(table: Table, natural: Sequence[int], kept: Sequence[int], width: int) -> int:
    """Return how many characters are left when each kept column is as narrow as it can be; negative = too many columns."""
    return width - sum(_least_width(table.columns[i], natural[i]) + len(GAP) for i in kept) + len(GAP)


def _least_width(column: TableColumn, natural: int) -> int:
    return min(natural, LEAST_WIDTHS.get(column.kind, natural))


def _widths(table: Table) -> list[int]:
    return [
        max(cell_width(text) for text in (column.title, *(row[i] for row in table.rows)))
        for i, column in enumerate(table.columns)
    ]


def _write_plain(table: Table, stream: TextIO) -> None:
    if table.heading:
        stream.write(f"{table.heading}\n")
    layout = list(zip(_widths(table), [column.kind == "number" for column in table.columns], strict=True))
    for line in ([column.title for column in table.columns], *table.rows):
        padded = [_padded(text, width, right=right) for text, (width, right) in zip(line, layout, strict=True)]
        stream.write(GAP.join(padded).rstrip() + "\n")


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - cell_width(text))
    return blanks + text if right else text + blanks


def _shortened(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells of a row, each on one line of its width. Only texts are longer."""
    return [text if cell_width(text) <= width else _cut(text, width) for text, width in zip(row, widths, strict=True)]


def _cut(text: str, width: int) -> str:
    shown = text[: width - 1]
    while cell_width(shown) > width - 1:
        shown = shown[:-1]
    return f"{shown}…"


def _draw(table: Table, widths: Sequence[int], stream: TextIO, width: int) -> None:
    from rich.console import Console  # not at the top: pipes and other formats do without
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    for column, needed in zip(table.columns, widths, strict=True):
        justify: Literal["right", "left"] = "right" if column.kind == "number" else "left"
        overflow: Literal["ellipsis", "fold"] = "ellipsis" if column.kind == "line" else "fold"
        grid.add_column(Text(column.title), justify=justify, width=needed, no_wrap=column.kind == "line", overflow=overflow)
    for row in table.rows:
        grid.add_row(*(Text(text, style=COLOURS.get(text, "")) for text in row))
    colourless = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    whole = max(width, sum(widths) + len(GAP) * len(widths))  # a terminal too narrow even for the least breaks lines itself
    console = Console(file=stream, width=whole, highlight=False, color_system=None if colourless else "auto")
    if table.heading:
        console.print(Text(table.heading), width=width)
    console.print(grid)


def _texts(values: Sequence[Any]) -> list[str]:
    """Return the cells of a column. All its fractions have the same number of decimals."""
    decimals = decimals_of(value for value in values if isinstance(value, float))
    return ["" if v is None else rounded(v, decimals) if isinstance(v, float) else str(plain(v)) for v in values]


def _kind(values: Sequence[Any]) -> Kind:
    if values and all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return "number"
    is_short = all(len(text) <= LONGEST_WORD and " " not in text for text in map(str, values))
    return "word" if is_short else "text"
