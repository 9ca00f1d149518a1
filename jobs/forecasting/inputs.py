"""What a model reads: a ticker's history with its returns, and the context that was known by the same close.

Everything is derived from the history alone, so two fetches of different length give the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickercast.jobs.forecasting.context import (
    Events,
    Knowledge,
    KnownReports,
    Reference,
    SessionDays,
    calendar_columns,
    known_reports,
    reference_levels,
    report_positions,
)
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.context import AHEAD
from tickercast.rnn.features import ContextMeasures, Measures, bar_measures, stack_measures
from tickercast.storage.bars import Bars, log_returns

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
class InputContext:
    """What is known beside a history of n bars. See rnn.context.

    reference: (n,), percent a year, NaN where unknown. calendar: (n, 6). reports: positions, None where nothing is known.
    """

    reference: Floats
    calendar: Floats
    reports: NDArray[np.int64] | None
    knowledge: Knowledge

    def update(self, digest: hashlib._Hash) -> None:
        """Add everything to a hash."""
        digest.update(self.reference.tobytes())
        digest.update(np.packbits(self.calendar > 0).tobytes())
        digest.update(b"none" if self.reports is None else self.reports.tobytes())


@dataclass(frozen=True, slots=True)
class ModelInput:
    """Everything that one forecast or training reads: a ticker's history, and its context where the config has one."""

    history: History
    context: InputContext | None = None

    def sha256(self) -> str:
        """Return the hash of everything that is read. When it was recorded is not part of it."""
        digest = _sha256(self.history.bars)
        if self.context is not None:
            self.context.update(digest)
        return digest.hexdigest()


class ContextReader:
    """Gives models of one exchange's tickers their context.

    calendar: the exchange's sessions, from the first bar of any ticker to AHEAD sessions after the last origin.
    """

    def __init__(self, calendar: SessionDays, reference: Reference | None, assumed_sessions: int) -> None:
        self.calendar, self.assumed_sessions = calendar, assumed_sessions
        self.columns = calendar_columns(calendar)
        self.levels = reference_levels(reference, calendar.day)

    def known(self, history: History, events: Events | None) -> InputContext:
        """Return the context that the close of a history's last bar knows."""
        origin = int(np.searchsorted(self.calendar.day, history.bars.session[-1]))
        last_assumed = self.calendar.day[origin + self.assumed_sessions]
        first = history.bars.session[0]
        return self.of(history, known_reports(events, first, self.calendar.closes[origin], last_assumed))

    def of(self, history: History, reports: KnownReports) -> InputContext:
        """Return the context of a history with some reports."""
        sessions = history.bars.session
        index = np.searchsorted(self.calendar.day, sessions)
        ahead = self.calendar.day[index[-1] + 1 : index[-1] + 1 + AHEAD]
        return InputContext(
            self.levels[index],
            self.columns[index],
            report_positions(reports, np.concatenate([sessions, ahead])),
            reports.knowledge,
        )


def history_of(bars: Bars, field: str) -> History:
    """Return bars with their log returns, adjusted for the splits and dividends among them."""
    close_returns = _session_returns(bars, "close")
    return History(bars, close_returns, close_returns if field == "close" else _session_returns(bars, field))


def newest_of(history: History, end: int, most: int) -> History:
    """Return the newest bars before index `end`, at most so many."""
    return history.between(max(0, end - most), end)


def visible_history(history: History, end: int, config: Config) -> History:
    """Return the part of a history that a forecast from the bar at index end - 1 may read."""
    return newest_of(history, end, config.history_sessions or end)


def stacked_measures(inputs: Sequence[ModelInput]) -> Measures:
    """Return the measures of K histories of n bars each, (K, n) arrays; the first return of each is unknown (NaN)."""
    return stack_measures([_measures(item.history) for item in inputs])


def stacked_context(inputs: Sequence[ModelInput]) -> ContextMeasures | None:
    """Return the context of K histories of one length, None where the config has none."""
    contexts = [item.context for item in inputs if item.context is not None]
    if len(contexts) < len(inputs):
        return None
    return ContextMeasures(
        np.stack([context.reference for context in contexts]),
        np.stack([context.calendar for context in contexts]),
        tuple(context.reports for context in contexts),
    )


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


def _from_unknown(returns: Floats) -> Floats:
    """Return a copy of returns whose first one is unknown."""
    copy = returns.copy()
    copy[:1] = np.nan
    return copy


def _sha256(bars: Bars) -> hashlib._Hash:
    digest = hashlib.sha256()
    for column in HASHED_COLUMNS:
        digest.update(np.ascontiguousarray(getattr(bars, column)).tobytes())
    return digest
