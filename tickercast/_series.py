"""The tickers of a long frame as series of bars, after the product's own checks: a bad row is refused here as in a home.

Not here: the columns of the frame and their types (_long_format), what is forecast from the bars (_panel).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tickercast._long_format import DAY, ID, OTHER_PRICES, PRICE, typed
from tickercast.errors import ArgumentError
from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.calendars import ExchangeCalendar, exchange_calendar
from tickercast.jobs.exchanges.references import REFERENCES
from tickercast.jobs.exchanges.symbols import SymbolRefused, exchange_of, kind_of_symbol, parse_symbol
from tickercast.jobs.prices.gates import apply_gates
from tickercast.jobs.prices.sources.base import BadSourceData
from tickercast.jobs.prices.sources.price_tables import kind_of_table
from tickercast.jobs.prices.verdicts import QUARANTINED, REFUSED, Verdict
from tickercast.jobs.terminal.text import counted, first_names
from tickercast.storage.bars import Bars, log_returns, make_bars, refuse_bad_rows

Days = NDArray[np.datetime64]

CALENDARS = {"B": "24/5", "D": "24/7"}  # weekdays, every day: pandas' names for them
MOST_STRAY = 0.05  # share of a ticker's rows on days without a session; with more, its calendar is another one
LEAST_DENSITY = 0.5  # share of the sessions from the first to the last row that have one; with less, prices are not daily
REFUSED_COLUMNS = (ID, DAY, "code", "reason")


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

    fewest: rows that each ticker needs. judged: whether the gates judge prices. may_end_in_doubt: whether a ticker is used up to
    prices that the gates hold back.
    """

    calendar: str | None
    field: str
    fewest: int
    judged: bool = True
    may_end_in_doubt: bool = False

    def with_fewest(self, fewest: int) -> Reading:
        """Return the same reading for tickers with fewer rows."""
        return replace(self, fewest=fewest)

    def frame(self, frame: Any) -> LongFrame:
        """Return the tickers of a frame. Raises ArgumentError where it cannot be read, or where no ticker of it can be used."""
        table, unit = typed(frame)
        series, left_out, refused = [], {}, []
        for unique_id, rows in table.groupby(ID, sort=False, observed=True):
            instants = rows["instant"]
            try:  # a column without any value of a ticker is none of its columns
                one, left = self._series(unique_id, rows.dropna(axis="columns", how="all").assign(instant=instants))
            except TickerLeftOut as error:
                left_out[unique_id] = str(error)
                continue
            series.append(one)
            refused += left
        if not series:
            raise ArgumentError(f"no ticker can be used; {first_reasons(left_out)}")
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
        _refuse_other_days(calendar, bars.session, stray)
        bars, bad = refuse_bad_rows(bars.select(is_session))
        verdicts = [Verdict(day, REFUSED, "no session", f"not a session of {exchange}") for day in stray.tolist()]
        verdicts += [Verdict(row.session, REFUSED, row.code, row.reason) for row in bad]
        if self.judged and len(bars) and key not in REFERENCES.values():  # a volatility index doubles on real days
            bars, judged = _judged(bars, self.may_end_in_doubt)
            verdicts += judged
        if len(bars) < self.fewest:
            unused = f" ({len(verdicts)} not used, the first: {_told(verdicts[0])})" if verdicts else ""
            raise TickerLeftOut(f"{counted(len(bars), 'usable row')}{unused}, a forecast needs {self.fewest}")
        left = [Left(unique_id, pd.Timestamp(each.session), each.code, each.message) for each in verdicts]
        if "open" not in rows and {"high", "low"}.issubset(rows) and self.field == "close":
            bars = _with_usual_open(bars)
        return Series(unique_id, key, exchange, kind, bars), left


def warnings_of(left_out: dict[Any, str], refused: tuple[Left, ...]) -> Iterator[str]:
    """Yield a line for the tickers that are left out, and one for the rows that are not used."""
    if left_out:
        yield f"{counted(len(left_out), 'ticker')} left out: {first_reasons(left_out)}"
    if refused:
        first = refused[0]
        yield (
            f"{counted(len(refused), 'row')} not used, the first: {first.unique_id} {first.ds:%Y-%m-%d} "
            f"({first.code}: {first.reason})"
        )


def refused_table(refused: tuple[Left, ...], unit: str) -> pd.DataFrame:
    """Return the rows that are not used as a frame."""
    table = pd.DataFrame(list(refused), columns=list(REFUSED_COLUMNS))
    return table.astype({DAY: f"datetime64[{unit}]"})


