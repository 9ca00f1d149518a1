"""What goes into advance and what comes out: tasks, cases and results, as plain data that a worker can be sent.

Called by walk, which makes tasks, by advance, which works on them, and by ledger, which commits results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from jobs.forecasting.identity import Origin, Parent, Prior
from jobs.forecasting.inputs import Market, Seen
from jobs.workspace.config import Config
from storage.bars import Bars

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TickerTask:
    """One ticker's part: its bars as known, the origins it owes, and its chain so far."""

    ticker_id: int
    key: str
    price_basis: str
    bars: Bars
    due: frozenset[date]
    parent: Parent | None


@dataclass(frozen=True, slots=True)
class StackTask:
    """Some tickers of one exchange and the origins they advance over. anew: ids of those whose chain starts cold first."""

    config: Config
    origins: tuple[Origin, ...]
    tickers: tuple[TickerTask, ...]
    priors: tuple[Prior, ...] = ()
    exchange: str = ""
    market: Market | None = None
    with_twins: bool = False
    anew: frozenset[int] = frozenset()


@dataclass(slots=True)
class StackResult:
    """Rows by table, each chain's newest link, and what happened that a user should know (ticker_id, session, text)."""

    models: list[Row] = field(default_factory=list)
    losses: list[Row] = field(default_factory=list)
    checkpoints: list[Row] = field(default_factory=list)
    forecasts: list[Row] = field(default_factory=list)
    twins: list[Row] = field(default_factory=list)
    recalibrations: list[Row] = field(default_factory=list)
    parents: dict[int, Parent] = field(default_factory=dict)
    events: list[tuple[int, date, str]] = field(default_factory=list)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """One ticker at one origin: the bars it may see, why it starts cold or that it starts warm, its prior and its seed."""

    ticker: TickerTask
    origin: Origin
    seen: Seen
    input_sha256: str
    reason: str
    parent: Parent | None
    prior: Prior | None
    seed: int

    @property
    def cold(self) -> bool:
        return self.reason != "warm"


def seen_with(history: Bars, market: Market | None, exchange: str, config: Config) -> Seen:
    """Return a history with what its last session knew of the market."""
    if market is None:
        return Seen(history)
    known = market.seen(exchange, history.session[-1].item(), config.history_sessions)
    return Seen(history, known, exchange == market.exchange)


def history_of(bars: Bars, end: int, config: Config) -> Bars:
    """Return the bars that a forecast of the origin at place end - 1 may see."""
    first = max(0, end - config.history_sessions) if config.history_sessions else 0
    return bars.select(slice(first, end))
