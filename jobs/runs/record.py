"""What a run writes: its own row, and each unit of work as one transaction. The only writer of forecasts and scores."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime

from tickercast.jobs import clock
from tickercast.jobs.forecasting.collector import collector_paused
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.forecasting.prior import PriorRows
from tickercast.jobs.forecasting.tasks import StackResult, StackTask
from tickercast.jobs.runs.backlog import TickerBacklog
from tickercast.jobs.runs.bundle import rows_of, used_priors
from tickercast.jobs.runs.options import RunOptions
from tickercast.jobs.runs.sessions import RunCalendars, live_until
from tickercast.jobs.scoring.unscored import UnscoredOrigins
from tickercast.jobs.scoring.updates import refresh_skill_and_risk, revise_scores, score_settled, settled_before
from tickercast.jobs.terminal.progress import each_with_progress, progress_bar
from tickercast.jobs.terminal.secrets import shortened
from tickercast.jobs.workspace.config import Config
from tickercast.storage import queries, writes
from tickercast.storage.database import Connection, Engine

BEAT_SECONDS = 10.0
UPGRADE = "upgrade"
UPGRADE_MESSAGE = (
    "new forecasts have config {0.id}, whose prior is {0.prior}; those made with a prior of the run's own tickers stay under "
    "their config"
)


def begin_run(engine: Engine, options: RunOptions, settings_config: Config) -> RunRecord:
    """Return the record of a new run, after entering its row and its config. The settings' config becomes the active one."""
    with engine.begin() as connection:
        is_upgrade = options.config.prior != "none" and queries.is_first_without_priors_of_runs(connection)
        for config in {options.config.id: options.config, settings_config.id: settings_config}.values():
            row = {
                "id": config.id, "preset": config.preset, "field": config.field, "settings": config.settings_json,
                "created_at": options.now,
            }  # fmt: skip
            writes.ensure_config(connection, row, active_id=settings_config.id)
        run_id = writes.start_run(
            connection, kind=options.kind, at=options.now, config_id=options.config.id, fingerprint=fingerprint()
        )
        if is_upgrade:
            writes.record_event(connection, UPGRADE, UPGRADE_MESSAGE.format(options.config), at=options.now, run_id=run_id)
    record = RunRecord(engine, options, run_id)
    record.heart.beat()
    return record


class CycleHeart:
    """The heart-beat of the daemon while it does a cycle. A run of another kind has none."""

    def __init__(self, engine: Engine, kind: str) -> None:
        self.engine, self.is_silent, self.beat_at = engine, kind != "daemon", -BEAT_SECONDS

    def beat(self) -> None:
        """Write that the cycle makes progress: after each ticker and each unit of work, at most every few seconds."""
        if self.is_silent or time.monotonic() - self.beat_at < BEAT_SECONDS:
            return
        with self.engine.begin() as connection:
            writes.beat_in_cycle(connection, clock.now())
        self.beat_at = time.monotonic()


class RunStatus:
    """How far one run is, as stored: its own row and those of its tickers. options: of the batch under way."""

    def __init__(self, engine: Engine, options: RunOptions, run_id: int) -> None:
        self.engine, self.options, self.run_id = engine, options, run_id
        self.origins: Counter[int] = Counter()
        self.heart = CycleHeart(engine, options.kind)
        self.tickers_ok = 0
        self._written_at = time.monotonic()

    def enter_done(self, ticker_ids: Sequence[int]) -> None:
        """Enter tickers whose bars were read and whose due sessions were forecast."""
        rows = [
            {"run_id": self.run_id, "ticker_id": ticker_id, "status": "ok", "origins": self.origins[ticker_id], "message": None}
            for ticker_id in ticker_ids
        ]
        with self.engine.begin() as connection:
            writes.record_run_tickers(connection, rows)
        self.tickers_ok += len(rows)

    def write_progress(self, progress: str) -> None:
        """Write how far the run is into its row, and that the daemon's cycle makes progress: at most every few seconds."""
        self.heart.beat()
        if time.monotonic() - self._written_at >= BEAT_SECONDS:
            with self.engine.begin() as connection:
                writes.update_run(connection, self.run_id, message=progress)
            self._written_at = time.monotonic()

    def finish(self, status: str, message: str, *, failures: Mapping[str, str] | None = None) -> None:
        """Close the run's row. failures: a reason for each symbol that failed."""
        failures = failures or {}
        with self.engine.begin() as connection:
            ids = {ticker.symbol: ticker.id for ticker in queries.list_tickers(connection)}
            rows = [
                {"ticker_id": ids[symbol], "status": "failed", "origins": 0, "message": shortened(reason, 500)}
                for symbol, reason in failures.items()
                if symbol in ids
            ]
            writes.record_run_tickers(connection, [{**row, "run_id": self.run_id} for row in rows])
            writes.update_run(
                connection,
                self.run_id,
                status=status,
                finished_at=max(self.options.now, datetime.now(self.options.now.tzinfo)),
                message=shortened(message, 1000),
                tickers_ok=self.tickers_ok,
                tickers_failed=len(failures),
            )


