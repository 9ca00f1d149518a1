"""DataFrames from Arrow tables and from the rows of a query, with typed columns also where there are no rows.

A session is a datetime64 without a zone, an instant a datetime64 in UTC, truth is bool, text is str. An int or a bool that may be
missing has pandas' type with a missing value: Int64, boolean. Only this module makes DataFrames of a record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa

from tickercast.jobs.terminal.arrow_columns import column_of, column_type
from tickercast.jobs.terminal.formats import distinct_names
from tickercast.jobs.terminal.typed_columns import typed
from tickercast.storage.bars import Bars
from tickercast.storage.views import VIEWS, Column, Kind

TIMES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("date", re.compile(r"\d{4}-\d\d-\d\d")),
    ("instant", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")),
)
SESSION_TYPE = pa.timestamp("us")  # one resolution for all times of a frame
OPTIONAL_TYPES = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}


def frame_of_table(table: pa.Table, columns: Sequence[Column]) -> pd.DataFrame:
    """Return the DataFrame of some columns of a view. Its index counts the rows."""
    times = [pa.field(f.name, SESSION_TYPE if pa.types.is_date32(f.type) else f.type) for f in table.schema]
    table = table.cast(pa.schema(times))
    frame = table.to_pandas(split_blocks=True)
    for column in columns:
        if column.optional:
            frame[column.name] = table.column(column.name).to_pandas(types_mapper=OPTIONAL_TYPES.get)
    return frame


def frame_of_bars(bars: Bars) -> pd.DataFrame:
    """Return the DataFrame of bars, one row a session."""
    frame = pd.DataFrame(
        {
            "session": bars.session.astype("datetime64[us]"),
            **{name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume", "dividend", "split")},
        }
    )
    frame["recorded_at"] = pd.to_datetime(bars.recorded_at.astype("datetime64[us]"), utc=True)
    frame["source"] = pd.array(bars.source.tolist(), dtype="str")
    return frame


def frame_of_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return the DataFrame of a query.

    A column that is named like one of a public view has its type where the values allow that. Other texts are dates or instants
    where all of them are written as one.
    """
    names = distinct_names(names)
    columns: list[Sequence[Any]] = [list(values) for values in zip(*rows, strict=True)] or [[] for _ in names]
    arrays = [_array(name, values) for name, values in zip(names, columns, strict=True)]
    table = pa.table(arrays, names=list(names))
    gaps = [array.null_count > 0 and array.type in OPTIONAL_TYPES for array in arrays]
    return frame_of_table(table, [Column(name, "", "", optional=gap) for name, gap in zip(names, gaps, strict=True)])


def _array(name: str, values: Sequence[Any]) -> pa.Array:
    kinds = set(map(type, values)) - {type(None)}
    kind = _kind_of(name, kinds, values)
    if kind is not None:
        return typed(Column(name, "", "", kind), values)
    try:
        return column_of(values, column_type(kinds))
    except OverflowError:  # a whole number beside numbers with a fraction that none of them holds
        return column_of(values, pa.string())


def _kind_of(name: str, kinds: set[type], values: Sequence[Any]) -> Kind | None:
    """Return the kind of a column of a query, None where only its values say it. kinds: the types of the values."""
    stated = _stated_kinds().get(name)
    if not kinds:
        return stated
    if kinds == {str}:
        present = [value for value in values if value is not None]
        return next((kind for kind, pattern in TIMES if all(map(pattern.fullmatch, present))), None)
    if stated == "bool":
        return stated if kinds == {int} and set(values) <= {0, 1, None} else None
    return stated if stated == "float" and kinds <= {int, float} else None


@cache
def _stated_kinds() -> dict[str, Kind]:
    """Return the type of each name of a column of the public views: a name has the same one in all of them."""
    return {column.name: column.kind for view in VIEWS for column in view.columns}
