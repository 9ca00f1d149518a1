"""What the bars of a history mean to a network: per-bar measures, and prices on one share scale. Called by heads.

Everything is derived from the history alone, so two fetches of different length give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from rnn.features import SETTLING_SESSIONS, Measures, bar_measures, market_columns
from storage.bars import Bars, log_returns


@dataclass(frozen=True, slots=True)
class Market:
    """The bars of the one ticker whose volatility all networks may see, and its exchange."""

    bars: Bars
    exchange: str

    def seen(self, exchange: str, session: date, most: int) -> Bars:
        """Return its newest bars that had closed when a session of an exchange did; of another exchange, by the day before."""
        before = session if exchange == self.exchange else session - timedelta(days=1)
        bars = self.bars.through(before)
        return bars.select(slice(max(0, len(bars) - most), len(bars)))


@dataclass(frozen=True, slots=True)
class Seen:
    """All that one forecast or training reads: a ticker's history, and the market's up to the same close, if any.

    together: whether both are of one exchange, so that a session of the one ends with that of the other.
    """

    history: Bars
    market: Bars | None = None
    together: bool = True

    def sha256(self) -> str:
        """Return the hash of everything that is read; when it was recorded is no part of it."""
        digest = _sha256(self.history)
        if self.market is None:
            return digest
        return hashlib.sha256(f"{digest} {_sha256(self.market)}".encode()).hexdigest()


def stacked_measures(seen: Sequence[Seen], field: str) -> Measures:
    """Return the measures of K histories of n bars each, (K, n) arrays; the first return of each is unknown (NaN)."""
    each = [_measures(item.history, field) for item in seen]
    measures = Measures(*(np.stack(columns) for columns in zip(*each, strict=True)))
    markets = [_market(item) for item in seen if item.market is not None]
    return replace(measures, market=np.stack(markets)) if markets else measures


def _market(seen: Seen) -> NDArray[np.float64]:
    """Return (n, 2) what each session of a history knew of the market; zeros before its volatility has settled."""
    bars, sessions = seen.market, seen.history.session
    assert bars is not None
    known = np.zeros((len(sessions), 2))
    if len(bars) <= SETTLING_SESSIONS:
        return known
    place = np.searchsorted(bars.session, sessions, side="right" if seen.together else "left") - 1
    settled = place >= SETTLING_SESSIONS
    known[settled] = market_columns(log_returns(bars, "close"))[place[settled]]
    return known


def _sha256(history: Bars) -> str:
    digest = hashlib.sha256()
    for column in ("session", "open", "high", "low", "close", "volume", "dividend", "split"):
        digest.update(np.ascontiguousarray(getattr(history, column)).tobytes())
    return digest.hexdigest()


def share_scaled_prices(history: Bars, field: str, day: np.datetime64) -> NDArray[np.float64]:
    """Return (n,) prices in shares of one day: earlier bars divided by the splits until it, later ones multiplied."""
    shares = np.cumprod(history.split)
    reference = shares[np.searchsorted(history.session, day, side="right") - 1]
    return np.asarray(getattr(history, field), np.float64) * shares / reference


def _measures(history: Bars, field: str) -> tuple[NDArray[np.float64], ...]:
    close_to_close = log_returns(history, "close")
    overnight = np.full(len(history), np.nan)
    overnight[1:] = close_to_close[1:] + np.log(history.open[1:] / history.close[1:])
    return bar_measures(
        history.open,
        history.high,
        history.low,
        history.close,
        history.volume,
        log_return=close_to_close if field == "close" else log_returns(history, field),
        split=history.split,
        gap=overnight,
    )
