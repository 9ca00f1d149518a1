"""advance: what a stack of tickers forecasts at each of some origins, given their bars. Pure: no file, no database, no clock.

A StackTask goes in, rows for the database come out; backfill and daily read the one and commit the other, and a worker
process may stand between them. jobs.forecasting.heads says how one training and its forecasts are made.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from jobs.forecasting.fingerprint import fingerprint
from jobs.forecasting.heads import Head, Held, Published, head_for, join
from jobs.forecasting.identity import (
    Origin,
    Parent,
    Prior,
    held_from_bytes,
    held_to_bytes,
    model_id_of,
    refresh_number,
    seed_of,
)
from jobs.forecasting.inputs import Seen
from jobs.forecasting.recalibration import Past, factors
from jobs.forecasting.rows import forecast_rows, is_publishable, twin_rows
from jobs.forecasting.tasks import Case, Row, StackResult, StackTask, TickerTask, history_of, seen_with
from rnn.training import State, Training


def advance_stack(task: StackTask) -> StackResult:
    """Return everything that the origins of a task add to the record. BLAS has one thread: its bytes depend on it."""
    with threadpool_limits(1):
        walk = _Walk(task)
        for origin in task.origins:
            walk.step(origin)
        return walk.finish()


class _Walk:
    """The walk of one stack over its origins: holds each chain's params between them."""

    def __init__(self, task: StackTask) -> None:
        self.config = task.config
        self.tickers = task.tickers
        self.with_twins = task.with_twins
        self.features = ""
        self.exchange, self.market = task.exchange, task.market
        self.anew = set(task.anew)
        self.priors = {prior.number: prior for prior in task.priors}
        self.prior_states = {prior.model_id: held_from_bytes(prior.checkpoint).state for prior in task.priors}
        self.result = StackResult(fingerprint=fingerprint())
        self.parents = {t.ticker_id: t.parent for t in task.tickers if t.parent}
        self.held: dict[int, Held] = {}
        self.kept: dict[str, list[Row]] = {}

    def step(self, origin: Origin) -> None:
        cases = [case for case in (self._case(ticker, origin) for ticker in self.tickers) if case]
        # Networks in lockstep share their shapes: same start, same number of bars.
        cases.sort(key=_group_of)
        for _, group in groupby(cases, key=_group_of):
            self._serve(list(group))

    def _case(self, ticker: TickerTask, origin: Origin) -> Case | None:
        end = int(np.searchsorted(ticker.bars.session, np.datetime64(origin.session), side="right"))
        if origin.session not in ticker.due or end < self.config.fewest_sessions:
            return None
        seen = self._seen(ticker, end)
        parent, reason = self._start(ticker, origin, end)
        seed = seed_of(ticker.key, origin, self.config)
        prior = self._prior(origin)
        return Case(ticker, origin, seen, seen.sha256(), reason, parent, prior, seed)

    def _seen(self, ticker: TickerTask, end: int) -> Seen:
        """Return what a forecast from the bar before place `end` may see."""
        history = history_of(ticker.bars, end, self.config)
        return seen_with(history, self.market, self.exchange, self.config)

    def _prior(self, origin: Origin) -> Prior | None:
        """Return the prior that serves an origin: that of its refresh, not an older one."""
        if not self.config.prior_every:
            return None
        return self.priors.get(refresh_number(origin.number, self.config.prior_every))

    def _start(self, ticker: TickerTask, origin: Origin, end: int) -> tuple[Parent | None, str]:
        """Return the parent to go on from, and `warm` or the reason of a cold start."""
        parent, anew = self.parents.get(ticker.ticker_id), ticker.ticker_id in self.anew
        self.anew.discard(ticker.ticker_id)
        if parent is None or ticker.bars.session[end - 2] != np.datetime64(parent.session):
            self.parents.pop(ticker.ticker_id, None)
            return None, "first origin"
        if anew:
            return parent, "command"
        # A parent from the record: are the bars it saw still what they were?
        if ticker.ticker_id not in self.held and self._seen(ticker, end - 1).sha256() != parent.input_sha256:
            return parent, "restatement"
        if self.config.cold_every and origin.number % self.config.cold_every == 0:
            return parent, "schedule"
        return parent, "warm"

    def _serve(self, cases: list[Case]) -> None:
        """Train the cases in lockstep, record each model, and publish what each chain's newest params forecast."""
        head = head_for(self.config, [case.seen for case in cases])
        self.features = head.features
        seeds = [case.seed for case in cases]
        # All cases of an origin have one prior: it depends on the session alone.
        prior = self.prior_states[cases[0].prior.model_id] if cases[0].prior else None
        if cases[0].cold:
            held = head.begin(seeds, prior)
            epochs = self.config.tune_epochs if prior else self.config.cold_epochs
        else:
            held = join([self._held(case) for case in cases])
            epochs = self.config.warm_epochs
        if epochs:
            started = time.perf_counter()
            training, held = head.train(held, epochs, seeds, prior)
            seconds = (time.perf_counter() - started) / len(cases)
            drifted = head.drifted(training) if not cases[0].cold else np.zeros(len(cases), dtype=np.bool_)
            if drifted.any():
                # They start anew at this very origin; the rest goes on without them.
                self._serve([replace(case, reason="drift") for case, gone in zip(cases, drifted, strict=True) if gone])
                stay = [case for case, gone in zip(cases, drifted, strict=True) if not gone]
                if stay:
                    self._serve(stay)
                return
            self._record(cases, training, held, seconds)
        serving = [self._serving(case, held.one(k)) for k, case in enumerate(cases)]
        self._publish(cases, head.publish(join(serving)))
        if self.with_twins and epochs and not cases[0].cold:
            self._serve_twins(cases, head, prior)

    def _serve_twins(self, cases: list[Case], head: Head, prior: State | None) -> None:
        """Train each warm case from the start as well, at the same origin, and keep what that would have forecast."""
        cases = [replace(case, reason="twin") for case in cases]
        seeds = [case.seed for case in cases]
        started = time.perf_counter()
        epochs = self.config.tune_epochs if prior else self.config.cold_epochs
        training, held = head.train(head.begin(seeds, prior), epochs, seeds, prior)
        seconds = (time.perf_counter() - started) / len(cases)
        published = head.publish(held)
        for k, case in enumerate(cases):
            if not training.faults[k] and is_publishable(published, k) and case.ticker.ticker_id in self.parents:
                content = held_to_bytes(held.one(k), case.ticker.key, case.origin, self.config)
                self.result.models.append(
                    self._model_row(case, training, k, "twin", hashlib.sha256(content).hexdigest(), seconds)
                )
                self.result.twins.extend(twin_rows(case, published, k, self.config))

    def _held(self, case: Case) -> Held:
        """Return the params that serve a ticker now: from this walk, else from its parent's checkpoint."""
        ticker_id = case.ticker.ticker_id
        if ticker_id not in self.held:
            self.held[ticker_id] = held_from_bytes(self.parents[ticker_id].checkpoint)
        return self.held[ticker_id]

    def _serving(self, case: Case, trained: Held) -> Held:
        """Return what serves an origin: its chain's newest params, or, for a chain that has none, the trained ones."""
        return self._held(case) if case.ticker.ticker_id in self.parents else trained

    def _record(self, cases: list[Case], training: Training, held: Held, seconds: float) -> None:
        for k, case in enumerate(cases):
            if training.faults[k]:
                fault = training.faults[k]
                self._note(case, f"{case.reason} training diverged ({fault}) and publishes nothing; the parent's params serve")
                continue
            self._record_model(case, training, k, held.one(k), seconds)

    def _model_row(self, case: Case, training: Training, k: int, role: str, digest: str, seconds: float) -> Row:
        """Return a training's row of `models`; a twin starts cold and has no part in the chain."""
        parent = None if case.cold or role == "twin" else case.parent
        model_id = model_id_of(
            case.ticker.key, case.origin, self.config,
            role=role, reason=case.reason, parent=parent, prior=case.prior, input_sha256=case.input_sha256,
        )  # fmt: skip
        return {
            "id": model_id,
            "ticker_id": case.ticker.ticker_id,
            "config_id": self.config.id,
            "origin": case.origin.session,
            "role": role,
            "start": "warm" if parent else "cold",
            "reason": case.reason,
            "parent_id": parent.model_id if parent else None,
            "prior_id": case.prior.model_id if case.prior else None,
            "depth": parent.depth + 1 if parent else 0,
            "cold_ancestor_id": parent.cold_ancestor_id if parent else model_id,
            "epochs": int(training.epochs[k]),
            "updates": int(training.updates[k]),
            "seed": case.seed,
            "input_sha256": case.input_sha256,
            "features": self.features,
            "seconds": seconds,
            "checkpoint_sha256": digest,
        }

    def _record_model(self, case: Case, training: Training, k: int, held: Held, seconds: float) -> None:
        content = held_to_bytes(held, case.ticker.key, case.origin, self.config)
        digest = hashlib.sha256(content).hexdigest()
        row = self._model_row(case, training, k, "chain", digest, seconds)
        model_id, ancestor, depth = row["id"], row["cold_ancestor_id"], row["depth"]
        self.result.models.append(row)
        self.result.losses.extend(_loss_rows(model_id, training, k))
        self._keep(ancestor, {"model_id": model_id, "sha256": digest, "content": content})
        known = self.parents.get(case.ticker.ticker_id)
        past = known.past if known else ()
        self.parents[case.ticker.ticker_id] = Parent(
            model_id, case.origin.session, depth, ancestor, case.input_sha256, content, past
        )
        self.held[case.ticker.ticker_id] = held

    def _keep(self, ancestor: str, checkpoint: Row) -> None:
        """Keep a chain's cold start and its newest two: what the record keeps, so nothing else need travel."""
        kept = self.kept.setdefault(ancestor, [])
        kept.append(checkpoint)
        if len(kept) > 3 or (len(kept) == 3 and kept[0]["model_id"] != ancestor):
            del kept[1 if kept[0]["model_id"] == ancestor else 0]

    def _publish(self, cases: list[Case], published: Published) -> None:
        for k, case in enumerate(cases):
            ticker_id = case.ticker.ticker_id
            parent = self.parents.get(ticker_id)
            if parent is None:
                continue  # a first training that diverged
            raw, factor = published.scale[k].copy(), np.ones(self.config.horizons)
            if self.config.recalibrate:
                factor = factors(case.seen.history, parent.past, self.config.field, self.config.horizons)
            published.scale[k] *= factor
            if not is_publishable(published, k):
                self._note(case, "the forecast is not finite or absurdly wide and is not published")
                del self.parents[ticker_id]  # as if it had none: its next origin starts cold
                continue
            self.parents[ticker_id] = replace(parent, session=case.origin.session, input_sha256=case.input_sha256)
            if self.config.recalibrate:
                self._note_recalibration(case, published, k, factor, raw)
            self.result.forecasts.extend(forecast_rows(case, published, k, parent.model_id, self.config))

    def _note_recalibration(
        self, case: Case, published: Published, k: int, factor: NDArray[np.float64], raw: NDArray[np.float64]
    ) -> None:
        """Remember what is published for the factors to come, and record the factor beside the raw scale."""
        parent = self.parents[case.ticker.ticker_id]
        made = Past(case.origin.session, published.location[k], published.scale[k], published.dof[k], factor)
        past = (*parent.past, made)[-self.config.horizons :]
        self.parents[case.ticker.ticker_id] = replace(parent, past=past)
        key = {"ticker_id": case.ticker.ticker_id, "config_id": self.config.id, "origin": case.origin.session}
        for h in range(self.config.horizons):
            self.result.recalibrations.append(
                {**key, "horizon": h + 1, "scale_factor": float(factor[h]), "raw_scale": float(raw[h])}
            )

    def _note(self, case: Case, text: str) -> None:
        self.result.events.append((case.ticker.ticker_id, case.origin.session, text))

    def finish(self) -> StackResult:
        self.result.parents = {t.ticker_id: self.parents[t.ticker_id] for t in self.tickers if t.ticker_id in self.parents}
        self.result.checkpoints = [row for rows in self.kept.values() for row in rows]
        return self.result


def _group_of(case: Case) -> tuple[bool, int]:
    return case.cold, len(case.seen.history)


def _loss_rows(model_id: str, training: Training, k: int) -> Iterator[Row]:
    for epoch in range(training.epochs[k]):
        validation = float(training.validation_loss[epoch, k])
        yield {
            "model_id": model_id,
            "epoch": epoch,
            "train_loss": float(training.train_loss[epoch, k]),
            "validation_loss": validation if np.isfinite(validation) else None,
            "gradient_norm": float(training.gradient_norm[epoch, k]),
            "learning_rate": training.learning_rates[epoch],
        }
