"""The pooled prior: one network fitted on many tickers' histories, from which cold starts begin.

A prior is trained from scratch. Its id is a hash of its members and of what each contributed. Which members it has, and when
one is due, is decided in jobs.runs.prior_plan.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import date

from threadpoolctl import threadpool_limits

from jobs.forecasting.density_model import train_pooled
from jobs.forecasting.fingerprint import fingerprint
from jobs.forecasting.identity import PriorIdentity, prior_identity
from jobs.forecasting.inputs import Market, MarketReader, ModelInput, history_of
from jobs.forecasting.rows import loss_rows
from jobs.forecasting.tasks import Prior
from jobs.workspace.config import Config
from rnn.checkpoints import state_to_bytes
from rnn.training import Training
from storage.bars import Bars
from storage.rows import LossRow, ModelRow, PriorMemberRow


@dataclass(frozen=True, slots=True)
class Member:
    """A ticker's newest bars as the prior may know them."""

    ticker_id: int
    key: str
    exchange: str
    bars: Bars


@dataclass(frozen=True, slots=True)
class PriorTask:
    """A prior to fit: the exchange it serves, the session it serves from, and its members."""

    config: Config
    exchange: str
    session: date
    prior_index: int
    members: tuple[Member, ...]
    market: Market | None = None


@dataclass(frozen=True, slots=True)
class PriorResult:
    """A fitted prior with its rows; prior is None where its training diverged."""

    prior: Prior | None
    model: ModelRow
    losses: list[LossRow]
    members: list[PriorMemberRow]
    fingerprint: str


def reason_of(exchange: str) -> str:
    """Return the reason in a prior's model row. It names the exchange whose origins the prior serves."""
    return f"prior of {exchange}"


def fit_prior(task: PriorTask) -> PriorResult:
    """Return the prior fitted on its members' bars. BLAS has one thread, because the bytes depend on the number of threads."""
    inputs = [_member_input(task, member) for member in task.members]
    hashes = {member.key: item.sha256() for member, item in zip(task.members, inputs, strict=True)}
    identity = prior_identity(task.exchange, task.session, task.config, hashes)
    began = time.perf_counter()
    with threadpool_limits(1):
        training, features = train_pooled(task.config, inputs, identity.seed)
    checkpoint = state_to_bytes(training.state, {"ticker": "*", "origin": task.session.isoformat(), "config": task.config.id})
    model = _model_row(
        task, identity, training, input_sha256=hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest(),
        features=features, seconds=time.perf_counter() - began, checkpoint_sha256=hashlib.sha256(checkpoint).hexdigest(),
    )  # fmt: skip
    members = [
        PriorMemberRow(identity.model_id, member.key, len(member.bars), member.bars.session[-1].item(), hashes[member.key])
        for member in task.members
    ]
    prior = None if training.faults[0] else Prior(identity.model_id, task.prior_index, checkpoint)
    return PriorResult(prior, model, loss_rows(identity.model_id, training, 0), members, fingerprint())


def _member_input(task: PriorTask, member: Member) -> ModelInput:
    """Return what the prior reads of a member, with the market as the member's own exchange knew it."""
    reader = MarketReader(task.market, member.exchange, task.config.prior_sessions)
    return ModelInput(history_of(member.bars, task.config.field), reader.up_to(member.bars.session[-1].item()))


def _model_row(
    task: PriorTask, identity: PriorIdentity, training: Training, *, input_sha256: str, features: str, seconds: float,
    checkpoint_sha256: str,
) -> ModelRow:  # fmt: skip
    return ModelRow(
        id=identity.model_id,
        ticker_id=None,
        config_id=task.config.id,
        origin=task.session,
        role="prior",
        start="cold",
        reason=reason_of(task.exchange),
        parent_id=None,
        prior_id=None,
        depth=0,
        cold_ancestor_id=identity.model_id,
        epochs=int(training.epochs[0]),
        updates=int(training.updates[0]),
        seed=identity.seed,
        input_sha256=input_sha256,
        features=features,
        seconds=seconds,
        checkpoint_sha256=checkpoint_sha256,
    )