class RunRecord(RunStatus):
    """One run's entries in the record. made_at of its forecasts is the instant of their batch."""

    def __init__(self, engine: Engine, options: RunOptions, run_id: int) -> None:
        super().__init__(engine, options, run_id)
        self.calendars = RunCalendars(engine, options.now, run_id)
        self.forecasts = 0
        self.served_priors: set[str] = set()
        self.stored_from: dict[str, date] = {}
        self.unscored = UnscoredOrigins()

    def store_sessions(self, backlogs: Sequence[TickerBacklog]) -> None:
        """Store the sessions of the tickers' exchanges, from the first due one to a year ahead, unless this run has done so."""
        for exchange in sorted({backlog.exchange for backlog in backlogs}):
            due = [day for b in backlogs if b.exchange == exchange for day in b.due[:1]]
            first = min(due, default=self.options.now.date())
            if first < self.stored_from.get(exchange, date.max):
                self.calendars.store(exchange, first)
                self.stored_from[exchange] = first

    def mark_too_short(self, ticker_id: int) -> None:
        """Note that a ticker has too few bars for a forecast."""
        with self.engine.begin() as connection:
            writes.update_ticker(connection, ticker_id, status="too_short")

    def commit_prior(self, rows: PriorRows) -> None:
        """Store a fitted prior. Of one that diverged no checkpoint is stored, and cold starts begin from scratch."""
        with self.engine.begin() as connection:
            self._insert_prior(connection, rows)
            if rows.checkpoint is None:
                self._note(connection, f"the {rows.model.reason} diverged and is not used", rows.model.origin)

    def commit_stack(self, task: StackTask, result: StackResult, tickers: Sequence[TickerBacklog]) -> None:
        """Store a unit of work in one transaction: models, losses, checkpoints, forecasts, and the scores of tickers now due."""
        chains = sorted({row.cold_ancestor_id for row in result.models})
        with collector_paused(), self.unscored.forgotten_on_error(), self.engine.begin() as connection:
            self._enter_bundled_priors(connection, task.config, result)
            writes.insert_models(connection, result.models, run_id=self.run_id)
            writes.insert_losses(connection, result.losses)
            writes.insert_rows(connection, result.checkpoints)
            self.forecasts += writes.insert_origins(
                connection, result.origins, modes=self._modes(task), made_at=self.options.now, run_id=self.run_id
            )
            writes.insert_baseline_forecasts(connection, result.twins)
            writes.insert_recalibrations(connection, result.recalibrations)
            writes.prune_checkpoints(connection, chains, self.options.kept_checkpoints)
            self._score(connection, tickers)
            for event in result.events:
                self._note(connection, event.message, event.session, event.ticker_id)
            writes.update_run(connection, self.run_id, forecasts=self.forecasts)
        self.served_priors |= {row.prior_id for row in result.models if row.prior_id}
        self.origins.update(row.ticker_id for row in result.origins)

    def update_scores(self, tickers: Sequence[TickerBacklog]) -> None:
        """Score what is due of some tickers, restated targets as a further revision."""
        with self.unscored.forgotten_on_error(), self.engine.begin() as connection:
            owed = queries.owed_revisions(connection)
            for ticker in each_with_progress("scores", [ticker for ticker in tickers if ticker.ticker_id in owed]):
                revise_scores(connection, ticker.ticker_id, ticker.bars)
            self._score(connection, tickers)

    def refresh_skill_and_risk(self) -> None:
        """Compute skill and risk again from the sums of the scores."""
        with collector_paused(), progress_bar("skill"), self.engine.begin() as connection:
            for config_id in sorted({self.options.config.id, *queries.configs_behind(connection)}):
                refresh_skill_and_risk(connection, config_id, computed_at=self.options.now)

    def _score(self, connection: Connection, tickers: Sequence[TickerBacklog]) -> None:
        bars = {ticker.ticker_id: ticker.bars for ticker in tickers}
        before = _settled_before(tickers, self.options.through)
        score_settled(connection, bars, before, self.unscored.of(connection, before))

    def _modes(self, task: StackTask) -> dict[date, str]:
        """Return each origin's mode: live when it was early enough at the run's instant to act on its first target."""
        calendar, options = self.calendars.of(task.exchange), self.options
        late = "backfill" if options.is_backfill else "catchup"
        ends = {o.session: live_until(calendar, o.session, o.targets[0], options.after_close_minutes) for o in task.origins}
        return {session: "live" if options.now < end else late for session, end in ends.items()}

    def _enter_bundled_priors(self, connection: Connection, config: Config, result: StackResult) -> None:
        """Enter the bundled priors that some models began from, unless this run or one before it has done so."""
        for prior in used_priors(config, {row.prior_id for row in result.models} - self.served_priors):
            self._insert_prior(connection, rows_of(prior, config))

    def _insert_prior(self, connection: Connection, rows: PriorRows) -> None:
        writes.insert_models(connection, [rows.model], run_id=self.run_id)
        writes.insert_rows(connection, [rows.prior])
        writes.insert_rows(connection, rows.members)
        writes.insert_losses(connection, rows.losses)
        writes.insert_rows(connection, [rows.checkpoint] if rows.checkpoint else [])

    def _note(self, connection: Connection, message: str, session: date, ticker_id: int | None = None) -> None:
        writes.record_event(
            connection, "training", message, at=self.options.now, run_id=self.run_id, ticker_id=ticker_id, session=session
        )


def _settled_before(tickers: Sequence[TickerBacklog], through: date | None) -> dict[int, date]:
    """Return the session before which the targets of each ticker are settled, by ticker id.

    through: the last session that the record may know of, unless a ticker's newest origin is later; None = all of them.
    """
    last = {ticker.ticker_id: max({through, *ticker.committed}) if through else None for ticker in tickers}
    found = {ticker.ticker_id: settled_before(ticker.bars, last[ticker.ticker_id]) for ticker in tickers}
    return {ticker_id: day for ticker_id, day in found.items() if day is not None}
