"""Read a long frame of prices: a row for each ticker and day, with unique_id, ds and y, as Nixtla's libraries take it.

Its rows go through the product's own checks, so a bad row is refused here where a home would refuse it. Not here: what is
forecast from the bars (_panel).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import exchange_calendar
from tickercast.jobs.exchanges.symbols import SymbolRefused, exchange_of, kind_of_symbol, parse_symbol
from tickercast.jobs.prices.gates import apply_gates
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.price_tables import days_and_instants, kind_of_table
from tickercast.jobs.prices.verdicts import QUARANTINED, REFUSED, Verdict
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.storage.bars import Bars, make_bars, refuse_bad_rows

ID, DAY, PRICE = KEYS = ("unique_id", "ds", "y")
OTHER_PRICES = ("open", "high", "low", "close")
NUMBERS = (PRICE, *OTHER_PRICES, "volume", "dividend", "split")
USUAL_NAMES = {"ticker": ID, "symbol": ID, "date": DAY, "datetime": DAY, "close": PRICE, "adj close": PRICE}
CALENDARS = {"B": "24/5", "D": "24/7"}  # weekdays, every day: pandas' names for them
MOST_STRAY = 0.02  # share of a ticker's rows on days without a session; with more, its calendar is another one
REFUSED_COLUMNS = (ID, DAY, "code", "reason")


class DataWarning(UserWarning):
    """Some rows or tickers of a frame were left out. The message names the first of them."""


class Left(NamedTuple):
    """A row that is not used, and why."""

    unique_id: Any
    ds: Any
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Series:
    """One ticker of a frame. key: its symbol, or its id as text, which seeds are made of. exchange: code of its calendar."""

    unique_id: Any
    key: str
    exchange: str
    kind: str
    bars: Bars


@dataclass(frozen=True, slots=True)
class LongFrame:
    """The tickers of a frame in their order, those left out with the reason of each, and the rows that are not used.

    unit: of the days in frames that are returned, as in the frame that was given.
    """

    series: tuple[Series, ...]
    left_out: dict[Any, str]
    refused: tuple[Left, ...]
    unit: str


class TickerLeftOut(Exception):
    """A ticker cannot be used. Its message is the reason."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a frame is read. calendar: a code for all tickers, None = by symbol. field: the price that y is.

    fewest: rows that each ticker needs. judged: whether the gates judge prices.
    """

    calendar: str | None
    field: str
    fewest: int
    judged: bool = True

    def frame(self, frame: Any) -> LongFrame:
        """Return the tickers of a frame. Raises ValueError where it cannot be read, or where no ticker of it can be used."""
        table, unit = _typed(as_pandas(frame))
        series, left_out, refused = [], {}, []
        for unique_id, rows in table.groupby(ID, sort=False, observed=True):
            try:
                one, left = self._series(unique_id, rows)
            except TickerLeftOut as error:
                left_out[unique_id] = str(error)
                continue
            series.append(one)
            refused += left
        if not series:
            raise ValueError(f"no ticker can be used; {_first_reasons(left_out)}")
        return LongFrame(tuple(series), left_out, tuple(refused), unit)

    def _series(self, unique_id: Any, rows: pd.DataFrame) -> tuple[Series, list[Left]]:
        key, by_symbol, kind = _names(unique_id)
        exchange = CALENDARS.get(self.calendar or "", self.calendar) or _one_of(rows, "exchange") or by_symbol
        try:
            calendar = exchange_calendar(exchange)
            kind = kind_of_table(rows) or kind
        except (UsageError, BadSourceData) as error:
            raise TickerLeftOut(str(error)) from error
        bars = _bars(_on_days_of(rows, calendar.time_zone), self.field)
        is_session = calendar.are_sessions(bars.session)
        stray = bars.session[~is_session]
        if len(stray) > max(1, MOST_STRAY * len(bars)):
            raise TickerLeftOut(
                f"{len(stray)} of {len(bars)} rows are on days without a session of {exchange}, the first on {stray[0]}; "
                "name its calendar: calendar='24/7', or a column exchange"
            )
        bars, bad = refuse_bad_rows(bars.select(is_session))
        verdicts = [Verdict(day, REFUSED, "no session", f"not a session of {exchange}") for day in stray.tolist()]
        verdicts += [Verdict(row.session, REFUSED, row.code, row.reason) for row in bad]
        if self.judged and len(bars):
            bars, judged = _judged(bars)
            verdicts += judged
        if len(bars) < self.fewest:
            raise TickerLeftOut(f"{counted(len(bars), 'usable row')}, a forecast needs {self.fewest}")
        left = [Left(unique_id, pd.Timestamp(each.session), each.code, each.message) for each in verdicts]
        return Series(unique_id, key, exchange, kind, bars), left


def as_pandas(frame: Any) -> pd.DataFrame:
    """Return a frame of pandas, or of any library whose frames have to_pandas. Raises TypeError for anything else."""
    if not isinstance(frame, pd.DataFrame) and hasattr(frame, "to_pandas"):
        frame = frame.to_pandas()
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
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
        raise ValueError("y is given twice: as a column of the frame and apart; give one of them")
    prices = np.asarray(y)
    if prices.shape != (len(table),):
        raise ValueError(f"y has the shape {prices.shape}, the frame has {counted(len(table), 'row')}")
    return table.assign(**{PRICE: prices})


def days_of(column: pd.Series, name: str) -> tuple[pd.Series, pd.Series]:
    """Return the days as written, and the instants of rows with a time and a zone. Raises ValueError, which names the column."""
    if column.isna().any():
        raise ValueError(f"{name} is missing in {counted(int(column.isna().sum()), 'row')}; drop them")
    if pd.api.types.is_numeric_dtype(column):
        raise ValueError(f"{name} has numbers, such as {column.iloc[0]}; write dates like 2024-03-01")
    try:
        return days_and_instants(column)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def warnings_of(frame: LongFrame) -> Iterator[str]:
    """Yield a line for the tickers that are left out, and one for the rows that are not used."""
    if frame.left_out:
        yield f"{counted(len(frame.left_out), 'ticker')} left out: {_first_reasons(frame.left_out)}"
    if frame.refused:
        first = frame.refused[0]
        yield (
            f"{counted(len(frame.refused), 'row')} not used, the first: {first.unique_id} {first.ds:%Y-%m-%d} "
            f"({first.code}: {first.reason}); refused_rows_ lists them"
        )


def refused_table(refused: tuple[Left, ...], unit: str) -> pd.DataFrame:
    """Return the rows that are not used as a frame."""
    table = pd.DataFrame(list(refused), columns=list(REFUSED_COLUMNS))
    return table.astype({DAY: f"datetime64[{unit}]"})


def _typed(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the columns that are read, with their types, and the unit of the days. Raises ValueError for what is no price."""
    missing = [name for name in KEYS if name not in frame]
    if missing:
        raise ValueError(
            f"no column {', '.join(missing)}; the frame has {first_names(list(map(str, frame.columns)))}{_hint(frame)}"
        )
    if frame.columns.duplicated().any():
        raise ValueError(f"two columns are called {frame.columns[frame.columns.duplicated()][0]}")
    if not len(frame):
        raise ValueError("the frame has 0 rows (n_samples = 0); a minimum of 1 is required, and a forecast needs more")
    table = frame[[name for name in (ID, DAY, *NUMBERS, "kind", "exchange") if name in frame]].reset_index(drop=True)
    if table[ID].isna().any():
        raise ValueError(f"unique_id is missing in {counted(int(table[ID].isna().sum()), 'row')}")
    unit = table[DAY].dt.unit if pd.api.types.is_datetime64_any_dtype(table[DAY]) else "us"
    days, instants = days_of(table[DAY], DAY)
    table = table.assign(**{DAY: days, "instant": instants}, **{name: _numbers(table, name) for name in NUMBERS if name in table})
    _refuse_bad_prices(table)
    return table, unit


