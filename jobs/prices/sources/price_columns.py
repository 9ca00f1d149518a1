"""The rows of a ticker in a price file as arrays, and the bars that they come to.

Most Parquet files have days of type date and plain numbers, which are read straight into arrays here. Whatever else a file may
have, such as CSV, texts, instants with a zone or an index of pandas, goes through a table (price_tables).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.prices.sources.adjusting import implied_dividends
from tickercast.storage.bars import PRICE_FIELDS, Bars, make_bars
from tickercast.storage.days import Days

REQUIRED = ("date", *PRICE_FIELDS)
NUMBERS = (*PRICE_FIELDS, "volume", "adj_close", "dividend", "split")
ALIASES = {
    "adj close": "adj_close", "adjclose": "adj_close", "dividends": "dividend", "stock splits": "split",
    "stock_splits": "split", "splits": "split", "symbol": "ticker", "datetime": "date",
}  # fmt: skip
MANY_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class PriceColumns:
    """n rows. days: (n,), of the exchange. numbers: those of NUMBERS that the file has, (n,) each. kinds: those it states."""

    days: Days
    numbers: dict[str, NDArray[np.float64]]
    kinds: frozenset[str] = frozenset()

    def bars(self, adjustment: str) -> Bars:
        """Return the rows as bars, sorted by session.

        Rows without dividends, but with adj_close, have the dividends that adj_close implies. Fully adjusted prices already
        contain splits and dividends, so their bars have none.
        """
        order = np.argsort(self.days, kind="stable")
        given = {name: values[order] for name, values in self.numbers.items()}
        close, n = given["close"], len(order)
        split, dividend = _filled(given.get("split"), n, 1.0), _filled(given.get("dividend"), n, 0.0)
        split[split == 0] = 1.0  # Yahoo writes 0 for no split
        if adjustment == "full":
            split[:], dividend[:] = 1.0, 0.0
        elif "dividend" not in given and "adj_close" in given:
            unadjusted_split = split if adjustment == "as_traded" else np.ones(n)
            with np.errstate(divide="ignore", invalid="ignore"):
                dividend = implied_dividends(close, given["adj_close"], unadjusted_split)
        values = {name: given[name] for name in PRICE_FIELDS}
        volume = _filled(given.get("volume"), n, 0.0)
        return make_bars(self.days[order], {**values, "volume": volume, "dividend": dividend, "split": split})


def plain_columns(content: bytes) -> PriceColumns | None:
    """Return the columns of a Parquet file of days and plain numbers, None for any other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(content)) as file:
            schema = file.schema_arrow
            names = [name.strip().lower() for name in schema.names]
            wanted = {ALIASES.get(name, name): schema.names[i] for i, name in enumerate(names)}
            if len(wanted) != len(names) or any(name not in wanted for name in REQUIRED):
                return None
            numbers = [name for name in NUMBERS if name in wanted]
            if not all(_is_number(schema.field(wanted[name]).type) for name in numbers):
                return None
            kind = ["kind"] if "kind" in wanted else []
            if schema.field(wanted["date"]).type != pa.date32() or not all(_is_text(schema.field(wanted[k]).type) for k in kind):
                return None
            read = [wanted[name] for name in ("date", *kind, *numbers)]
            table = file.read(read, use_threads=file.metadata.num_rows > MANY_ROWS)
    except (pa.ArrowException, OSError, ValueError, KeyError):  # the table says what is wrong
        return None
    if table.column(wanted["date"]).null_count:
        return None
    kinds = frozenset(value for name in kind for value in table.column(wanted[name]).unique().to_pylist() if value is not None)
    days = table.column(wanted["date"]).to_numpy()
    return PriceColumns(days, {name: table.column(wanted[name]).to_numpy().astype(np.float64) for name in numbers}, kinds)


def _is_number(kind: object) -> bool:
    import pyarrow.types as types

    return bool(types.is_integer(kind) or types.is_floating(kind))


def _is_text(kind: object) -> bool:
    import pyarrow.types as types

    return bool(types.is_string(kind) or types.is_large_string(kind))


def _filled(values: NDArray[np.float64] | None, n: int, default: float) -> NDArray[np.float64]:
    """Return a column (n,) with a default for missing values, or for the whole column where there is none."""
    return np.full(n, default) if values is None else np.where(np.isnan(values), default, values)
