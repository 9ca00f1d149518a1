"""What a model reads: a ticker's history with its returns, and the market's volatility known by the same close.

Everything is derived from the history alone, so two fetches of different length give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from jobs.workspace.config import Config
from rnn.features import SETTLING_SESSIONS, Measures, bar_measures, market_columns, stack_measures
from storage.bars import Bars, log_returns

Floats = NDArray[np.float64]
LONGEST_PAUSE = np.timedelta64(20, "D")  # between two bars; exchanges close for less
HASHED_COLUMNS = ("session", "open", "high", "low", "close", "volume", "dividend", "split")


@dataclass(frozen=True, slots=True)
class History:
    """Some bars of a ticker with their log returns, (n,) each, of the close and of the field that is forecast.

    The first return is unknown (NaN), because the bar before it is not part of the history. So is one over a long hole, where
    bars were refused or are missing: it is no return of one session.
    """

    bars: Bars
    close_returns: Floats
    field_returns: Floats

    def __len__(self) -> int:
        return len(self.bars)

    def between(self, first: int, end: int) -> History:
        """Return the bars from index first up to, not including, end. Returns are not computed again."""
        close_returns = _from_unknown(self.close_returns[first:end])
        same = self.field_returns is self.close_returns
        field_returns = close_returns if same else _from_unknown(self.field_returns[first:end])
        return History(self.bars.select(slice(first, end)), close_returns, field_returns)


@dataclass(frozen=True, slots=True)
class Market:
    """The bars of the one ticker whose volatility all models may read, and its exchange."""

    bars: Bars
    exchange: str


@dataclass(frozen=True, slots=True)
class MarketInput:
    """The market's bars that had closed by some session's close, and what models read of them, (n, 2).

    same_exchange: whether a session of the market ends together with the ticker's session of that date.
    """

    bars: Bars
    columns: Floats
    same_exchange: bool


@dataclass(frozen=True, slots=True)
class ModelInput:
    """Everything that one forecast or training reads: a ticker's history and, where the config names one, the market."""

    history: History
    market: MarketInput | None = None

    def sha256(self) -> str:
        """Return the hash of everything that is read. When it was recorded is not part of it."""
        digest = _sha256(self.history.bars)
        if self.market is None:
            return digest
        return hashlib.sha256(f"{digest} {_sha256(self.market.bars)}".encode()).hexdigest()


class MarketReader:
    """Gives models of one exchange what they may read of the market, computed once for each session."""

    def __init__(self, market: Market | None, exchange: str, most_sessions: int) -> None:
        self.market, self.exchange, self.most_sessions = market, exchange, most_sessions
        self.known: dict[date, MarketInput] = {}

    def up_to(self, session: date) -> MarketInput | None:
        """Return the newest bars that had closed when a session did; None where the config names no market.

        Of another exchange these are the bars up to the day before: its session of the same date may close later.
        """
        if self.market is None:
            return None
        if session not in self.known:
            same_exchange = self.exchange == self.market.exchange
            bars = self.market.bars.through(session if same_exchange else session - timedelta(days=1))
            bars = bars.select(slice(max(0, len(bars) - self.most_sessions), len(bars)))
            self.known[session] = MarketInput(bars, _market_columns(bars), same_exchange)
        return self.known[session]


def history_of(bars: Bars, field: str) -> History:
    """Return bars with their log returns, adjusted for the splits and dividends among them."""
    close_returns = _session_returns(bars, "close")
    return History(bars, close_returns, close_returns if field == "close" else _session_returns(bars, field))


def visible_history(history: History, end: int, config: Config) -> History:
    """Return the part of a history that a forecast from the bar at index end - 1 may read."""
    return history.between(max(0, end - config.history_sessions) if config.history_sessions else 0, end)


def stacked_measures(inputs: Sequence[ModelInput]) -> Measures:
    """Return the measures of K histories of n bars each, (K, n) arrays; the first return of each is unknown (NaN)."""
    measures = stack_measures([_measures(item.history) for item in inputs])
    markets = [_market_by_session(item) for item in inputs if item.market is not None]
    return replace(measures, market=np.stack(markets)) if markets else measures


def share_scaled_prices(bars: Bars, field: str, day: np.datetime64) -> Floats:
    """Return (n,) prices in shares of one day: earlier bars divided by the splits until it, later ones multiplied."""
    shares = np.cumprod(bars.split)
    reference = shares[np.searchsorted(bars.session, day, side="right") - 1]
    prices: Floats = np.asarray(getattr(bars, field), np.float64) * shares / reference
    return prices


def _session_returns(bars: Bars, field: str) -> Floats:
    """Return the log returns (n,) of a field, unknown (NaN) where the bar before is more than 20 days before."""
    returns = log_returns(bars, field)
    returns[1:][np.diff(bars.session) > LONGEST_PAUSE] = np.nan
    return returns


def _measures(history: History) -> Measures:
    bars, close_returns = history.bars, history.close_returns
    overnight = np.full(len(bars), np.nan)
    overnight[1:] = close_returns[1:] + np.log(bars.open[1:] / bars.close[1:])
    return bar_measures(
        bars.open, bars.high, bars.low, bars.close, bars.volume,
        log_return=history.field_returns, split=bars.split, gap=overnight,
    )  # fmt: skip


def _market_columns(bars: Bars) -> Floats:
    if len(bars) <= SETTLING_SESSIONS:
        return np.zeros((len(bars), 2))
    columns: Floats = market_columns(log_returns(bars, "close"))
    return columns


def _market_by_session(item: ModelInput) -> Floats:
    """Return (n, 2) what each session of a history knew of the market; zeros before its volatility has settled."""
    market, sessions = item.market, item.history.bars.session
    assert market is not None
    known = np.zeros((len(sessions), 2))
    index = np.searchsorted(market.bars.session, sessions, side="right" if market.same_exchange else "left") - 1
    settled = index >= SETTLING_SESSIONS
    known[settled] = market.columns[index[settled]]
    return known


def _from_unknown(returns: Floats) -> Floats:
    """Return a copy of returns whose first one is unknown."""
    copy = returns.copy()
    copy[:1] = np.nan
    return copy


def _sha256(bars: Bars) -> str:
    digest = hashlib.sha256()
    for column in HASHED_COLUMNS:
        digest.update(np.ascontiguousarray(getattr(bars, column)).tobytes())
    return digest.hexdigest()
