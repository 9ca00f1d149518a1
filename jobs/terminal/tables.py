"""Rows as an aligned table for people. A table may show fewer columns, and it rounds numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from jobs.terminal.text import plain, printable

Row = Sequence[Any]


def write_table(columns: Sequence[str], rows: Iterable[Row], shown: Sequence[str] | None, stream: TextIO) -> None:
    """Write a table of some columns, in the order of `shown`; None for all of them."""
    print_table(*select_columns(columns, list(rows), shown or columns), stream)


def select_columns(columns: Sequence[str], rows: Sequence[Row], shown: Sequence[str]) -> tuple[Sequence[str], list[Row]]:
    """Return some columns by name, in the order of `shown`, and the rows cut to them."""
    positions = [list(columns).index(name) for name in shown]
    return shown, [[row[i] for i in positions] for row in rows]


def print_table(columns: Sequence[str], rows: Sequence[Row], stream: TextIO) -> None:
    """Write aligned columns: numbers to the right, text to the left. Control characters are escaped."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, [name, *(row[i] for row in cells)])) for i, name in enumerate(columns)]
    numeric = [bool(rows) and all(_is_number(row[i]) for row in rows) for i in range(len(columns))]
    for line in [list(columns), *cells]:
        padded = [
            text.rjust(width) if right else text.ljust(width) for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        stream.write("  ".join(padded).rstrip() + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
    return printable(str(plain(value)))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
