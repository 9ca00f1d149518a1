"""Ids and seeds. They are hashes of content, never counters, so that two ways to the same record give the same rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from tickercast.jobs.workspace.config import Config

ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class PriorIdentity:
    """A prior's id and seed, both from one hash of its members and what they contributed."""

    model_id: str
    seed: int


def seed_of(key: str, origin: date, config: Config) -> int:
    """Return a training's seed, of the ticker's key, the origin and the config; never of time, order or process."""
    return _seed(hashlib.sha256(f"{key}|{origin.isoformat()}|{config.id}".encode()).digest())


def model_id_of(
    key: str,
    origin: date,
    config: Config,
    *,
    role: str,
    reason: str,
    parent_id: str | None,
    prior_id: str | None,
    input_sha256: str,
) -> str:
    """Return a model's id: a hash of everything that determines its params."""
    content = {
        "ticker": key,
        "origin": origin.isoformat(),
        "config": config.id,
        "role": role,
        "reason": reason,
        "prior": prior_id,
        "parent": parent_id,
        "input": input_sha256,
    }
    return _digest(content).hex()[:ID_DIGITS]


def prior_identity(family: str, cutoff: date, settings: str, member_hashes: Mapping[str, str]) -> PriorIdentity:
    """Return a fitted prior's id and seed. settings: of the fit. member_hashes: of each member's input, by the member's key."""
    content = {
        "settings": settings,
        "family": family,
        "members": dict(member_hashes),
        "origin": cutoff.isoformat(),
        "role": "prior",
    }
    digest = _digest(content)
    return PriorIdentity(digest.hex()[:ID_DIGITS], _seed(digest))


def bundled_prior_id(config: Config, sha256: str) -> str:
    """Return the id of a bundled prior in the record, by the hash of its file: each config has a row of its own for it."""
    return _digest({"config": config.id, "file": sha256, "role": "prior"}).hex()[:ID_DIGITS]


def _digest(content: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _seed(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "big") >> 1  # 63 bits: a signed integer column holds it