def key_of(unique_id: Any) -> str:
    """Return the symbol that an id is, else the id as text: what names a ticker in seeds."""
    return _names(unique_id)[0]


def _names(unique_id: Any) -> tuple[str, str, str]:
    """Return the key, the exchange and the kind of an id: those of its symbol, or of a stock where it is none."""
    try:
        symbol = parse_symbol(str(unique_id))
    except SymbolRefused:
        return str(unique_id), "XNYS", "stock"
    return symbol, exchange_of(symbol), kind_of_symbol(symbol)


def _told(verdict: Verdict) -> str:
    return f"{verdict.session} {verdict.code}: {verdict.message}"


def _refuse_other_days(calendar: ExchangeCalendar, days: Days, stray: Days) -> None:
    """Raise TickerLeftOut for days (n,) of another calendar, or weeks or months apart. stray: those that are no sessions."""
    if len(stray) > MOST_STRAY * len(days):
        named = "'B', for every weekday," if np.is_busday(stray).all() else "'D', for every day,"
        raise TickerLeftOut(
            f"{len(stray)} of {counted(len(days), 'row')} are on days without a session of {calendar.code}, the first on "
            f"{stray[0]}; name its calendar: calendar={named} or the code of its exchange, also in a column exchange"
        )
    sessions = calendar.sessions_between(days[0].item(), days[-1].item()) + 1
    if len(days) < LEAST_DENSITY * sessions:
        span = f"{sessions} sessions of {calendar.code} from {days[0]} to {days[-1]}"
        raise TickerLeftOut(f"{counted(len(days), 'row')} on {span}; prices must be daily")


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
        local = rows["instant"].dt.tz_localize("UTC").dt.tz_convert(time_zone).dt.tz_localize(None).dt.normalize()
        rows = rows.assign(**{DAY: rows[DAY].where(~timed, local.astype(rows[DAY].dtype))})
        if rows[DAY].duplicated().any():
            raise TickerLeftOut(f"several rows on {rows[DAY][rows[DAY].duplicated()].iloc[0]:%Y-%m-%d}; prices are daily")
    return rows.sort_values(DAY)


def _bars(rows: pd.DataFrame, field: str) -> Bars:
    """Return the rows of one ticker as bars. y is the price that is forecast; other prices that a frame lacks are that price.

    Without high and low an open is not used: a bar needs its range, and one without tells the close alone.
    """
    price = rows[PRICE].to_numpy(np.float64)
    has_range = {"high", "low"} - {field} <= set(rows)
    given = {name: rows[name].to_numpy(np.float64) for name in OTHER_PRICES if name in rows and has_range}
    prices = {name: given.get(name, price) for name in OTHER_PRICES} | {field: price}
    others = {
        name: rows[name].fillna(neutral).to_numpy(np.float64)
        for name, neutral in (("volume", 0.0), ("dividend", 0.0), ("split", 1.0))
        if name in rows
    }
    if "split" in others:
        others["split"] = np.where(others["split"] == 0, 1.0, others["split"])  # Yahoo writes 0 for no split
    return make_bars(rows[DAY].to_numpy().astype("datetime64[D]"), prices | others)


def _with_usual_open(bars: Bars) -> Bars:
    """Return bars that open at the close before, net of that day's split and dividend."""
    return replace(bars, open=bars.close * np.exp(-np.nan_to_num(log_returns(bars, "close"))))


def _judged(bars: Bars, may_end_in_doubt: bool) -> tuple[Bars, list[Verdict]]:
    """Return the bars that the gates admit, and their verdicts on the others.

    Raises TickerLeftOut where the newest is one of those, unless a series may end in doubt.
    """
    judgement = apply_gates(None, bars)
    held = [each for each in judgement.verdicts if each.state == QUARANTINED]
    if not may_end_in_doubt and not np.isin(bars.session[-1], judgement.admitted.session):
        first = min(held, key=lambda each: each.session)
        raise TickerLeftOut(
            f"its newest prices are in doubt since {first.session} ({first.code}: {first.message}); correct them, add a column "
            "split or dividend, or take them as they are with check_prices=False"
        )
    return judgement.admitted, [each for each in judgement.verdicts if each.state in (QUARANTINED, REFUSED)]


def first_reasons(left_out: dict[Any, str]) -> str:
    """Return the first three tickers that are left out, each with its reason."""
    shown = [f"{unique_id}: {reason}" for unique_id, reason in list(left_out.items())[:3]]
    return "; ".join(shown) + ("; ..." if len(left_out) > len(shown) else "")
