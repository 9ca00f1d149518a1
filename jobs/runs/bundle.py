"""The bundled priors: weight files in jobs/forecasting/bundled, and a manifest of where each comes from.

They serve every home, so a ticker forecasts the same alone as among five hundred. jobs.runs.refit makes them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from tickercast.jobs.forecasting.identity import PriorIdentity, bundled_prior_id
from tickercast.jobs.forecasting.prior import NETWORK_SETTINGS, PriorRows, prior_model_row, reason_of
from tickercast.jobs.forecasting.tasks import Prior
from tickercast.jobs.workspace.config import Config
from tickercast.storage.errors import Corrupt
from tickercast.storage.files import sha256_of
from tickercast.storage.rows import CheckpointRow, PriorMemberRow, PriorRow

BUNDLED = "bundled"
FOLDER = files("tickercast.jobs.forecasting") / "bundled"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class BundledPrior:
    """A weight file: what it was fitted on, and with which settings. It serves the origins after its cutoff.

    members: for each one its symbol, number of bars, last session (before the cutoff) and the hash of those bars.
    """

    file: str
    sha256: str
    family: str
    cutoff: date
    members: tuple[tuple[str, int, date, str], ...]
    data_sha256: str
    settings: str
    features: str
    epochs: int
    updates: int
    seed: int
    fingerprint: str

    @property
    def serves_from(self) -> date:
        """Return the first day whose forecasts may begin from it: the one after its cutoff, on any exchange."""
        return self.cutoff + timedelta(days=1)

    def content(self) -> bytes:
        """Return the bytes of its file. Raises Corrupt where they are not those that the manifest names."""
        content = _bytes_of(self.file)
        if sha256_of(content) != self.sha256:
            raise Corrupt(f"bundled prior {self.file}: its bytes are not those of the manifest; install Tickercast again")
        return content


@cache
def bundled_priors() -> tuple[BundledPrior, ...]:
    """Return all bundled priors, oldest first."""
    manifest = json.loads((FOLDER / MANIFEST).read_text(encoding="utf-8"))
    return tuple(sorted((_from_json(entry) for entry in manifest["priors"]), key=lambda prior: prior.cutoff))


def matching_priors(config: Config) -> tuple[BundledPrior, ...]:
    """Return the bundled priors whose network is that of a config, oldest first."""
    return tuple(prior for prior in bundled_priors() if mismatch(prior, config) is None)


def mismatch(prior: BundledPrior, config: Config) -> str | None:
    """Return the first setting in which a config's network differs from a prior's, with the config's value; None if equal."""
    ours, theirs = asdict(config), json.loads(prior.settings)
    differing = [name for name in NETWORK_SETTINGS if ours[name] != theirs[name]]
    return f"{differing[0]} {ours[differing[0]]}" if differing else None


def as_prior(prior: BundledPrior, config: Config) -> Prior:
    """Return a bundled prior as the stacks of a config take it."""
    return Prior(bundled_prior_id(config, prior.sha256), prior.serves_from, prior.content(), family=prior.family)


def rows_of(prior: BundledPrior, config: Config) -> PriorRows:
    """Return what the record of a config keeps of a bundled prior."""
    identity = PriorIdentity(bundled_prior_id(config, prior.sha256), prior.seed)
    model = prior_model_row(
        identity, config, prior.cutoff, reason_of(BUNDLED, prior.family), epochs=prior.epochs, updates=prior.updates,
        data_sha256=prior.data_sha256, features=prior.features, seconds=0.0, checkpoint_sha256=prior.sha256,
    )  # fmt: skip
    return PriorRows(
        model,
        PriorRow(
            model.id, BUNDLED, prior.family, prior.cutoff, 0, prior.data_sha256, prior.settings, prior.fingerprint
        ),
        [PriorMemberRow(model.id, *member) for member in prior.members],
        CheckpointRow(model.id, prior.sha256, prior.content()),
        [],
    )  # fmt: skip


def used_priors(config: Config, prior_ids: Collection[str | None]) -> list[BundledPrior]:
    """Return the bundled priors that a config's models name."""
    if config.prior != BUNDLED:
        return []
    return [prior for prior in matching_priors(config) if bundled_prior_id(config, prior.sha256) in prior_ids]


def manifest_text(priors: Iterable[tuple[str, PriorRows]], command: str, version: int) -> str:
    """Return the manifest of some fitted priors by their files. command: what fits them again."""
    entries = [_as_json(file, rows) for file, rows in priors]
    return json.dumps({"version": version, "refit": command, "priors": entries}, indent=1) + "\n"


@cache
def _bytes_of(file: str) -> bytes:
    return (FOLDER / file).read_bytes()


def _as_json(file: str, rows: PriorRows) -> dict[str, Any]:
    """Return a manifest's entry. Raises ValueError for a prior that diverged."""
    if rows.checkpoint is None:
        raise ValueError(f"{file}: the training diverged; there is nothing to ship")
    return {
        "file": file,
        "sha256": rows.checkpoint.sha256,
        "family": rows.prior.family,
        "cutoff": rows.prior.cutoff.isoformat(),
        "data_sha256": rows.prior.data_sha256,
        "settings": json.loads(rows.prior.settings),
        "features": rows.model.features,
        "epochs": rows.model.epochs,
        "updates": rows.model.updates,
        "seed": rows.model.seed,
        "fingerprint": rows.prior.fingerprint,
        "members": [f"{m.member} {m.bars} {m.last_session} {m.input_sha256}" for m in rows.members],
    }


def _from_json(entry: dict[str, Any]) -> BundledPrior:
    members = (member.split() for member in entry["members"])
    return BundledPrior(**{
        **entry,
        "cutoff": date.fromisoformat(entry["cutoff"]),
        "settings": json.dumps(entry["settings"], sort_keys=True),
        "members": tuple((name, int(bars), date.fromisoformat(last), sha256) for name, bars, last, sha256 in members),
    })  # fmt: skip
