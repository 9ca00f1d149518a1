"""The pooled prior: one network that learns from many tickers' histories, from which cold starts begin.

One is fitted for each exchange on sessions whose number divides by `prior_every`, from scratch, and serves the origins from that
session on until the next one. It knows closes up to the session before: of other exchanges' members those that had closed by
that instant. Its id is a hash of its members and of what they gave. Called by walk before any stack advances.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from threadpoolctl import threadpool_limits

from jobs.exchanges.calendars import exchange_calendar
from jobs.forecasting.fingerprint import fingerprint
from jobs.forecasting.heads import DensityHead
from jobs.forecasting.identity import Prior, refresh_numbers
from jobs.forecasting.inputs import Market, Seen
from jobs.workspace.config import Config
from rnn.checkpoints import state_to_bytes
from storage.bars import Bars

Row = dict[str, Any]

# More members taught a prior nothing more; which ones are in does not depend on their order.
MOST_MEMBERS = 128
FEWEST_MEMBER_BARS = 300


@dataclass(frozen=True, slots=True)
class Member:
    """A ticker's newest bars as the prior may know them."""

    ticker_id: int
    key: str
    exchange: str
    bars: Bars


@dataclass(frozen=True, slots=True)
class PriorTask:
    config: Config
    exchange: str
    session: date
    number: int
    members: tuple[Member, ...]
    market: Market | None = None

    def seen(self, member: Member) -> Seen:
        """Return what the prior learns of a member, with the market's sessions as the member knew them."""
        if self.market is None:
            return Seen(member.bars)
        known = self.market.seen(member.exchange, member.bars.session[-1].item(), self.config.prior_sessions)
        return Seen(member.bars, known, member.exchange == self.market.exchange)


@dataclass(frozen=True, slots=True)
class PriorResult:
    """A prior with its rows for the database; none where its training diverged."""

    prior: Prior | None
    model: Row
    losses: list[Row]
    members: list[Row]
    fingerprint: str


def reason_of(exchange: str) -> str:
    """Return the reason that a prior's model row carries: it names the exchange whose origins it serves."""
    return f"prior of {exchange}"


def due_priors(
    config: Config, exchange: str, origins: Sequence[date], members: Sequence[Any], market: Market | None = None
) -> Iterator[PriorTask]:
    """Yield what is needed to fit each prior of some origins, oldest first; none where too few bars were known.

    members: rows with ticker_id, key, exchange and bars, as walk.Owing has them.
    """
    calendar = exchange_calendar(exchange)
    for number in sorted(refresh_numbers((calendar.number(day) for day in origins), config.prior_every)):
        if number < 1:
            continue
        session, before = calendar.session_at(number), calendar.session_at(number - 1)
        known = [
            Member(m.ticker_id, m.key, m.exchange, _known(m, exchange, before, config.prior_sessions))
            for m in sorted(members, key=lambda m: hashlib.sha256(m.key.encode()).digest())
        ]
        chosen = [member for member in known if len(member.bars) >= FEWEST_MEMBER_BARS][:MOST_MEMBERS]
        if chosen:
            yield PriorTask(config, exchange, session, number, tuple(sorted(chosen, key=lambda m: m.key)), market)


def fit_prior(task: PriorTask) -> PriorResult:
    """Return the prior that its members' bars teach. BLAS has one thread: its bytes depend on it."""
    seen = [task.seen(member) for member in task.members]
    hashes = {member.key: item.sha256() for member, item in zip(task.members, seen, strict=True)}
    content = {
        "config": task.config.id,
        "exchange": task.exchange,
        "members": hashes,
        "origin": task.session.isoformat(),
        "role": "prior",
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    model_id, seed = digest.hexdigest()[:32], int.from_bytes(digest.digest()[:8], "big") >> 1
    began = time.perf_counter()
    with threadpool_limits(1):
        training, features = DensityHead.fit_pooled(task.config, seen, seed)
    identity = {"ticker": "*", "origin": task.session.isoformat(), "config": task.config.id}
    checkpoint = state_to_bytes(training.state, identity)
    input_sha256 = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
    model: Row = {
        "id": model_id, "ticker_id": None, "config_id": task.config.id, "origin": task.session, "role": "prior",
        "start": "cold", "reason": reason_of(task.exchange), "parent_id": None, "prior_id": None, "depth": 0,
        "cold_ancestor_id": model_id, "epochs": int(training.epochs[0]), "updates": int(training.updates[0]),
        "seed": seed, "input_sha256": input_sha256, "features": features,
        "seconds": time.perf_counter() - began, "checkpoint_sha256": hashlib.sha256(checkpoint).hexdigest(),
    }  # fmt: skip
    losses = [
        {
            "model_id": model_id, "epoch": epoch, "train_loss": float(training.train_loss[epoch, 0]), "validation_loss": None,
            "gradient_norm": float(training.gradient_norm[epoch, 0]), "learning_rate": training.learning_rates[epoch],
        }
        for epoch in range(int(training.epochs[0]))
    ]  # fmt: skip
    members = [
        {
            "model_id": model_id, "ticker_id": member.ticker_id, "bars": len(member.bars),
            "last_session": member.bars.session[-1].item(), "input_sha256": hashes[member.key],
        }
        for member in task.members
    ]  # fmt: skip
    prior = None if training.faults[0] else Prior(model_id, task.number, checkpoint)
    return PriorResult(prior, model, losses, members, fingerprint())


def _known(member: Any, exchange: str, before: date, most: int) -> Bars:
    """Return the newest bars of a member whose sessions had closed when an exchange's session did."""
    if member.exchange == exchange:
        bars: Bars = member.bars.through(before)
    else:
        instant = exchange_calendar(exchange).close_at(before)
        last = exchange_calendar(member.exchange).last_closed_session(instant, 0)
        bars = member.bars.through(last) if last else member.bars.select(slice(0, 0))
    return bars.select(slice(max(0, len(bars) - most), len(bars)))
