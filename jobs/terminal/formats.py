"""Rows for programs: CSV, JSON and NDJSON, written as the rows come. Parquet is in parquet_rows, tables are in tables.

Every column is there, unrounded, in order. Bytes are hexadecimal text, as SQLite's hex() writes them. JSON has no infinity and no
NaN, so they are null; CSV has `inf` and `nan`.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from tickercast.jobs.terminal.text import plain

Row = Sequence[Any]


def write_csv(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Write a header and a line for each row."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([plain(value) for value in row] if bytes in map(type, row) else row for row in rows)


def write_json(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Write a list of objects, indented by one blank a level."""
    # The encoder in C does not indent, but it takes any text between two items.
    encoder = json.JSONEncoder(separators=(",\n  ", ": "), default=plain, allow_nan=False)
    before = "["
    for text in _objects(columns, rows, encoder):
        stream.write(f"{before}\n {{\n  {text[1:-1]}\n }}")
        before = ","
    stream.write("[]\n" if before == "[" else "\n]\n")


def write_ndjson(columns: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    """Write an object on a line of its own for each row. Without rows nothing is written."""
    for text in _objects(columns, rows, json.JSONEncoder(default=plain, allow_nan=False)):
        stream.write(text + "\n")


def distinct_names(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names with a suffix where one is there already: a, a, b becomes a, a_2, b."""
    names: list[str] = []
    taken = set(columns)
    for column in columns:
        name, number = column, 1
        while name in names or (number > 1 and name in taken):
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return tuple(names)


def _objects(columns: Sequence[str], rows: Iterable[Row], encoder: json.JSONEncoder) -> Iterator[str]:
    """Yield the JSON object of each row."""
    for row in rows:
        try:
            yield encoder.encode(dict(zip(columns, row, strict=True)))
        except ValueError:
            finite = [None if isinstance(value, float) and not math.isfinite(value) else value for value in row]
            yield encoder.encode(dict(zip(columns, finite, strict=True)))
