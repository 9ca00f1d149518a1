"""Price files as tables: reads CSV and Parquet, checks the columns, and converts rows to bars.

Columns by name, in any case: date, open, high, low, close, volume; optional adj_close, dividend, split, and ticker in a
Parquet file with many tickers. Other columns are ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from jobs.prices.sources.adjusting import implied_dividends
from jobs.prices.sources.base import BadSourceData
from jobs.terminal.text import first_names
from storage.bars import PRICE_FIELDS, Bars, make_bars

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("date", *PRICE_FIELDS)
NUMBERS = (*PRICE_FIELDS, "volume", "adj_close", "dividend", "split")
ALIASES = {
    "adj close": "adj_close", "adjclose": "adj_close", "dividends": "dividend", "stock splits": "split",
    "stock_splits": "split", "splits": "split", "symbol": "ticker", "datetime": "date",
}  # fmt: skip


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


def read_table(path: Path) -> pd.DataFrame:
    """Return a file's columns under their canonical names: date as datetime64, numbers as float64.

    Raises BadSourceData, which names the file and the fault.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise BadSourceData(f"{path}: cannot be read: {_one_line(error)}") from error
    if frame.index.name:
        frame = frame.reset_index()
    lowered = [str(name).strip().lower() for name in frame.columns]
    frame.columns = pd.Index([ALIASES.get(name, name) for name in lowered])
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise BadSourceData(f"{path}: no column {', '.join(missing)}; it has {first_names(lowered)}")
    if frame.columns.duplicated().any():
        raise BadSourceData(f"{path}: two columns have the same name")
    try:
        return _with_types(frame[[name for name in ("ticker", "date", *NUMBERS) if name in frame]].copy())
    except (ValueError, TypeError) as error:
        raise BadSourceData(f"{path}: {_one_line(error)[:200]}") from error


def bars_of_table(table: pd.DataFrame, adjustment: str) -> Bars:
    """Return the rows of a table as bars, sorted by session.

    A table without dividends, but with adj_close, has the dividends that adj_close implies. Fully adjusted prices already
    contain splits and dividends, so their bars have none.
    """
    table = table.sort_values("date", kind="stable")
    values = {name: np.array(table[name], np.float64) for name in PRICE_FIELDS}
    split, dividend = _column(table, "split", 1.0), _column(table, "dividend", 0.0)
    split[split == 0] = 1.0  # Yahoo writes 0 for no split
    if adjustment == "full":
        split[:], dividend[:] = 1.0, 0.0
    elif "dividend" not in table and "adj_close" in table:
        unadjusted_split = split if adjustment == "as_traded" else np.ones(len(split))
        with np.errstate(divide="ignore", invalid="ignore"):
            dividend = implied_dividends(values["close"], _column(table, "adj_close", np.nan), unadjusted_split)
    days = table["date"].to_numpy().astype("datetime64[D]")
    return make_bars(days, {**values, "volume": _column(table, "volume", 0.0), "dividend": dividend, "split": split})


def _with_types(table: pd.DataFrame) -> pd.DataFrame:
    """Set the types of a table's columns and return it. Raises ValueError or TypeError."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(table["date"]):
        # The date as written is the session. A time zone after it must not move it to another day.
        table["date"] = pd.to_datetime(table["date"].astype(str).str.slice(0, 10), format="ISO8601")
    elif table["date"].dt.tz is not None:
        table["date"] = table["date"].dt.tz_localize(None)
    for name in NUMBERS:
        if name in table:
            table[name] = pd.to_numeric(table[name]).astype("float64")
    return table


def _column(table: pd.DataFrame, name: str, default: float) -> NDArray[np.float64]:
    """Return a column (n,) with a default for missing values, or for the whole column where there is none."""
    return np.array(table[name].fillna(default), np.float64) if name in table else np.full(len(table), default)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
