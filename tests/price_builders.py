"""Bars by hand, sample bars and price files that several tests of prices share. No database and no server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np

from tickercast.jobs.prices.gates import Judgement
from tickercast.jobs.prices.moves import Series, jump_of, series_of
from tickercast.jobs.prices.sources.sample import SampleSource
from tickercast.storage.bars import PRICE_FIELDS, Bars, concatenate_bars, make_bars

MONDAY = "2024-01-01"
CALM = (0.01, -0.01) * 20  # forty ordinary log moves


def bars_of_closes(*closes: float, start: str = MONDAY, width: float = 0.01) -> Bars:
    """Return bars on consecutive days with some closes. Each opens at its close, and each volume is 1000.

    width: the share of the close by which high and low are away from it.
    """
    close = np.array(closes, np.float64)
    days = np.datetime64(start) + np.arange(len(close))
    values = {"open": close, "high": close * (1 + width), "low": close * (1 - width), "close": close}
    return make_bars(days, {**values, "volume": np.full(len(close), 1000)})


def bars_of_moves(*moves: float, start: str = MONDAY, width: float = 0.01) -> Bars:
    """Return bars whose closes follow log moves from 100; the rest as in bars_of_closes."""
    return bars_of_closes(*(100 * np.exp(np.cumsum([0.0, *moves]))), start=start, width=width)


def after_calm(*moves: float) -> Bars:
    """Return 41 calm bars and one bar for each further log move."""
    return bars_of_moves(*CALM, *moves)


def outcomes(judgement: Judgement) -> list[tuple[date, str, str]]:
    """Return the session, the state and the code of each verdict."""
    return [(verdict.session, verdict.state, verdict.code) for verdict in judgement.verdicts]


def at(ratio: float, logs_away: float = 0.0) -> float:
    """Return a price that is a ratio times 100, and some logs further."""
    return float(100 * ratio * np.exp(logs_away))


def with_value(bars: Bars, field: str, index: int | slice, value: float) -> Bars:
    """Return bars with another value of one field of one bar, or of a slice of them."""
    values = getattr(bars, field).copy()
    values[index] = value
    return replace(bars, **{field: values})


def times(bars: Bars, factor: float, where: slice = slice(None)) -> Bars:
    """Return bars with the prices of a slice of them times a factor."""
    scale = np.ones(len(bars))
    scale[where] = factor
    return replace(bars, **{name: getattr(bars, name) * scale for name in PRICE_FIELDS})


def times_on(bars: Bars, session: str, factor: float) -> Bars:
    """Return bars with the prices of one session times a factor."""
    index = int(np.searchsorted(bars.session, np.datetime64(session)))
    return times(bars, factor, slice(index, index + 1))


def span(bars: Bars, first: str, last: str) -> Bars:
    """Return the bars from one session to another, inclusive."""
    return bars.select((bars.session >= np.datetime64(first)) & (bars.session <= np.datetime64(last)))


def without(bars: Bars, *sessions: str) -> Bars:
    """Return the bars of all but some sessions."""
    return bars.select(~np.isin(bars.session, np.array(sessions, dtype="datetime64[D]")))


def day_of(text: str) -> date:
    """Return a date from ISO text."""
    return date.fromisoformat(text)


def sample_bars(ticker: str, first: str) -> Bars:
    """Return a sample ticker's bars from a day on."""
    return SampleSource().fetch(ticker, day_of(first)).bars


def write_csv(folder: Path, ticker: str, bars: Bars, kind: str = "") -> Path:
    """Write prices and volumes of bars to <folder>/<ticker>.csv, the folder too if it is missing, and return the file.

    kind: of security, in a column of its own; empty for no column.
    """
    rows = zip(bars.session, bars.open, bars.high, bars.low, bars.close, bars.volume, strict=True)
    header, stated = ("date,open,high,low,close,volume", "") if not kind else ("date,open,high,low,close,volume,kind", f",{kind}")
    lines = [header, *(",".join(map(str, row)) + stated for row in rows)]
    folder.mkdir(exist_ok=True)
    path = folder / f"{ticker}.csv"
    path.write_text("\n".join(lines))
    return path


# The history of most cases about one move: its last close is 100.
CALM_CLOSES = (100.0, 101.0) * 20 + (100.0,)
CALM_BARS = bars_of_closes(*CALM_CLOSES)


@dataclass(frozen=True, slots=True)
class Day:
    """One bar after a history.

    opens: None = at the close, so that the whole move is overnight. width: of its range. days: since the bar before.
    """

    close: float
    opens: float | None = None
    width: float = 0.01
    volume: int = 1000
    split: float = 1.0
    days: int = 1

    def after(self, history: Bars) -> Series:
        """Return the series of a history and this bar."""
        bar = bars_of_closes(self.close, start=str(history.session[-1] + self.days), width=self.width)
        bar = with_value(with_value(bar, "volume", 0, self.volume), "split", 0, self.split)
        return series_of(concatenate_bars([history, with_value(bar, "open", 0, self.opens or self.close)]))


def jump_code(day: Day, history: Bars = CALM_BARS) -> str | None:
    """Return the code of the gate that does not admit a day after a history, None for an ordinary day."""
    jump = jump_of(day.after(history), len(history))
    return jump[0] if jump is not None else None


def jump_message(day: Day, history: Bars = CALM_BARS) -> str:
    """Return the message of the gate that does not admit a day after a history."""
    jump = jump_of(day.after(history), len(history))
    assert jump is not None
    return jump[1]


class Clock:
    """A clock in seconds that only a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds
