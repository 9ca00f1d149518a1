"""Price files as tables: reads CSV and Parquet, checks the columns, and converts rows to arrays.

Columns by name, in any case: date, open, high, low, close, volume; optional adj_close, dividend, split, kind (of
security), and ticker in a Parquet file with many tickers. Other columns are ignored.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.price_columns import ALIASES, MANY_ROWS, NUMBERS, REQUIRED, PriceColumns, plain_columns
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.jobs.workspace.choices import SecurityKind

if TYPE_CHECKING:
    import pandas as pd

LONGEST_KIND = 40  # characters of a wrong kind that an error shows
TIME_WITH_ZONE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)"


def has_ticker_column(path: Path) -> bool:
    """Return whether a file is a Parquet file with a ticker column. Raises BadSourceData where it cannot be read."""
    if path.suffix.lower() != ".parquet":
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return "ticker" in {ALIASES.get(name.lower(), name.lower()) for name in pq.read_schema(path).names}
    except (pa.ArrowException, OSError) as error:
        raise BadSourceData(f"{path}: cannot be read: {_one_line(error)}") from error


def read_table(path: Path, content: bytes) -> pd.DataFrame:
    """Return the columns of a file's content under their canonical names: numbers as float64, and days in two columns.

    date: the day as written. instant: the instant in UTC, where a row has a time of day with a zone, else missing.
    Raises BadSourceData, which names the file and the fault.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_csv(io.BytesIO(content)) if path.suffix.lower() == ".csv" else _parquet_rows(content)
        frame = _with_index_columns(frame)
    except (ValueError, TypeError, KeyError, OverflowError, OSError, pa.ArrowException) as error:
        raise BadSourceData(f"{path}: cannot be read: {_one_line(error)}") from error
    lowered = [_column_name(name) for name in frame.columns]
    names = [ALIASES.get(name, name) for name in lowered]
    # `bars --format csv` names the day so; beside a date, a column of that name is something else.
    frame.columns = pd.Index(names if "date" in names else ["date" if name == "session" else name for name in names])
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise BadSourceData(f"{path}: no column {', '.join(missing)}; it has {first_names(lowered)}")
    if frame.columns.duplicated().any():
        raise BadSourceData(f"{path}: two columns have the same name")
    try:
        return _with_types(frame[[name for name in ("ticker", "date", "kind", *NUMBERS) if name in frame]].copy())
    except (ValueError, TypeError, OverflowError, pa.ArrowException) as error:
        raise BadSourceData(f"{path}: {_one_line(error)[:200]}") from error


def columns_of_file(path: Path, content: bytes, time_zone: str) -> PriceColumns:
    """Return the rows of a file of one ticker. time_zone: as for columns_of_table. Raises BadSourceData."""
    plain = plain_columns(content) if path.suffix.lower() == ".parquet" else None
    return plain or columns_of_table(read_table(path, content), time_zone)


def tables_by_ticker(path: Path, content: bytes) -> dict[str, pd.DataFrame]:
    """Return the rows of a file with many tickers by the ticker as written. Rows without one are left out by name."""
    table = read_table(path, content)
    names = table["ticker"].astype("object").where(table["ticker"].notna(), "").map(str)
    return {str(name): rows for name, rows in table.groupby(names, sort=True)}


