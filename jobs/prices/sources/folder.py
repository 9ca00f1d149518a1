"""The folder source: a folder with one CSV or Parquet file per ticker, or one Parquet file with a ticker column.

A file is named after its ticker. The prices do not show how they are adjusted, so the user must state it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import exchange_of, parse_symbol
from tickercast.jobs.prices.sources.adjusting import as_traded
from tickercast.jobs.prices.sources.base import BadSourceData, Fetch, SourceSettings, UnknownTicker
from tickercast.jobs.prices.sources.folder_files import Names, content_of, event_file_of, names_of, names_of_files, price_files
from tickercast.jobs.prices.sources.price_columns import PriceColumns
from tickercast.jobs.prices.sources.price_tables import (
    columns_of_file,
    columns_of_table,
    has_ticker_column,
    kind_of,
    tables_by_ticker,
)
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.storage.bars import Bars, Listing, refuse_bad_rows
from tickercast.storage.files import sha256_of
from tickercast.storage.paths import user_path

if TYPE_CHECKING:
    import pandas as pd

# The price basis of each adjustment that a user can state.
BASES = {"as_traded": "as_traded", "split": "split_adjusted", "full": "fully_adjusted"}

Splits = dict[str, dict[date, float]]
SPLIT = re.compile(r"(\S+)\s+(\d{4}-\d\d-\d\d)\s+([\d.]+)[:/]([\d.]+)")


def parse_splits(texts: Sequence[str]) -> Splits:
    """Return the splits of each ticker by ex-date, from texts like `GOOGL 2022-07-18 20:1`.

    A split is the number of new shares per old share. Raises SourceSettings for any other text.
    """
    splits: Splits = {}
    for text in texts:
        match = SPLIT.fullmatch(text.strip())
        try:
            if match is None:
                raise ValueError
            ratio = float(match[3]) / float(match[4])
            if not 0 < ratio < math.inf:
                raise ValueError
            splits.setdefault(parse_symbol(match[1]), {})[date.fromisoformat(match[2])] = ratio
        except (ValueError, ZeroDivisionError) as error:
            raise SourceSettings(f"source.splits has {text!r}; write a split like 'GOOGL 2022-07-18 20:1'") from error
    return splits


class FolderSource:
    """Prices in files. adjustment: as_traded, split or full (splits and dividends). splits: those that the files lack."""

    kind = "folder"
    live = False
    requests = 0

    def __init__(self, path: str, adjustment: str, splits: Splits | None = None) -> None:
        self.path = user_path(path)
        if not path or not self.path.exists():
            raise SourceSettings(f"folder {path!r} does not exist; give folder:PATH or set source.path")
        if not self.path.is_dir() and not self.path.is_file():
            raise SourceSettings(f"{self.path} is neither a folder nor a file")
        if adjustment not in BASES:
            raise SourceSettings(
                f"it is not stated how the prices in {self.path} are adjusted; "
                "add --adjustment as_traded, split or full (or source.adjustment)"
            )
        self.adjustment, self.splits = adjustment, splits or {}
        self._hashes: dict[Path, str] = {}

    def tickers(self) -> list[str]:
        """Return the tickers of the folder by name, also those that fail because two names clash."""
        return sorted({*self._names.by_symbol, *self._names.refused})

    def left_out(self) -> list[str]:
        """Return a line for each name in the folder that is no symbol, and for each ticker that it cannot give."""
        return [*self._names.left_out, *(f"{symbol}: {reason}" for symbol, reason in sorted(self._names.refused.items()))]

    @property
    def has_file_each(self) -> bool:
        """Return whether each ticker has a file of its own. Raises SourceSettings for a folder without any."""
        return self._many is None

    @cached_property
    def event_file(self) -> Path | None:
        """Return the folder's file of company events, None without one."""
        return event_file_of(self.path)

    def fetch(self, ticker: str, start: date | None, older_names: Sequence[str] = ()) -> Fetch:
        """Return the bars from `start` on, or all of them. Raises UnknownTicker, BadSourceData or SourceSettings."""
        names = (ticker, *older_names)
        stated = self._stated_splits(names)
        exchange = exchange_of(ticker)
        zone = exchange_calendar(exchange).time_zone
        columns = self._columns(names, zone)
        bars, refused = refuse_bad_rows(_with_splits(columns.bars(self.adjustment), stated))
        if not len(bars):
            first = f", the first: {refused[0].session} {refused[0].reason}" if refused else ""
            raise BadSourceData(f"{ticker}: no usable row in {self.path}; {counted(len(refused), 'refused row')}{first}")
        basis = BASES[self.adjustment]
        if self.adjustment == "split" and ("split" in columns.numbers or stated):
            # The prices are adjusted for a split that is stated for a day after the last bar.
            after = math.prod(ratio for day, ratio in stated.items() if np.datetime64(day) > bars.session[-1])
            bars, basis = as_traded(bars, after), "as_traded"
        if start is not None:
            bars = bars.select(bars.session >= np.datetime64(start))
        return Fetch(Listing(ticker, "USD", exchange, zone, basis, _kind(ticker, columns.kinds)), bars, refused)

    def forget_rows(self) -> None:
        """Free the rows of a file with all tickers. Another fetch reads the file again."""
        self.__dict__.pop("_tables", None)

    def version(self, ticker: str, older_names: Sequence[str] = ()) -> str:
        """Return a hash of a ticker's file and of how it is read: equal for the same bars. Raises what fetch raises."""
        names = (ticker, *older_names)
        path = self._path(names)
        if path not in self._hashes:
            self._hashes[path] = sha256_of(content_of(path))
        stated = sorted(self._stated_splits(names).items())
        return sha256_of(f"{self._hashes[path]} {ticker} {self.adjustment} {stated}".encode())

    def _stated_splits(self, names: Sequence[str]) -> dict[date, float]:
        """Return the splits stated under any of a ticker's names; the newest name counts first."""
        return {day: ratio for name in reversed(names) for day, ratio in self.splits.get(name, {}).items()}

    def _path(self, names: Sequence[str]) -> Path:
        """Return the file of the first of a ticker's names that the folder has."""
        for name in names:
            if name in self._names.by_symbol:
                return self._many or self._files[self._names.by_symbol[name]]
            if name in self._names.refused:
                raise BadSourceData(f"{name}: {self._names.refused[name]}")
        raise UnknownTicker(f"{names[0]}: not in {self.path}; it has {first_names(self.tickers())}")

    def _columns(self, names: Sequence[str], time_zone: str) -> PriceColumns:
        """Return the rows under the first of a ticker's names that the folder has."""
        path = self._path(names)
        if not self._many:
            return columns_of_file(path, content_of(path), time_zone)
        table = self._tables[next(self._names.by_symbol[name] for name in names if name in self._names.by_symbol)]
        return columns_of_table(table, time_zone)

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Return the price files of the folder by name."""
        files = {path.name: path for path in price_files(self.path)}
        if not files:
            raise SourceSettings(f"{self.path} has no CSV and no Parquet file")
        return files

    @cached_property
    def _many(self) -> Path | None:
        """Return the one Parquet file that has all tickers, None where each has a file of its own."""
        path = next(iter(self._files.values()))
        return path if len(self._files) == 1 and path.is_file() and has_ticker_column(path) else None

    @cached_property
    def _names(self) -> Names:
        """Return the tickers' names in the folder by symbol."""
        if not self._many:
            return names_of_files(list(self._files.values()))
        return names_of({name or "(no ticker)": name for name in self._tables})

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        """Return the rows of the one file with all tickers, by the ticker as written."""
        assert self._many is not None
        return tables_by_ticker(self._many, content_of(self._many))


def _kind(ticker: str, kinds: frozenset[str]) -> str:
    """Return the kind that a ticker's rows state, empty without one. Raises BadSourceData."""
    try:
        return kind_of(kinds)
    except BadSourceData as error:
        raise BadSourceData(f"{ticker}: {error}") from error


def _with_splits(bars: Bars, stated: dict[date, float]) -> Bars:
    """Return the bars with some splits, each on the first bar at or after its ex-date."""
    if not stated:
        return bars
    bars = bars.select(np.argsort(bars.session, kind="stable"))
    split = bars.split.copy()
    for ex_date, ratio in stated.items():
        index = int(np.searchsorted(bars.session, np.datetime64(ex_date)))
        if index < len(split):
            split[index] = ratio
    return replace(bars, split=split)
