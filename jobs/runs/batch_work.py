"""The work of one run on its batches: read backlogs, bring context up to date, forecast, score and commit, one after the other.

Fetching goes on meanwhile (feed). Not here: what is summed up once at the run's end (run).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

from tickercast.jobs.runs.backlog_reader import BacklogReader, Fetched
from tickercast.jobs.runs.batches import Batch
from tickercast.jobs.runs.context import ContextFetcher
from tickercast.jobs.runs.engines import OpenEngine, kept_engine
from tickercast.jobs.runs.feed import Feed
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.record import RunRecord
from tickercast.jobs.runs.stacks import run_stacks
from tickercast.jobs.runs.summary import plan_line
from tickercast.jobs.terminal.progress import progress_bar, show_line
from tickercast.jobs.workspace.outage import OUTAGES


class BatchWork:
    """Does a run's batches. A failure is entered in the run's row; what was committed before stays."""

    def __init__(
        self, feed: Feed, reader: BacklogReader, context: ContextFetcher, record: RunRecord, options: RunOptions
    ) -> None:
        self.feed, self.reader, self.context, self.record, self.options = feed, reader, context, record, options

    def do_all(self, symbols: frozenset[str]) -> tuple[Fetched, bool]:
        """Return what was fetched, without bars, and whether its whole backlog was forecast. symbols: those of the run."""
        total, is_complete = Fetched(), True
        try:
            with kept_engine() as open_engine, closing(self.feed.batches()) as batches:
                for batch in batches:
                    fetched = self.reader.read(batch, symbols)
                    is_complete &= self._do(batch, fetched, open_engine)
                    total.add(fetched)
                    del batch, fetched  # else its bars stay while the next one is fetched
        except BaseException as error:
            status = "interrupted" if isinstance(error, (KeyboardInterrupt, *OUTAGES)) else "failed"
            self.record.finish(status, str(error))
            raise
        total.notes += self.context.notes()
        return total, is_complete and not self.feed.has_more

    def _do(self, batch: Batch, fetched: Fetched, open_engine: OpenEngine) -> bool:
        """Forecast, score and commit a batch, and return whether all of it was done."""
        stop = self.feed.stop
        options = self.record.options = replace(self.options, now=batch.now)
        self.record.store_sessions(fetched.backlogs)
        self.context.fetch(fetched, batch.now, stop)
        if batch.is_last:
            self.context.ingest.sources.forget_rows()
        if options.is_backfill and (plan := plan_line(options, fetched)):
            show_line(plan)
        with progress_bar("forecasts") as progress:
            done = run_stacks(
                fetched.backlogs, options, self.record, members=fetched.members, references=fetched.references, stop=stop,
                progress=progress, open_engine=open_engine,
            )  # fmt: skip
        fetched.failures.update(done.damaged)
        self.record.update_scores(fetched.backlogs)
        self.record.enter_done([backlog.ticker_id for backlog in fetched.backlogs])
        return done.is_complete
