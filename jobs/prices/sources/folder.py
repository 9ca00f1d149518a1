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

from jobs.exchanges.calendars import exchange_calendar
from jobs.exchanges.symbols import SymbolRefused, exchange_of, parse_symbol
from jobs.prices.sources.adjusting import as_traded
from jobs.prices.sources.base import BadSourceData, Fetch, SourceSettings, UnknownTicker
from jobs.prices.sources.price_tables import bars_of_table, has_ticker_column, read_table
from jobs.terminal.text import counted, first_names
from storage.bars import Bars, Listing, refuse_bad_rows
from storage.files import unquote_ticker

if TYPE_CHECKING:
    import pandas as pd

# The price basis of each adjustment that a user can state.
BASES = {"as_traded": "as_traded", "split": "split_adjusted", "full": "fully_adjusted"}
FILE_TYPES = (".csv", ".parquet")

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
        self.path = Path(path).expanduser()
        if not path or not self.path.exists():
            raise SourceSettings(f"folder {path!r} does not exist; give folder:PATH or set source.path")
        if adjustment not in BASES:
            raise SourceSettings(
                f"it is not stated how the prices in {self.path} are adjusted; "
                "add --adjustment as_traded, split or full (or source.adjustment)"
            )
        self.adjustment, self.splits = adjustment, splits or {}

    def tickers(self) -> list[str]:
        """Return the tickers of the folder by name."""
        return sorted(self._files) if self._files else sorted(self._tables)

    def fetch(self, ticker: str, start: date | None, older_names: Sequence[str] = ()) -> Fetch:
        """Return the bars from `start` on, or all of them. Raises UnknownTicker, BadSourceData or SourceSettings."""
        names = (ticker, *older_names)
        table = self._table(names)
        stated = {day: ratio for name in reversed(names) for day, ratio in self.splits.get(name, {}).items()}
        bars, refused = refuse_bad_rows(_with_splits(bars_of_table(table, self.adjustment), stated))
        if not len(bars):
            first = f", the first: {refused[0].session} {refused[0].reason}" if refused else ""
            raise BadSourceData(f"{ticker}: no usable row in {self.path}; {counted(len(refused), 'refused row')}{first}")
        basis = BASES[self.adjustment]
        if self.adjustment == "split" and ("split" in table or stated):
            # The prices are adjusted for a split that is stated for a day after the last bar.
            after = math.prod(ratio for day, ratio in stated.items() if np.datetime64(day) > bars.session[-1])
            bars, basis = as_traded(bars, after), "as_traded"
        if start is not None:
            bars = bars.select(bars.session >= np.datetime64(start))
        exchange = exchange_of(ticker)
        return Fetch(Listing(ticker, "USD", exchange, exchange_calendar(exchange).time_zone, basis), bars, refused)

    def _table(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the rows under the first of a ticker's names that the folder has."""
        for name in names:
            if name in self._files:
                return read_table(self._files[name])
            if name in self._tables:
                return self._tables[name]
        raise UnknownTicker(f"{names[0]}: not in {self.path}; it has {first_names(self.tickers())}")

    @cached_property
    def _files(self) -> dict[str, Path]:
        """Return the file of each ticker; an empty dict where one Parquet file with a ticker column has them all."""
        paths = [self.path] if self.path.is_file() else sorted(self.path.iterdir())
        paths = [path for path in paths if path.suffix.lower() in FILE_TYPES]
        if not paths:
            raise SourceSettings(f"{self.path} has no CSV and no Parquet file")
        if len(paths) == 1 and has_ticker_column(paths[0]):
            return {}
        files: dict[str, Path] = {}
        for path in paths:
            try:
                files[parse_symbol(unquote_ticker(path.stem))] = path
            except SymbolRefused:
                continue  # a file without a ticker's name is not part of the source
        return files

    @cached_property
    def _tables(self) -> dict[str, pd.DataFrame]:
        """Return each ticker's rows of the one file with a ticker column."""
        if self._files:
            return {}
        path = self.path if self.path.is_file() else next(p for p in self.path.iterdir() if p.suffix == ".parquet")
        return {str(ticker).upper(): rows for ticker, rows in read_table(path).groupby("ticker", sort=True)}


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
