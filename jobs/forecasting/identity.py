"""A chain of trainings: the link that serves an origin, what names it, and its bytes. Pure; called by advance, walk and ledger.

Names and seeds are hashes of content, never counters, so that two ways to the same record give the same rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from jobs.forecasting.heads import Held
from jobs.forecasting.recalibration import Past
from jobs.workspace.config import Config
from rnn.checkpoints import state_from_bytes, state_to_bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """A session that forecasts are made at, its number in its exchange's calendar, and its targets, nearest first."""

    session: date
    number: int
    targets: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Parent:
    """The model that served a ticker's newest origin: what a warm start begins from.

    input_sha256 is of the bars that origin saw: another hash today means that one of them was restated. past: the newest
    publications, oldest first, one for each horizon at most; kept only where forecasts are recalibrated.
    """

    model_id: str
    session: date
    depth: int
    cold_ancestor_id: str
    input_sha256: str
    checkpoint: bytes
    past: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Prior:
    """A pooled model that cold starts begin from, and the number of the session from which it serves."""

    model_id: str
    number: int
    checkpoint: bytes


def refresh_number(number: int, every: int) -> int:
    """Return the number of the session whose prior serves an origin."""
    return number - number % every


def refresh_numbers(numbers: Iterable[int], every: int) -> set[int]:
    """Return the numbers of the sessions whose priors serve some origins; none where there are no priors."""
    return {refresh_number(number, every) for number in numbers} if every else set()


def seed_of(key: str, origin: Origin, config: Config) -> int:
    """Return the seed of a training: of the ticker, the origin and the config; never of time, order or process."""
    text = f"{key}|{origin.session.isoformat()}|{config.id}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def model_id_of(
    key: str,
    origin: Origin,
    config: Config,
    *,
    role: str,
    reason: str,
    parent: Parent | None,
    prior: Prior | None,
    input_sha256: str,
) -> str:
    """Return a model's id: a hash of all that makes it what it is."""
    content = {
        "ticker": key,
        "origin": origin.session.isoformat(),
        "config": config.id,
        "role": role,
        "reason": reason,
        "prior": prior.model_id if prior else None,
        "parent": parent.model_id if parent else None,
        "input": input_sha256,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def held_to_bytes(held: Held, key: str, origin: Origin, config: Config) -> bytes:
    """Return the checkpoint: params, optimizer state, and whose they are."""
    identity = {"ticker": key, "origin": origin.session.isoformat(), "config": config.id}
    return state_to_bytes(held.state, {**identity, **held.figures[0]})


def held_from_bytes(content: bytes) -> Held:
    """Return the params of a checkpoint and the figures its head stored with them. Raises CheckpointError."""
    state, meta = state_from_bytes(content)
    return Held(state, ({name: value for name, value in meta.items() if isinstance(value, float)},))
