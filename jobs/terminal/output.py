"""Rows on stdout: as an aligned table for people, as CSV, JSON or Parquet for programs. Called by the CLI.

csv and json carry every column, unrounded, in contract order; a table shows the named columns, rounded.
"""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal, TextIO

Format = Literal["table", "csv", "json", "parquet"]


def write_rows(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], form: Format, *, shown: Sequence[str] | None = None
) -> None:
    """Write rows to stdout. shown: the columns a table has room for (all when None). No rows = the header alone."""
    if form == "table":
        keep = [columns.index(name) for name in shown or columns]
        print_table([columns[i] for i in keep], [[row[i] for i in keep] for row in rows], sys.stdout)
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    elif form == "json":
        json.dump([dict(zip(columns, row, strict=True)) for row in rows], sys.stdout, indent=1, default=str)
        sys.stdout.write("\n")
    else:
        _write_parquet(columns, rows)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], stream: TextIO) -> None:
    """Write aligned columns: numbers to the right, text to the left, control characters escaped."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[i]) for row in cells), 0) for i, name in enumerate(columns)]
    right = [all(_is_number(row[i]) for row in rows) and bool(rows) for i in range(len(columns))]
    for line in [list(columns), *cells]:
        padded = [
            text.rjust(width) if flush else text.ljust(width) for text, width, flush in zip(line, widths, right, strict=True)
        ]
        stream.write("  ".join(padded).rstrip() + "\n")


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control and format characters become escapes."""
    return "".join(c if unicodedata.category(c)[0] != "C" else c.encode("unicode_escape").decode() for c in text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) >= 10 else f"{value:.4f}"
    return printable(str(value))


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _write_parquet(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(columns)})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    sys.stdout.buffer.write(sink.getvalue().to_pybytes())
