"""The pooled prior: one network fitted on many tickers' histories, from which cold starts begin.

A prior is trained from scratch, the bundled ones as well as those of a universe. Its id is a hash of its members and of what
each contributed. Not here: who the members are and when a fit is due (jobs.runs.prior_plan), the weight files (jobs.runs.bundle).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date

from threadpoolctl import threadpool_limits

from tickercast.jobs.forecasting.context import Events, Reference, SessionDays
from tickercast.jobs.forecasting.density_model import train_pooled
from tickercast.jobs.forecasting.fingerprint import fingerprint
from tickercast.jobs.forecasting.identity import PriorIdentity, prior_identity
from tickercast.jobs.forecasting.inputs import ContextReader, ModelInput, history_of
from tickercast.jobs.forecasting.rows import loss_rows
from tickercast.jobs.workspace.config import Config
from tickercast.rnn.checkpoints import params_to_bytes
from tickercast.rnn.training import Training
from tickercast.storage.bars import Bars
from tickercast.storage.rows import CheckpointRow, LossRow, ModelRow, PriorMemberRow, PriorRow

UNIVERSE = "universe"
STOCK = "stock"  # the kind of security whose company reports are read
# The settings that a network's shape and inputs follow from: a prior serves only configs with the same ones.
NETWORK_SETTINGS = ("cell", "layers", "hidden", "horizons", "field")
FIT_SETTINGS = (*NETWORK_SETTINGS, "truncation", "prior_sessions", "prior_steps", "prior_learning_rate")
# One family of bundled priors for the kinds of security that behave alike.
FAMILIES = {"stock": "stock", "fund": "fund", "index": "fund", "crypto": "crypto", "currency": "crypto"}
# What helps a family beside its own kinds: funds hold stocks, and there are fewer of them.
HELPERS = {"stock": (), "fund": ("stock",), "crypto": ()}


@dataclass(frozen=True, slots=True)
class Member:
    """A ticker's newest bars as the prior may know them, and the company's reports."""

    key: str
    exchange: str
    bars: Bars
    kind: str = "stock"
    events: Events | None = None


@dataclass(frozen=True, slots=True)
class PriorTask:
    """A prior to fit. family: the exchange that a universe's prior serves, or the kind of security of a bundled one.

    cutoff: no member has a bar of this session or of a later one. calendars, references: by exchange.
    """

    config: Config
    kind: str
    family: str
    cutoff: date
    members: tuple[Member, ...]
    calendars: Mapping[str, SessionDays]
    references: Mapping[str, Reference]

    def is_own(self, member: Member) -> bool:
        """Return whether the prior is for securities of a member's kind."""
        return self.kind == UNIVERSE or FAMILIES[member.kind] == self.family


@dataclass(frozen=True, slots=True)
class PriorRows:
    """What the record keeps of a prior. checkpoint is None where its training diverged: it serves nobody."""

    model: ModelRow
    prior: PriorRow
    members: list[PriorMemberRow]
    checkpoint: CheckpointRow | None
    losses: list[LossRow]


def reason_of(kind: str, family: str) -> str:
    """Return the reason in a prior's model row."""
    return f"{kind} prior of {family}"


def fit_settings(config: Config) -> str:
    """Return the settings that shape a prior, as JSON."""
    values = asdict(config)
    return json.dumps({name: values[name] for name in FIT_SETTINGS}, sort_keys=True)


def fit_prior(task: PriorTask) -> PriorRows:
    """Return the prior fitted on its members' bars. BLAS has one thread, because the bytes depend on the number of threads."""
    inputs = [_member_input(task, member) for member in task.members]
    hashes = {member.key: item.sha256() for member, item in zip(task.members, inputs, strict=True)}
    identity = prior_identity(task.family, task.cutoff, fit_settings(task.config), hashes)
    began = time.perf_counter()
    with threadpool_limits(1):
        own = [task.is_own(member) for member in task.members]
        training, features = train_pooled(task.config, inputs, own, identity.seed)
    content = params_to_bytes(training.state, {"family": task.family, "cutoff": task.cutoff.isoformat()})
    checkpoint = CheckpointRow(identity.model_id, hashlib.sha256(content).hexdigest(), content)
    model = _model_row(
        task, identity, training, data_sha256=_data_hash(hashes), features=features, seconds=time.perf_counter() - began,
        checkpoint_sha256=checkpoint.sha256,
    )  # fmt: skip
    has_diverged = bool(training.faults[0])
    return PriorRows(
        model,
        PriorRow(
            identity.model_id, task.kind, task.family, task.cutoff, int(has_diverged), model.input_sha256,
            fit_settings(task.config), fingerprint(),
        ),
        [
            PriorMemberRow(identity.model_id, member.key, len(member.bars), member.bars.session[-1].item(), hashes[member.key])
            for member in task.members
        ],
        None if has_diverged else checkpoint,
        loss_rows(identity.model_id, training, 0),
    )  # fmt: skip


def prior_model_row(
    identity: PriorIdentity, config: Config, cutoff: date, reason: str, *, epochs: int, updates: int, data_sha256: str,
    features: str, seconds: float, checkpoint_sha256: str,
) -> ModelRow:  # fmt: skip
    """Return the model row of a prior, which belongs to no ticker."""
    return ModelRow(
        id=identity.model_id,
        ticker_id=None,
        config_id=config.id,
        origin=cutoff,
        role="prior",
        start="cold",
        reason=reason,
        parent_id=None,
        prior_id=None,
        depth=0,
        cold_ancestor_id=identity.model_id,
        epochs=epochs,
        updates=updates,
        seed=identity.seed,
        input_sha256=data_sha256,
        features=features,
        seconds=seconds,
        checkpoint_sha256=checkpoint_sha256,
    )


def _model_row(
    task: PriorTask, identity: PriorIdentity, training: Training, *, data_sha256: str, features: str, seconds: float,
    checkpoint_sha256: str,
) -> ModelRow:  # fmt: skip
    return prior_model_row(
        identity, task.config, task.cutoff, reason_of(task.kind, task.family),
        epochs=int(training.epochs[0]), updates=int(training.updates[0]), data_sha256=data_sha256,
        features=features, seconds=seconds, checkpoint_sha256=checkpoint_sha256,
    )  # fmt: skip


def _data_hash(hashes: Mapping[str, str]) -> str:
    """Return one hash of what all members contributed."""
    return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()


def _member_input(task: PriorTask, member: Member) -> ModelInput:
    """Return what the prior reads of a member, with the context that its last bar knew."""
    config = task.config
    reference = task.references.get(member.exchange) if config.reference == "auto" else None
    reader = ContextReader(task.calendars[member.exchange], reference, config.assumed_sessions)
    history = history_of(member.bars, config.field)
    return ModelInput(history, reader.known(history, member.events if config.events and member.kind == STOCK else None))
