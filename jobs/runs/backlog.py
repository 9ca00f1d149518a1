"""The backlog: which closed sessions of a ticker have no forecasts yet, and in which stacks and blocks they are computed.

Here a run decides what is due. Not here: when a daily run is tried again (jobs.runs.daily).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from tickercast.jobs.forecasting.context import Events
from tickercast.jobs.workspace.config import Config
from tickercast.storage.bars import Bars

# About a month: small enough that a kill costs little, large enough that the cost of a commit does not show.
BLOCK_SESSIONS = 21
# Fewer networks in a stack gain less from another worker than its start costs.
FEWEST_PER_WORKER = 8
ARTICLE_TRAINING_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class TickerBacklog:
    """One ticker, its bars as known, the sessions to forecast from (oldest first), and those that have forecasts.

    committed: in a daily run only the newest of these. key: its first symbol, which seeds and ids are made of. kind: of
    security. events: the company's reports, None without any.
    """

    ticker_id: int
    symbol: str
    key: str
    exchange: str
    price_basis: str
    bars: Bars
    due: tuple[date, ...]
    committed: frozenset[date]
    kind: str = "stock"
    events: Events | None = None


@dataclass(frozen=True, slots=True)
class StackPlan:
    """Tickers of one exchange that are computed together, and the blocks of sessions that are committed one by one."""

    tickers: tuple[TickerBacklog, ...]
    blocks: tuple[tuple[date, ...], ...]

    @property
    def exchange(self) -> str:
        return self.tickers[0].exchange

    @property
    def sessions(self) -> list[date]:
        """Return the sessions of all blocks, oldest first."""
        return [day for block in self.blocks for day in block]


def daily_due_sessions(bars: Bars, committed: Set[date], fewest: int) -> list[date]:
    """Return what a daily run forecasts from: the sessions after the newest committed one, oldest first.

    Of a ticker without forecasts it is the newest session alone. fewest: bars that a forecast needs.
    """
    days: list[date] = bars.session.tolist()[fewest - 1 :]
    if not committed:
        return days[-1:]
    newest = max(committed)
    return [day for day in days if day > newest]


def backfill_due_sessions(
    bars: Bars, start: date | None, end: date | None, config: Config, most: int | None = None
) -> list[date]:
    """Return what a backfill forecasts from: the sessions of a span, both ends included, with enough bars before them.

    most: how many, the newest ones. Without a start, preset article begins at the last bar of its training part, which is 80 %
    of the bars up to the end.
    """
    days: list[date] = bars.session.tolist()
    if end:
        days = [day for day in days if day <= end]
    first = config.fewest_sessions - 1
    if start is None and config.preset == "article":
        first = max(first, math.ceil(ARTICLE_TRAINING_SHARE * len(days)) - 1)
    due = [day for day in days[first:] if start is None or day >= start]
    return due if most is None else due[-most:]


def due_by_exchange(backlogs: Sequence[TickerBacklog]) -> dict[str, list[date]]:
    """Return the due sessions of each exchange that has some, oldest first."""
    exchanges = sorted({backlog.exchange for backlog in backlogs if backlog.due})
    return {e: sorted({day for b in backlogs if b.exchange == e for day in b.due}) for e in exchanges}


def plan_stacks(backlogs: Sequence[TickerBacklog], stack_size: int, workers: int) -> list[StackPlan]:
    """Return stacks of one exchange each and of even size: no larger than stack_size, enough to keep the workers busy."""
    plans = []
    for exchange in sorted({backlog.exchange for backlog in backlogs}):
        group = sorted((b for b in backlogs if b.exchange == exchange), key=lambda b: b.key)
        count = max(math.ceil(len(group) / stack_size), min(workers, len(group) // FEWEST_PER_WORKER))
        plans += [StackPlan(tuple(part), split_into_blocks(part)) for part in (group[i::count] for i in range(count))]
    return plans


def split_into_blocks(backlogs: Sequence[TickerBacklog]) -> tuple[tuple[date, ...], ...]:
    """Return the due sessions in blocks of at most BLOCK_SESSIONS.

    A block ends where some ticker already has forecasts before the next due session, so that the next block continues them.
    """
    days = sorted({day for backlog in backlogs for day in backlog.due})
    committed = sorted({day for backlog in backlogs for day in backlog.committed})
    blocks: list[list[date]] = [[day] for day in days[:1]]
    for before, day in pairwise(days):
        has_committed_between = bisect_left(committed, before) != bisect_left(committed, day)
        if has_committed_between or len(blocks[-1]) == BLOCK_SESSIONS:
            blocks.append([])
        blocks[-1].append(day)
    return tuple(tuple(block) for block in blocks)


def bars_of_block(bars: Bars, first: date, last: date, config: Config) -> Bars:
    """Return the bars that a block reads: from what its first origin's parent read, up to its last origin."""
    begin = int(np.searchsorted(bars.session, np.datetime64(first)))
    end = int(np.searchsorted(bars.session, np.datetime64(last), side="right"))
    memory = max(config.history_sessions, config.learned_sessions) if config.history_sessions else begin
    return bars.select(slice(max(0, begin - memory), end))
