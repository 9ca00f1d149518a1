"""Arrow columns of the public views, in the types that storage.views states: dates, UTC instants, truth. SQL has text, 0 and 1.

DataFrames, `export` and `--format parquet` take them from here. Not here: values whose type is not stated (arrow_columns).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tickercast.jobs.terminal.arrow_columns import column_of, validity
from tickercast.storage.errors import Corrupt
from tickercast.storage.views import Column, Kind

TYPES: dict[Kind, pa.DataType] = {
    "text": pa.string(), "float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "date": pa.date32(),
    "instant": pa.timestamp("us", tz="UTC"),
}  # fmt: skip
NUMPY_TYPES = {"date": np.dtype("datetime64[D]"), "instant": np.dtype("datetime64[us]")}
ROWS_AT_ONCE = 20_000


class Cursor(Protocol):
    """What a query's rows are fetched from."""

    def fetchmany(self, size: int, /) -> list[Any]:
        """Return the next rows, none at the end."""


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema of some columns of a view; the meaning of each is in its field's metadata."""
    return pa.schema([pa.field(column.name, TYPES[column.kind], metadata={"meaning": column.meaning}) for column in columns])


def typed_batches(cursor: Cursor, columns: Sequence[Column]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query of some columns as batches of at most 20,000, so that few of them are Python objects at once."""
    schema = schema_of(columns)
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        values = zip(*rows, strict=True)
        yield pa.record_batch([typed(column, cell) for column, cell in zip(columns, values, strict=True)], schema=schema)


def typed_table(cursor: Cursor, columns: Sequence[Column]) -> pa.Table:
    """Return the rows of a query of some columns."""
    return pa.Table.from_batches(typed_batches(cursor, columns), schema=schema_of(columns))


def typed(column: Column, values: Sequence[Any]) -> pa.Array:
    """Return the stored values of a column in its type. Raises Corrupt for one that is not of that type."""
    try:
        return _typed(column.kind, values)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        advice = "`tickercast verify --deep` names the rows; restore the database from a backup"
        raise Corrupt(f"column {column.name} has a value that is not of type {column.kind}: {error}; {advice}") from error


def _typed(kind: Kind, values: Sequence[Any]) -> pa.Array:
    match kind:
        case "date" | "instant":
            return _of_days(values, NUMPY_TYPES[kind], TYPES[kind])
        case "bool":
            return _of_truth(values)
        case "float":
            return column_of([None if value is None else float(value) for value in values], TYPES[kind])
        case _:
            return column_of(values, TYPES[kind])


def _of_days(values: Sequence[str | None], kind: np.dtype[Any], type_: pa.DataType) -> pa.Array:
    # NumPy reads no zone. Every stored instant ends with Z.
    texts = ["NaT" if value is None else value.removesuffix("Z") for value in values]
    days: NDArray[Any] = np.array(texts, dtype=kind)
    numbers = days.astype(np.int64).astype(np.int32 if kind == NUMPY_TYPES["date"] else np.int64)
    return pa.Array.from_buffers(type_, len(values), [_validity(values), pa.py_buffer(numbers)])


def _of_truth(values: Sequence[int | None]) -> pa.Array:
    bits = np.packbits(np.array(values, dtype=np.bool_), bitorder="little")  # None counts as false
    return pa.Array.from_buffers(pa.bool_(), len(values), [_validity(values), pa.py_buffer(bits)])


def _validity(values: Sequence[Any]) -> pa.Buffer | None:
    return validity(values) if None in values else None
