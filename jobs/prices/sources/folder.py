"""The folder source: one CSV or Parquet a ticker (its name the file's stem), or one Parquet with a ticker column.

Columns by name, any case: date, open, high, low, close, volume; optional adj_close, dividend, split; others are ignored.
How prices are adjusted cannot be seen from them, so it must be stated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.exchanges.symbols import SymbolRefused, exchange_of, parse_symbol
from jobs.prices.sources.adjusting import as_traded, implied_dividends
from jobs.prices.sources.base import BadSourceData, Fetch, SourceSettings, UnknownTicker
from storage.bars import Bars, Listing, make_bars, refuse_bad_rows
from storage.files import unquote_ticker

if TYPE_CHECKING:
    import pandas as pd

BASES = {"as_traded": "as_traded", "split": "split_adjusted", "full": "fully_adjusted"}
REQUIRED = ("date", "open", "high", "low", "close")
ALIASES = {
    "adj close": "adj_close", "adjclose": "adj_close", "dividends": "dividend", "stock splits": "split",
    "stock_splits": "split", "splits": "split", "symbol": "ticker", "datetime": "date",
}  # fmt: skip
NUMBERS = ("open", "high", "low", "close", "volume", "adj_close", "dividend", "split")


Splits = dict[str, dict[date, float]]
SPLIT = re.compile(r"(\S+)\s+(\d{4}-\d\d-\d\d)\s+([\d.]+)[:/]([\d.]+)")


def parse_splits(stated: Sequence[str]) -> Splits:
    """Return each ticker's splits, shares after per share before by ex-date, from texts like `GOOGL 2022-07-18 20:1`.

    Raises SourceSettings for any other text.
    """
    splits: Splits = {}
    for text in stated:
        found = SPLIT.fullmatch(text.strip())
        try:
            if found is None:
                raise ValueError
            ratio = float(found[3]) / float(found[4])
            if not 0 < ratio < math.inf:
                raise ValueError
            splits.setdefault(parse_symbol(found[1]), {})[date.fromisoformat(found[2])] = ratio
        except (ValueError, ZeroDivisionError) as error:
            raise SourceSettings(f"source.splits has {text!r}; a split is written like 'GOOGL 2022-07-18 20:1'") from error
    return splits


class FolderSource:
    """Prices in files. adjustment: as_traded, split (for splits up to the file's making) or full (dividends too).

    splits: those of each ticker that its file does not tell.
    """

    kind = "folder"
    live = False
    requests = 0

    def __init__(self, path: str, adjustment: str, splits: Splits | None = None) -> None:
        self.path = Path(path).expanduser()
        if not path or not self.path.exists():
            raise SourceSettings(f"folder {path!r} does not exist; give folder:PATH or set source.path")
        if adjustment not in BASES:
            raise SourceSettings(
                f"how the prices in {self.path} are adjusted is not stated; "
                "add --adjustment as_traded, split or full (or source.adjustment)"
            )
        self.adjustment, self.splits = adjustment, splits or {}

    def tickers(self) -> list[str]:
        return sorted(self._files) if self._files else sorted(self._table)

    def fetch(self, ticker: str, start: date | None) -> Fetch:
        frame = self._frame(ticker)
        stated = self.splits.get(ticker, {})
        bars, refused = refuse_bad_rows(_with_splits(_bars(frame, self.adjustment), stated))
        if not len(bars):
            why = f", the first: {refused[0].session} {refused[0].reason}" if refused else ""
            raise BadSourceData(f"{ticker}: no usable row in {self.path}; {len(refused)} were refused{why}")
        basis = BASES[self.adjustment]
        if self.adjustment == "split" and ("split" in frame or stated):
            # A split stated for after the last bar was in the prices when the file was made.
            after = math.prod(ratio for day, ratio in stated.items() if np.datetime64(day) > bars.session[-1])
            bars, basis = as_traded(bars, after), "as_traded"
        if start is not None:
            bars = bars.select(bars.session >= np.datetime64(start))
        exchange = exchange_of(ticker)
        return Fetch(Listing(ticker, "USD", exchange, _time_zone(exchange), basis), bars, refused)

    def _frame(self, ticker: str) -> pd.DataFrame:
        if ticker in self._files:
            return _read(self._files[ticker])
        if ticker in self._table:
            return self._table[ticker]
        raise UnknownTicker(f"{ticker}: not in {self.path}; it has {_some(self.tickers())}")

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Return the file of each ticker; none where one Parquet with a ticker column holds them all."""
        paths = [self.path] if self.path.is_file() else sorted(self.path.iterdir())
        paths = [path for path in paths if path.suffix.lower() in (".csv", ".parquet")]
        if not paths:
            raise SourceSettings(f"{self.path} holds no CSV and no Parquet file")
        if len(paths) == 1 and self._is_table(paths[0]):
            return {}
        named: dict[str, Path] = {}
        for path in paths:
            try:
                named[parse_symbol(unquote_ticker(path.stem))] = path
            except SymbolRefused:
                continue  # a file that is not named for a ticker is not ours
        return named

    @cached_property
    def _table(self) -> dict[str, pd.DataFrame]:
        if self._files:
            return {}
        path = self.path if self.path.is_file() else next(p for p in self.path.iterdir() if p.suffix == ".parquet")
        frame = _read(path)
        return {str(ticker).upper(): part for ticker, part in frame.groupby("ticker", sort=True)}

    @staticmethod
    def _is_table(path: Path) -> bool:
        if path.suffix.lower() != ".parquet":
            return False
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return "ticker" in {ALIASES.get(n.lower(), n.lower()) for n in pq.read_schema(path).names}
        except (pa.ArrowException, OSError) as error:
            raise BadSourceData(f"{path}: cannot be read: {' '.join(str(error).split())}") from error


def _read(path: Path) -> pd.DataFrame:
    """Return a file with canonical column names. Raises BadSourceData, naming the file and what is wrong with it."""
    import pandas as pd
    import pyarrow as pa

    try:
        frame = pd.read_csv(path) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise BadSourceData(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if frame.index.name:
        frame = frame.reset_index()
    lowered = [str(name).strip().lower() for name in frame.columns]
    frame.columns = pd.Index([ALIASES.get(name, name) for name in lowered])
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise BadSourceData(f"{path}: no column {', '.join(missing)}; it has {_some(lowered)}")
    if frame.columns.duplicated().any():
        raise BadSourceData(f"{path}: two columns of one name")
    return _typed(frame, path)


def _typed(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    import pandas as pd

    kept = frame[[name for name in ("ticker", "date", *NUMBERS) if name in frame]].copy()
    try:
        if not pd.api.types.is_datetime64_any_dtype(kept["date"]):
            # The date as written is the session; an offset behind it must not move it to another day.
            kept["date"] = pd.to_datetime(kept["date"].astype(str).str.slice(0, 10), format="ISO8601")
        elif kept["date"].dt.tz is not None:
            kept["date"] = kept["date"].dt.tz_localize(None)
        for name in NUMBERS:
            if name in kept:
                kept[name] = pd.to_numeric(kept[name]).astype("float64")
    except (ValueError, TypeError) as error:
        raise BadSourceData(f"{path}: {' '.join(str(error).split())[:200]}") from error
    return kept


def _bars(frame: pd.DataFrame, adjustment: str) -> Bars:
    frame = frame.sort_values("date", kind="stable")

    def column(name: str, default: float) -> Any:
        return np.array(frame[name].fillna(default), np.float64) if name in frame else np.full(len(frame), default)

    values = {name: np.array(frame[name], np.float64) for name in ("open", "high", "low", "close")}
    split, dividend = column("split", 1.0), column("dividend", 0.0)
    split[split == 0] = 1.0  # Yahoo's way to write "none"
    if adjustment == "full":
        split[:], dividend[:] = 1.0, 0.0  # the prices contain them
    elif "dividend" not in frame and "adj_close" in frame:
        with np.errstate(divide="ignore", invalid="ignore"):
            on_basis = split if adjustment == "as_traded" else np.ones(len(split))
            dividend = implied_dividends(values["close"], column("adj_close", np.nan), on_basis)
    days = frame["date"].to_numpy().astype("datetime64[D]")
    volume = np.nan_to_num(column("volume", 0.0), nan=0.0)
    return make_bars(days, {**values, "volume": volume, "dividend": dividend, "split": split})


def _with_splits(bars: Bars, stated: dict[date, float]) -> Bars:
    """Return the bars with splits stated elsewhere, each on the first bar at or after its ex-date."""
    if not stated:
        return bars
    order = np.argsort(bars.session, kind="stable")
    bars = bars.select(order)
    split = bars.split.copy()
    for ex_date, ratio in stated.items():
        place = int(np.searchsorted(bars.session, np.datetime64(ex_date)))
        if place < len(split):
            split[place] = ratio
    return replace(bars, split=split)


def _time_zone(exchange: str) -> str:
    from jobs.exchanges.calendars import exchange_calendar

    return exchange_calendar(exchange).time_zone


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
