"""What one run is asked to do: made once from settings and command line, then passed on whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from tickercast.jobs.runs.batches import BatchLimits
from tickercast.jobs.workspace.choices import ComputeEngine
from tickercast.jobs.workspace.config import Config


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run.

    kind: backfill, run or daemon. now: the instant that decides which bars have closed and that stamps the rows. workers:
    processes that compute. stack_size: most networks trained in lockstep. with_twins: train a cold twin of each warm start.
    force_cold: start each chain cold at its first due origin. through: the last session that scores may know of; None = all.
    after_close_minutes: how long after its close a bar is complete. kept_checkpoints: newest ones that each chain keeps.
    engine: processes or dask. scheduler: the address of a Dask cluster, empty = one that is started for the run. batch: which
    tickers are forecast together.
    """

    kind: str
    now: datetime
    config: Config
    workers: int
    stack_size: int
    through: date | None = None
    with_twins: bool = False
    force_cold: bool = False
    after_close_minutes: int = 0
    kept_checkpoints: int = 2
    engine: ComputeEngine = "processes"
    scheduler: str = ""
    batch: BatchLimits = field(default_factory=BatchLimits)

    @property
    def is_backfill(self) -> bool:
        """Return whether this run forecasts a span of the past, not what closed since the last run."""
        return self.kind == "backfill"