def _parquet_rows(content: bytes) -> pd.DataFrame:
    """Return the rows of a Parquet file, with days of type date as datetime64."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # One ticker has some thousands of rows: threads would take longer to begin than to read them.
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        table = file.read(use_threads=file.metadata.num_rows > MANY_ROWS)
    return table.to_pandas(date_as_object=False, use_threads=False)


def columns_of_table(table: pd.DataFrame, time_zone: str) -> PriceColumns:
    """Return the rows of a table. time_zone: of the exchange, in which an instant has its day."""
    table = _on_days_of(table, time_zone)
    numbers = {name: np.array(table[name], np.float64) for name in NUMBERS if name in table}
    return PriceColumns(table["date"].to_numpy().astype("datetime64[D]"), numbers, _kinds(table))


def kind_of_table(table: pd.DataFrame) -> str:
    """Return the kind of security that a table states, empty where it states none. Raises BadSourceData for anything else."""
    return kind_of(_kinds(table))


def kind_of(kinds: Iterable[str]) -> str:
    """Return the kind of security that some texts state. Raises as kind_of_table does."""
    stated = sorted({kind.strip().lower() for kind in kinds} - {""})
    if len(stated) > 1:
        raise BadSourceData(f"column kind has {first_names(stated)}; a ticker has one kind")
    if stated and stated[0] not in get_args(SecurityKind):
        raise BadSourceData(f"column kind has {stated[0][:LONGEST_KIND]!r}; use {', '.join(get_args(SecurityKind))}")
    return stated[0] if stated else ""


def _kinds(table: pd.DataFrame) -> frozenset[str]:
    """Return the distinct texts of a table's column kind, without missing ones."""
    return frozenset(str(value) for value in table["kind"].dropna().unique()) if "kind" in table else frozenset()


def _with_types(table: pd.DataFrame) -> pd.DataFrame:
    """Set the types of a table's columns and return it. Raises ValueError or TypeError."""
    import pandas as pd

    table["date"], table["instant"] = days_and_instants(table["date"])
    for name in NUMBERS:
        if name in table:
            table[name] = pd.to_numeric(table[name]).astype("float64")
    return table


def days_and_instants(dates: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the days as written, and the instants in UTC of rows with a time of day and a zone.

    Midnight in whatever zone means the day as written: a zone after it must not move it to another day.
    """
    import pandas as pd

    if dates.isna().any():
        raise ValueError(f"{counted(int(dates.isna().sum()), 'row')} without a date")
    if not pd.api.types.is_datetime64_any_dtype(dates):
        # A file of many tickers has each day many times: the distinct ones are read in less time and memory.
        codes, distinct = pd.factorize(dates.astype("object"))
        written, instants = (column.take(codes).set_axis(dates.index) for column in _read_texts(pd.Series(distinct)))
        return written, instants
    written = (dates.dt.tz_localize(None) if dates.dt.tz is not None else dates).dt.normalize()
    if dates.dt.tz is None:
        return written, pd.Series(pd.NaT, index=dates.index, dtype="datetime64[ns, UTC]")
    return written, dates.dt.tz_convert("UTC").where(dates.dt.tz_localize(None) != written)


def _read_texts(dates: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the days and the instants of dates that are texts or of any other type than datetime64."""
    import pandas as pd

    none = pd.Series(pd.NaT, index=dates.index, dtype="datetime64[ns, UTC]")
    text = dates.astype(str).str.strip()
    written = pd.to_datetime(text.str.slice(0, 10), format="ISO8601", errors="coerce")
    if written.isna().any():
        raise ValueError(f"{text[written.isna()].iloc[0][:40]!r} is not a date; write it like 2026-03-06")
    timed = text.str.fullmatch(TIME_WITH_ZONE) & ~text.str.slice(11, 16).eq("00:00")
    if timed.any():
        none[timed] = pd.to_datetime(text[timed], format="ISO8601", utc=True)
    return written, none


def _on_days_of(table: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    """Return the table with each instant's day in a time zone in place of the day as written."""
    timed = table["instant"].notna()
    if not timed.any():
        return table
    local = table["instant"].dt.tz_convert(time_zone).dt.tz_localize(None).dt.normalize()
    return table.assign(date=table["date"].where(~timed, local))


def _with_index_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the named levels of its index as columns, except those that it has as columns already."""
    known = {_column_name(name) for name in frame.columns}
    kept = [level for level in frame.index.names if level is not None and _column_name(level) not in known]
    dropped = [number for number, level in enumerate(frame.index.names) if level not in kept]
    frame = frame.reset_index(level=dropped, drop=True) if len(dropped) < frame.index.nlevels else frame.reset_index(drop=True)
    return frame.reset_index() if kept else frame


def _column_name(name: object) -> str:
    return str(name).strip().lower()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