def _numbers(table: pd.DataFrame, name: str) -> pd.Series:
    try:
        return pd.to_numeric(table[name]).astype("float64")
    except (ValueError, TypeError) as error:
        raise ValueError(f"column {name} has values that are no numbers: {' '.join(str(error).split())[:100]}") from error


def _refuse_bad_prices(table: pd.DataFrame) -> None:
    """Raise ValueError for a price that is missing, infinite, zero or negative, and for two rows of one ticker and day."""
    price = table[PRICE]
    for is_bad, said in ((~np.isfinite(price), "NaN or infinite"), (price <= 0, "zero or negative")):
        if is_bad.any():
            first = table[is_bad].iloc[0]
            raise ValueError(
                f"y is {said} in {counted(int(is_bad.sum()), 'row')}, the first: {first[ID]} {first[DAY]:%Y-%m-%d}; drop them"
            )
    twice = table.duplicated([ID, DAY]) & table["instant"].isna()
    if twice.any():
        first = table[twice].iloc[0]
        raise ValueError(
            f"a ticker has one row a day; {counted(int(twice.sum()), 'row')} more than that, the first: "
            f"{first[ID]} {first[DAY]:%Y-%m-%d}"
        )


def _hint(frame: pd.DataFrame) -> str:
    found = {name: USUAL_NAMES[str(name).lower()] for name in frame.columns if str(name).lower() in USUAL_NAMES}
    return f"; rename them: df.rename(columns={found})" if found else ""


