"""Read a long frame of prices: a row for each ticker and day, with unique_id, ds and y, as Nixtla's libraries take it.

Here are its columns and their types. Not here: the series of each ticker (_series).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tickercast.errors import ArgumentError
from tickercast.jobs.prices.sources.price_tables import days_and_instants
from tickercast.jobs.terminal.text import counted, first_names

ID, DAY, PRICE = KEYS = ("unique_id", "ds", "y")
OTHER_PRICES = ("open", "high", "low", "close")
NUMBERS = (PRICE, *OTHER_PRICES, "volume", "dividend", "split")
TEXTS = ("kind", "exchange")
USUAL_NAMES = {"ticker": ID, "symbol": ID, "date": DAY, "datetime": DAY, "close": PRICE, "adj close": PRICE}


def as_pandas(frame: Any) -> pd.DataFrame:
    """Return a frame of pandas, or of any library whose frames have to_pandas. Raises ArgumentError for anything else."""
    if not isinstance(frame, pd.DataFrame) and hasattr(frame, "to_pandas"):
        frame = frame.to_pandas()
    if not isinstance(frame, pd.DataFrame):
        raise ArgumentError(
            f"a DataFrame with the columns unique_id, ds and y is expected, not {type(frame).__name__}; see docs/forecaster.md"
        )
    named = [name for name in frame.index.names if name in KEYS and name not in frame]
    return frame.reset_index(named) if named else frame


def with_prices_of(frame: Any, y: Any) -> Any:
    """Return a frame with prices as its column y, where they are given apart, as scikit-learn does."""
    if y is None:
        return frame
    table = as_pandas(frame)
    if PRICE in table:
        raise ArgumentError("y is given twice: as a column of the frame and apart; give one of them")
    prices = np.asarray(y)
    if prices.shape != (len(table),):
        raise ArgumentError(f"y has the shape {prices.shape}, the frame has {counted(len(table), 'row')}")
    return table.assign(**{PRICE: prices})


def days_of(column: pd.Series, name: str) -> tuple[pd.Series, pd.Series]:
    """Return the days as written, and the instants of rows with a time and a zone. Raises ArgumentError."""
    if column.isna().any():
        raise ArgumentError(f"{name} is missing in {counted(int(column.isna().sum()), 'row')}; drop them")
    if pd.api.types.is_numeric_dtype(column):
        raise ArgumentError(f"{name} has numbers, such as {column.iloc[0]}; write dates like 2024-03-01")
    try:
        return days_and_instants(column)
    except ValueError as error:
        raise ArgumentError(f"{name}: {error}") from error


def typed(frame: Any) -> tuple[pd.DataFrame, str]:
    """Return the columns that are read with their types, and the unit of the days. Raises ArgumentError for a bad frame.

    The days are those written. A column instant has the instants, UTC, of rows with a time and a zone, else missing values.
    """
    frame = _with_lower_names(as_pandas(frame))
    missing = [name for name in KEYS if name not in frame]
    if missing:
        has = first_names([*map(str, frame.columns)]) or "no column"
        raise ArgumentError(f"no column {', '.join(missing)}; the frame has {has}{_hint(frame)}")
    if frame.columns.duplicated().any():
        raise ArgumentError(f"two columns are called {frame.columns[frame.columns.duplicated()][0]}")
    if not len(frame):
        raise ArgumentError("the frame has no row")
    table = frame[[name for name in (ID, DAY, *NUMBERS, *TEXTS) if name in frame]].reset_index(drop=True)
    if table[ID].isna().any():
        raise ArgumentError(f"unique_id is missing in {counted(int(table[ID].isna().sum()), 'row')}")
    unit = table[DAY].dt.unit if pd.api.types.is_datetime64_any_dtype(table[DAY]) else "us"
    days, instants = days_of(table[DAY], DAY)
    table = table.assign(
        **{DAY: days, "instant": instants.dt.tz_localize(None)},
        **{name: _numbers(table, name) for name in NUMBERS if name in table},
    )
    _refuse_bad_prices(table)
    return table, unit


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    try:
        return pd.to_numeric(table[name]).astype("float64")
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"column {name} has values that are no numbers: {' '.join(str(error).split())[:100]}") from error


def _refuse_bad_prices(table: pd.DataFrame) -> None:
    """Raise ArgumentError for a price that is missing, infinite, zero or negative, and for two rows of one ticker and day."""
    price = table[PRICE]
    for is_bad, said in ((~np.isfinite(price), "NaN or infinite"), (price <= 0, "zero or negative")):
        if is_bad.any():
            first = table[is_bad].iloc[0]
            raise ArgumentError(
                f"y is {said} in {counted(int(is_bad.sum()), 'row')}, the first: {first[ID]} {first[DAY]:%Y-%m-%d}; drop them"
            )
    twice = table.duplicated([ID, DAY]) & table["instant"].isna()
    if twice.any():
        first = table[twice].iloc[0]
        raise ArgumentError(
            f"a ticker has one row a day; {counted(int(twice.sum()), 'row')} more than that, the first: "
            f"{first[ID]} {first[DAY]:%Y-%m-%d}; keep one of each day"
        )


def _with_lower_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its optional columns in lower case: Open is open, where there is none of that name."""
    optional = {*NUMBERS, *TEXTS} - {PRICE}
    names = {name: str(name).lower() for name in frame if str(name).lower() in optional - {*frame.columns}}
    return frame.rename(columns=names)


def _hint(frame: pd.DataFrame) -> str:
    if frame.columns.nlevels > 1:
        return "; its columns have two levels: with tickers in the second, df.stack(1).reset_index() gives a row of each and day"
    names = [*frame.index.names, *frame.columns]
    found = {name: meant for name in names if (meant := _meant(name)) and meant not in frame}
    if found:
        reset = ".reset_index()" if found.keys() & {*frame.index.names} else ""
        return f"; rename them: df{reset}.rename(columns={found})"
    lacks_id_alone = ID not in frame and DAY in frame and PRICE in frame
    return "; if it has the prices of one ticker: df.assign(unique_id='MSFT')" if lacks_id_alone else ""


def _meant(name: Any) -> str | None:
    """Return the column that a name stands for, such as ds for Date; None where it is none of the three."""
    lower = str(name).lower()
    return lower if lower in KEYS else USUAL_NAMES.get(lower)
