"""The chains of a stack between its origins: each ticker's newest model, its state, and the checkpoints to store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date

from tickercast.jobs.forecasting.model import ModelState, state_of_bytes
from tickercast.jobs.forecasting.recalibration import PastForecast
from tickercast.jobs.forecasting.tasks import WARM, OriginTask, Parent, TickerTask
from tickercast.storage.rows import CheckpointRow, ModelRow

NEWEST_KEPT = 2
FIRST_ORIGIN = "first origin"  # the reason of a cold start without a parent


class Chains:
    """Each ticker's parent, by ticker id. A ticker without one starts cold at its next origin."""

    def __init__(self, tickers: Iterable[TickerTask], force_cold: frozenset[int]) -> None:
        self.parents = {ticker.ticker_id: ticker.parent for ticker in tickers if ticker.parent}
        self.force_cold = set(force_cold)
        self.states: dict[int, ModelState] = {}
        self.checkpoints: dict[str, list[CheckpointRow]] = {}

    def start_of(
        self, ticker_id: int, bar_before: date, *, is_scheduled_cold: bool, hash_before: Callable[[], str]
    ) -> tuple[Parent | None, str]:
        """Return a ticker's parent and the reason of its training: WARM, or why it starts cold.

        bar_before: the session before the origin. hash_before: computes the hash of what a model at that bar reads now. A cold
        start keeps its parent, which serves if the training diverges. `first origin` is also the reason of a ticker whose
        parent did not serve the bar before.
        """
        parent = self.parents.get(ticker_id)
        is_forced = ticker_id in self.force_cold
        self.force_cold.discard(ticker_id)
        if parent is None or parent.session != bar_before:
            self.parents.pop(ticker_id, None)
            return None, FIRST_ORIGIN
        if is_forced:
            return parent, "command"
        # Only a parent from the record may have read bars that have been restated since.
        if ticker_id not in self.states and hash_before() != parent.input_sha256:
            return parent, "restatement"
        return parent, "schedule" if is_scheduled_cold else WARM

    def state_of(self, ticker_id: int) -> ModelState:
        """Return the state of a ticker's newest model: from this stack, else from its parent's checkpoint."""
        if ticker_id not in self.states:
            self.states[ticker_id] = state_of_bytes(self.parents[ticker_id].checkpoint)
        return self.states[ticker_id]

    def extend(self, task: OriginTask, row: ModelRow, state: ModelState, checkpoint: CheckpointRow) -> None:
        """Make a newly trained model its ticker's newest one."""
        ticker_id = task.ticker.ticker_id
        known = self.parents.get(ticker_id)
        self.parents[ticker_id] = Parent(
            row.id, task.origin.session, row.depth, row.cold_ancestor_id, task.input_sha256, checkpoint.content,
            known.past if known else (), task.prior_id,
        )  # fmt: skip
        self.states[ticker_id] = state
        kept = self.checkpoints.get(row.cold_ancestor_id, [])
        self.checkpoints[row.cold_ancestor_id] = checkpoints_to_keep([*kept, checkpoint], row.cold_ancestor_id)

    def note_published(self, task: OriginTask, past: tuple[PastForecast, ...]) -> None:
        """Note that a ticker's newest model has served an origin."""
        ticker_id = task.ticker.ticker_id
        self.parents[ticker_id] = replace(
            self.parents[ticker_id], session=task.origin.session, input_sha256=task.input_sha256, past=past
        )

    def end(self, ticker_id: int) -> None:
        """End a chain: the ticker's next origin starts cold."""
        del self.parents[ticker_id]


def checkpoints_to_keep(rows: Sequence[CheckpointRow], cold_ancestor_id: str) -> list[CheckpointRow]:
    """Return what the record keeps of a chain, so that nothing else need travel: its cold start and its newest two."""
    cold = [row for row in rows if row.model_id == cold_ancestor_id]
    warm = [row for row in rows if row.model_id != cold_ancestor_id]
    return [*cold, *warm[-NEWEST_KEPT:]]