def _names(unique_id: Any) -> tuple[str, str, str]:
    """Return the key, the exchange and the kind of an id: those of its symbol, or of a stock where it is none."""
    try:
        symbol = parse_symbol(str(unique_id))
    except SymbolRefused:
        return str(unique_id), "XNYS", "stock"
    return symbol, exchange_of(symbol), kind_of_symbol(symbol)


def _one_of(rows: pd.DataFrame, name: str) -> str:
    """Return the value of a column that has one for each ticker, empty without one."""
    stated = sorted({str(value).strip() for value in rows[name].dropna()} - {""}) if name in rows else []
    if len(stated) > 1:
        raise TickerLeftOut(f"column {name} has {first_names(stated)}; a ticker has one")
    return stated[0] if stated else ""


def _on_days_of(rows: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    """Return the rows of a ticker by day. An instant counts on its day in the exchange's time zone."""
    timed = rows["instant"].notna()
    if timed.any():
        local = rows["instant"].dt.tz_convert(time_zone).dt.tz_localize(None).dt.normalize()
        rows = rows.assign(**{DAY: rows[DAY].where(~timed, local.astype(rows[DAY].dtype))})
        if rows[DAY].duplicated().any():
            raise TickerLeftOut(f"several rows on {rows[DAY][rows[DAY].duplicated()].iloc[0]:%Y-%m-%d}; prices are daily")
    return rows.sort_values(DAY)


def _bars(rows: pd.DataFrame, field: str) -> Bars:
    """Return the rows of one ticker as bars. y is the price that is forecast; other prices that a frame lacks are that price."""
    price = rows[PRICE].to_numpy(np.float64)
    given = {name: rows[name].to_numpy(np.float64) for name in OTHER_PRICES if name in rows}
    prices = {name: given.get(name, price) for name in OTHER_PRICES} | {field: price}
    others = {
        name: rows[name].fillna(neutral).to_numpy(np.float64)
        for name, neutral in (("volume", 0.0), ("dividend", 0.0), ("split", 1.0))
        if name in rows
    }
    if "split" in others:
        others["split"] = np.where(others["split"] == 0, 1.0, others["split"])  # Yahoo writes 0 for no split
    return make_bars(rows[DAY].to_numpy().astype("datetime64[D]"), prices | others)


def _judged(bars: Bars) -> tuple[Bars, list[Verdict]]:
    """Return the bars that the gates admit, and their verdicts on the others. Raises TickerLeftOut where the newest is one."""
    judgement = apply_gates(None, bars)
    held = [each for each in judgement.verdicts if each.state == QUARANTINED]
    if not len(judgement.admitted) or judgement.admitted.session[-1] != bars.session[-1]:
        first = min(held, key=lambda each: each.session)
        raise TickerLeftOut(
            f"its newest prices are in doubt since {first.session} ({first.code}: {first.message}); correct them, add a column "
            "split or dividend, or take them as they are with check_prices=False"
        )
    return judgement.admitted, [each for each in judgement.verdicts if each.state in (QUARANTINED, REFUSED)]


def _first_reasons(left_out: dict[Any, str]) -> str:
    shown = [f"{unique_id}: {reason}" for unique_id, reason in list(left_out.items())[:3]]
    return "; ".join(shown) + ("; ..." if len(left_out) > len(shown) else "")
