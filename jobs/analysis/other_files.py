"""Reads tables of other tools' forecasts: checks their columns, and turns rows into forecasts by model and ticker.

They come from the files of `evaluate --add`, or from frames.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tickercast.jobs.analysis.baselines import GRID_LEVELS, Floats
from tickercast.jobs.analysis.compare import OURS
from tickercast.jobs.analysis.other_forecasts import Days, Mask, OtherForecasts, OtherModel
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.symbols import SymbolRefused, parse_symbol
from tickercast.jobs.terminal.text import counted, first_names, printable
from tickercast.storage.paths import open_at_once

if TYPE_CHECKING:
    import pyarrow as pa

TICKER, ORIGIN, TARGET = KEYS = ("unique_id", "cutoff", "ds")
INTERVAL_END = re.compile(r"(.+)-(lo|hi)-(\d+(?:\.\d+)?)")
QUANTILE = re.compile(r"(.+?)[-_]ql?(0?\.\d+)")
MEDIAN_SUFFIX = "-median"
ACCEPTED = "Model-lo-80 and Model-hi-80, or Model-q0.05"


@dataclass(frozen=True, slots=True)
class Part:
    """A model's rows in one table: ticker as written, origin and target (n,), prices (n, levels). where: the table's name."""

    where: str
    ticker: list[str]
    origin: Days
    target: Days
    prices: Floats

    @property
    def levels(self) -> Mask:
        """Return which levels of the grid have a column: those with any value."""
        return np.asarray(np.isfinite(self.prices).any(axis=0))


def read_other_models(paths: Sequence[Path], methods: Sequence[str]) -> list[OtherModel]:
    """Return the models of some files, by name. Rows of one model in several files are taken together.

    methods: the names that are taken already. Raises UsageError, in one line that names the file and the fault.
    """
    return models_of_tables(((str(path), _read(path)) for path in paths), methods)


def models_of_tables(tables: Iterable[tuple[str, pa.Table]], methods: Sequence[str]) -> list[OtherModel]:
    """Return the models of some tables, each with a name that errors show. See read_other_models."""
    parts: dict[str, list[Part]] = {}
    for where, table in tables:
        for name, part in _parts_of(where, table).items():
            if name in (OURS, *methods):
                raise UsageError(f"{where}: a method is called {name!r} already; rename the model's columns")
            parts.setdefault(name, []).append(part)
    return [_model(name, of_model) for name, of_model in parts.items()]


def _parts_of(where: str, table: pa.Table) -> dict[str, Part]:
    columns = table.column_names
    missing = [name for name in KEYS if name not in columns]
    if missing:
        raise UsageError(f"{where}: no column {', '.join(missing)}; it has {first_names(columns)}")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UsageError(f"{where}: two columns are called {twice[0]}")
    if not len(table):
        raise UsageError(f"{where}: it has no row")
    by_model = _level_columns(columns)
    if not by_model:
        raise UsageError(f"{where}: no model has columns of levels; name them {ACCEPTED}; it has {first_names(columns)}")
    ticker = _texts(where, table)
    origin, target = (_days(where, table, name) for name in (ORIGIN, TARGET))
    return {name: Part(where, ticker, origin, target, _prices(where, table, columns)) for name, columns in by_model.items()}


def _read(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        with open_at_once(path) as file:  # pyarrow opens no name that is not UTF-8
            if path.suffix.lower() == ".parquet":
                return pyarrow.parquet.read_table(file)
            # A ticker may look like a number, a truth value or a missing one.
            options = pyarrow.csv.ConvertOptions(column_types={TICKER: pa.string()}, strings_can_be_null=False)
            return pyarrow.csv.read_csv(file, convert_options=options)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read as {path.suffix[1:] or 'CSV'}: {_one_line(error)}") from error


def _level_columns(columns: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return the column of each level by model and position in GRID_LEVELS. Levels outside the grid do not count."""
    found: dict[str, dict[int, str]] = {}
    for column in columns:
        if match := INTERVAL_END.fullmatch(column):
            half = float(match[3]) / 200
            name, level = match[1], 0.5 - half if match[2] == "lo" else 0.5 + half
        elif match := QUANTILE.fullmatch(column):
            name, level = match[1], float(match[2])
        else:
            continue
        of_model = found.setdefault(name, {})
        position = _position(level)
        if position is not None:
            of_model[position] = column
    for name, of_model in found.items():
        plain = [column for column in (f"{name}{MEDIAN_SUFFIX}", name) if column in columns]
        if plain:
            of_model.setdefault(len(GRID_LEVELS) // 2, plain[0])
    return found


def _position(level: float) -> int | None:
    nearest = int(np.argmin(np.abs(GRID_LEVELS - level)))
    return nearest if abs(GRID_LEVELS[nearest] - level) < 1e-6 else None


def _texts(where: str, table: pa.Table) -> list[str]:
    values = table[TICKER].to_pylist()
    if None in values:
        raise UsageError(f"{where}: {counted(values.count(None), 'row')} without a {TICKER}")
    return [str(value) for value in values]


def _days(where: str, table: pa.Table, name: str) -> Days:
    """Return the days of a column of dates, of times in any zone, or of texts that begin with a date."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table[name]
    if column.null_count:
        raise UsageError(f"{where}: {counted(column.null_count, 'row')} without a {name}")
    try:
        if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            raise UsageError(f"{where}: {name} has numbers, such as {column[0]}; write dates like 2024-03-01")
        if pa.types.is_timestamp(column.type):
            column = pc.local_timestamp(column) if column.type.tz else column
        elif not pa.types.is_date(column.type):
            column = pc.utf8_slice_codeunits(column.cast(pa.string()), 0, 10)
        return np.asarray(column.cast(pa.date32(), safe=False).to_numpy(), "datetime64[D]")
    except (pa.ArrowException, ValueError) as error:
        raise UsageError(f"{where}: {name} has no dates like 2024-03-01: {_one_line(error)}") from error


def _prices(where: str, table: pa.Table, by_level: Mapping[int, str]) -> Floats:
    """Return (n, levels) prices, NaN where a level has no column, or a row no positive number."""
    import pyarrow as pa

    prices = np.full((len(table), len(GRID_LEVELS)), np.nan)
    for position, name in by_level.items():
        try:
            prices[:, position] = table[name].cast(pa.float64()).to_numpy()
        except (pa.ArrowException, ValueError) as error:
            raise UsageError(f"{where}: column {printable(name)} has values that are no numbers") from error
    prices[~(np.isfinite(prices) & (prices > 0))] = np.nan
    return prices


def _model(name: str, parts: Sequence[Part]) -> OtherModel:
    """Return the forecasts of one model. Raises UsageError for two of one ticker, cutoff and ds, and for swapped ends."""
    written = [ticker for part in parts for ticker in part.ticker]
    symbols = {text: _symbol(text) for text in set(written)}
    ticker = np.array([symbols[text] for text in written])
    origin, target, prices = (
        np.concatenate([getattr(part, field) for part in parts]) for field in ("origin", "target", "prices")
    )
    _refuse_swapped(parts[-1].where, name, prices)
    tickers = {}
    for symbol in sorted({symbol for symbol in symbols.values() if symbol}):
        rows = ticker == symbol
        tickers[symbol] = OtherForecasts(origin[rows], target[rows], prices[rows])
        (cutoff, ds), count = Counter(zip(origin[rows].tolist(), target[rows].tolist(), strict=True)).most_common(1)[0]
        if count > 1:
            raise UsageError(f"{parts[-1].where}: {name} has {count} rows of {symbol} with cutoff {cutoff} and ds {ds}; keep one")
    return OtherModel(name, np.all([part.levels for part in parts], axis=0), tickers)


def _refuse_swapped(where: str, name: str, prices: Floats) -> None:
    """Raise UsageError where the low end of an interval is above its high end in most rows. prices: (n, levels)."""
    swapped = (prices > prices[:, ::-1])[:, : len(GRID_LEVELS) // 2].mean(axis=0) > 0.5
    if swapped.any():
        level = round(100 * (1 - 2 * GRID_LEVELS[int(np.argmax(swapped))]))
        raise UsageError(f"{where}: {name} has the low end of its {level} % interval above the high end; are they swapped?")


def _symbol(text: str) -> str:
    """Return the ticker that an id names; empty for one that can be none."""
    try:
        return parse_symbol(text)
    except SymbolRefused:
        return ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
