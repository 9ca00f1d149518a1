"""What a run writes: its own row, and each unit of work as one transaction. The only writer of forecasts and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine

from jobs.exchanges.calendars import exchange_calendar
from jobs.forecasting.fingerprint import fingerprint
from jobs.forecasting.identity import Parent, Prior
from jobs.forecasting.prior import PriorResult, reason_of
from jobs.forecasting.recalibration import Past
from jobs.forecasting.tasks import StackResult, StackTask
from jobs.runs.stacks import Owing
from jobs.scoring.scores import score_rows, twin_crps
from jobs.scoring.skill import skill_rows
from jobs.workspace.config import Config
from storage import queries, writes
from storage.schema import BaselineForecast, Checkpoint, Forecast, Loss, Model, PriorMember, Recalibration, Score

SESSIONS_AHEAD = timedelta(days=366)
LEAST_CHANGE = 1e-12  # of a realised return: below it a score is the same


class RunLedger:
    """One run's entries. made_at of its forecasts is the run's instant."""

    def __init__(self, engine: Engine, *, kind: str, now: datetime, config: Config, settings_config: Config) -> None:
        self.engine, self.kind, self.now, self.config, self.settings_config = engine, kind, now, config, settings_config
        self.run_id: int | None = None
        self.forecasts = 0
        self.owing: dict[int, Owing] = {}
        self.origins: dict[int, int] = {}

    def begin(self) -> None:
        """Enter the run and its config; the settings' config is the active one."""
        with self.engine.begin() as connection:
            for config in {self.config.id: self.config, self.settings_config.id: self.settings_config}.values():
                row = {"id": config.id, "preset": config.preset, "field": config.field}
                row |= {"settings": config.settings_json, "created_at": self.now}
                writes.ensure_config(connection, row, active_id=self.settings_config.id)
            self.run_id = writes.start_run(
                connection, kind=self.kind, at=self.now, config_id=self.config.id, fingerprint=fingerprint()
            )

    def watch(self, owing: Sequence[Owing]) -> None:
        """Take note of the tickers of the walk, and write their exchanges' sessions, a year ahead."""
        self.owing = {o.ticker_id: o for o in owing}
        with self.engine.begin() as connection:
            for exchange in sorted({o.exchange for o in owing}):
                calendar = exchange_calendar(exchange)
                first = min((day for o in owing if o.exchange == exchange for day in o.due[:1]), default=self.now.date())
                until = min(calendar.last_session, self.now.date() + SESSIONS_AHEAD)
                writes.upsert_sessions(connection, calendar.rows(first, until))

    def parent_at(self, ticker_id: int, session: date) -> Parent | None:
        """Return the chain link that served a ticker at a session; None where its params are no longer kept."""
        with self.engine.connect() as connection:
            found = queries.serving_model(connection, ticker_id, self.config.id, session)
            if found is None or found.content is None:
                return None
            past = queries.past_publications(connection, ticker_id, self.config.id, session) if self.config.recalibrate else []
        return Parent(
            found.model_id, session, found.depth, found.cold_ancestor_id, found.input_sha256, found.content,
            _publications(past, self.config.horizons),
        )  # fmt: skip

    def prior_at(self, exchange: str, session: date, number: int) -> Prior | None:
        """Return the prior that was fitted for an exchange's session under this config."""
        with self.engine.connect() as connection:
            found = queries.prior_model(connection, self.config.id, session, reason_of(exchange))
        return Prior(found[0], number, found[1]) if found else None

    def commit_prior(self, result: PriorResult) -> None:
        """Write a prior and its members; one that diverged leaves an event alone, and cold starts begin from scratch."""
        with self.engine.begin() as connection:
            if result.prior is None:
                text = f"the {result.model['reason']} diverged and serves nobody"
                writes.record_event(connection, "training", text, at=self.now, run_id=self.run_id, session=result.model["origin"])
                return
            writes.insert_mappings(connection, Model, [{**result.model, "run_id": self.run_id}])
            writes.insert_mappings(connection, Loss, result.losses)
            stored = {"model_id": result.prior.model_id, "sha256": result.model["checkpoint_sha256"]}
            writes.insert_mappings(connection, Checkpoint, [{**stored, "content": result.prior.checkpoint}])
            writes.insert_mappings(connection, PriorMember, result.members)

    def commit(self, task: StackTask, result: StackResult, first_block: bool) -> None:
        """Write a unit of work: models, losses, checkpoints, forecasts, and the scores that fell due with it."""
        run = {"run_id": self.run_id}
        last = task.origins[-1].session
        with self.engine.begin() as connection:
            writes.insert_mappings(connection, Model, ({**row, **run} for row in result.models))
            writes.insert_mappings(connection, Loss, result.losses)
            writes.insert_mappings(connection, Checkpoint, result.checkpoints)
            modes = self._modes(task)
            entered = {"made_at": self.now, **run}
            added = writes.insert_mappings(
                connection, Forecast, ({**r, "mode": modes[r["origin"]], **entered} for r in result.forecasts)
            )
            writes.insert_mappings(connection, BaselineForecast, result.twins)
            writes.insert_mappings(connection, Recalibration, result.recalibrations)
            writes.prune_checkpoints(connection, sorted({row["cold_ancestor_id"] for row in result.models}))
            self._score(connection, task, last, first_block)
            self._note(connection, result)
            self.forecasts += added
            writes.update_run(connection, int(self.run_id or 0), forecasts=self.forecasts)
        for row in result.forecasts:
            if row["horizon"] == 1:
                self.origins[row["ticker_id"]] = self.origins.get(row["ticker_id"], 0) + 1

    def _modes(self, task: StackTask) -> dict[date, str]:
        """Return each origin's mode: live when its first target session had not opened at the run's instant."""
        calendar = exchange_calendar(self.owing[task.tickers[0].ticker_id].exchange)
        late = "backfill" if self.kind == "backfill" else "catchup"
        return {o.session: "live" if self.now < calendar.open_at(o.targets[0]) else late for o in task.origins}

    def _score(self, connection: Connection, task: StackTask, last: date, first_block: bool) -> None:
        """Score what settled: a target counts once a later session's bar is known, as a live run would see it."""
        # Only the first block looks for forecasts of earlier runs; later ones follow their own.
        nearby = timedelta(days=3 * self.config.horizons + 40)
        waiting = queries.unscored_forecasts(
            connection,
            [t.ticker_id for t in task.tickers],
            self.config.id,
            before=last,
            from_origin=None if first_block else task.origins[0].session - nearby,
        )
        bars = {t.ticker_id: self.owing[t.ticker_id].bars.through(last) for t in task.tickers}
        scores = score_rows(waiting, bars, self.config.field)
        writes.insert_mappings(connection, Score, scores)
        if scores:
            self._score_twins(connection, scores)

    def _score_twins(self, connection: Connection, scores: Sequence[dict[str, Any]]) -> None:
        """Score the twins of forecasts that were scored just now, against the same realised returns."""
        origins = [row["origin"] for row in scores]
        twins = queries.unscored_twins(connection, self.config.id, min(origins), max(origins))
        realised = {(row["ticker_id"], row["origin"], row["horizon"]): row["realised_return"] for row in scores}
        rows = [twin for twin in twins if (twin["ticker_id"], twin["origin"], twin["horizon"]) in realised]
        if rows:
            value = [realised[row["ticker_id"], row["origin"], row["horizon"]] for row in rows]
            writes.score_twins(connection, rows, twin_crps(rows, value))

    def _note(self, connection: Connection, result: StackResult) -> None:
        for ticker_id, session, text in result.events:
            writes.record_event(
                connection, "training", text, at=self.now, run_id=self.run_id, ticker_id=ticker_id, session=session
            )

    def revise_scores(self) -> None:
        """Score again, as a further revision, what this run's restatements changed the realised return of."""
        with self.engine.begin() as connection:
            for ticker_id, owing in self.owing.items():
                span = queries.restated_at(connection, ticker_id, self.now)
                if span is None:
                    continue
                scored = queries.newest_scores(connection, ticker_id, self.config.id, *span)
                before = {(row["origin"], row["horizon"]): row for row in scored}
                again = score_rows(scored, {ticker_id: owing.bars}, self.config.field)
                changed = [
                    {**row, "revision": before[row["origin"], row["horizon"]]["revision"] + 1}
                    for row in again
                    if abs(row["realised_return"] - before[row["origin"], row["horizon"]]["realised_return"]) > LEAST_CHANGE
                ]
                writes.insert_mappings(connection, Score, changed)

    def mark_too_short(self, ticker_id: int) -> None:
        """Note that a ticker has too few bars for a forecast."""
        with self.engine.begin() as connection:
            writes.update_ticker(connection, ticker_id, status="too_short")

    def refresh_skill(self) -> None:
        """Compute the config's skill anew from all its scores."""
        with self.engine.begin() as connection:
            scored = queries.scored_forecasts(connection, self.config.id)
            writes.replace_skill(connection, self.config.id, skill_rows(scored), computed_at=self.now)

    def finish(self, status: str, message: str, failed: Mapping[str, str] | None = None) -> None:
        """Close the run's row with what came of it."""
        if self.run_id is None:
            return
        with self.engine.begin() as connection:
            ids = {t.symbol: t.id for t in queries.list_tickers(connection)}
            rows: list[dict[str, Any]] = [
                {"ticker_id": t, "status": "ok", "origins": self.origins.get(t, 0), "message": None} for t in self.owing
            ]
            rows += [
                {"ticker_id": ids[symbol], "status": "failed", "origins": 0, "message": reason[:500]}
                for symbol, reason in (failed or {}).items()
                if symbol in ids
            ]
            writes.record_run_tickers(connection, ({**row, "run_id": self.run_id} for row in rows))
            writes.update_run(
                connection,
                self.run_id,
                status=status,
                finished_at=max(self.now, datetime.now(self.now.tzinfo)),
                message=message[:1000],
                tickers_ok=len(self.owing),
                tickers_failed=len(failed or {}),
            )
        self.run_id = None


def _publications(rows: Sequence[tuple[Any, ...]], horizons: int) -> tuple[Past, ...]:
    """Return publications from rows (origin, horizon, location, scale, dof, factor) by origin and horizon."""
    by_origin: dict[date, list[tuple[Any, ...]]] = {}
    for origin, *figures in rows:
        by_origin.setdefault(origin, []).append(tuple(figures))
    newest = sorted(by_origin)[-horizons:]
    return tuple(Past(day, *np.array([row[1:] for row in by_origin[day]], np.float64).T) for day in newest)
