"""Rows on stdout: an aligned table for people, or CSV, JSON or Parquet for programs.

CSV, JSON and Parquet have every column, unrounded, in the order of the view. A table may show fewer columns and rounds them.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import Any, Literal, TextIO

from jobs.terminal.text import printable

Format = Literal["table", "csv", "json", "parquet"]
Row = Sequence[Any]


def write_rows(columns: Sequence[str], rows: Sequence[Row], output_format: Format, *, shown: Sequence[str] | None = None) -> None:
    """Write rows to stdout in a format. Without rows only the header is written.

    shown: the columns of a table, None for all of them. The other formats ignore it.
    """
    match output_format:
        case "table":
            print_table(*select_columns(columns, rows, shown or columns), sys.stdout)
        case "csv":
            _write_csv(columns, rows)
        case "json":
            _write_json(columns, rows)
        case "parquet":
            _write_parquet(columns, rows)


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
    return printable(str(value))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _write_csv(columns: Sequence[str], rows: Sequence[Row]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def _write_json(columns: Sequence[str], rows: Sequence[Row]) -> None:
    json.dump([dict(zip(columns, row, strict=True)) for row in rows], sys.stdout, indent=1, default=str)
    sys.stdout.write("\n")


def _write_parquet(columns: Sequence[str], rows: Sequence[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(columns)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    sys.stdout.buffer.write(sink.getvalue().to_pybytes())
