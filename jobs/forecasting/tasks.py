"""Tasks and results of forecasting: plain data that can be sent to a worker process and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product

from tickercast.jobs.forecasting.context import Events, Reference, SessionDays
from tickercast.jobs.forecasting.inputs import ModelInput
from tickercast.jobs.forecasting.recalibration import PastForecast
from tickercast.jobs.workspace.config import Config
from tickercast.storage.bars import Bars
from tickercast.storage.rows import BaselineForecastRow, CheckpointRow, LossRow, ModelRow, OriginRow, RecalibrationRow

WARM = "warm"  # the reason of a training that continues its parent; any other reason is that of a cold start


@dataclass(frozen=True, slots=True)
class Origin:
    """A session to forecast from, its index in its exchange's calendar, and its targets, nearest first."""

    session: date
    session_index: int
    targets: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Parent:
    """The model that served a ticker's newest origin: what a warm start continues.

    session: that origin. input_sha256: hash of the bars it read; another hash now means that one of them was restated.
    past: the newest published forecasts, oldest first, at most one for each horizon; empty unless forecasts are recalibrated.
    prior_id: the prior that its chain began from, which warm starts keep.
    """

    model_id: str
    session: date
    depth: int
    cold_ancestor_id: str
    input_sha256: str
    checkpoint: bytes
    past: tuple[PastForecast, ...] = ()
    prior_id: str | None = None


@dataclass(frozen=True, slots=True)
class Prior:
    """A pooled model that cold starts begin from: those of the origins from serves_from until the day before serves_until.

    family: of the kinds of security that it serves, None for all.
    """

    model_id: str
    serves_from: date
    checkpoint: bytes
    serves_until: date = date.max
    family: str | None = None

    def serves(self, origin: date, family: str) -> bool:
        """Return whether cold starts of a family's tickers at an origin may begin from it."""
        return self.family in (None, family) and self.serves_from <= origin < self.serves_until


@dataclass(frozen=True, slots=True)
class TickerTask:
    """One ticker's part: its bars as known, the origins it is due for, and its chain so far. key: its first symbol.

    kind: of security: stock, fund, index, crypto or currency. events: the company's reports as recorded, None without any.
    """

    ticker_id: int
    key: str
    price_basis: str
    bars: Bars
    due: frozenset[date]
    parent: Parent | None
    kind: str = "stock"
    events: Events | None = None


@dataclass(frozen=True, slots=True)
class StackTask:
    """Some tickers of one exchange and the origins to forecast from. force_cold: ids of tickers whose chain starts cold first.

    calendar: the exchange's sessions, from the first bar of any ticker until AHEAD ones after the last origin. reference: the
    exchange's volatility index, None where there is none.
    """

    config: Config
    exchange: str
    calendar: SessionDays
    origins: tuple[Origin, ...]
    tickers: tuple[TickerTask, ...]
    priors: tuple[Prior, ...] = ()
    with_twins: bool = False
    force_cold: frozenset[int] = frozenset()
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """Something a user should know about a training: it diverged, or its forecast was not published."""

    ticker_id: int
    session: date
    message: str


@dataclass(slots=True)
class StackResult:
    """What a stack adds to the record, and each chain's newest model by ticker id."""

    models: list[ModelRow] = field(default_factory=list)
    losses: list[LossRow] = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    origins: list[OriginRow] = field(default_factory=list)
    twins: list[BaselineForecastRow] = field(default_factory=list)
    recalibrations: list[RecalibrationRow] = field(default_factory=list)
    events: list[TrainingEvent] = field(default_factory=list)
    parents: dict[int, Parent] = field(default_factory=dict)
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class OriginTask:
    """One ticker at one origin: the input of its model, its seed and its parent. reason: why it is trained.

    longer: what a cold start learns from, None for a warm one. model_sha256: the hash of what the training reads.
    prior: of a cold start, the newest one that serves the origin; of a warm start, the one that its chain began from.
    """

    ticker: TickerTask
    origin: Origin
    input: ModelInput
    input_sha256: str
    longer: ModelInput | None
    model_sha256: str
    reason: str
    parent: Parent | None
    prior: Prior | None
    seed: int

    @property
    def is_cold(self) -> bool:
        """Return whether the model starts from its prior or from scratch, not from its parent."""
        return self.reason != WARM

    @property
    def prior_id(self) -> str | None:
        return self.prior.model_id if self.prior else None


def newest_prior(priors: Iterable[Prior], origin: date, family: str) -> Prior | None:
    """Return the newest prior that serves a family's tickers at an origin, None without one."""
    serving = (prior for prior in priors if prior.serves(origin, family))
    return max(serving, key=lambda prior: prior.serves_from, default=None)


def priors_of_block(
    priors: Sequence[Prior], origins: Iterable[date], families: Iterable[str], chain_priors: Iterable[str | None]
) -> tuple[Prior, ...]:
    """Return those of some priors that some origins of families need. chain_priors: the priors that their chains began from."""
    serving = (newest_prior(priors, day, family) for day, family in product(origins, families))
    needed = {prior.model_id for prior in serving if prior}.union(chain_priors)
    return tuple(prior for prior in priors if prior.model_id in needed)


def prior_index_of(session_index: int, every: int) -> int:
    """Return the index of the session from which the universe's prior of an origin serves."""
    return session_index - session_index % every


def prior_indices_of(session_indices: Iterable[int], every: int) -> set[int]:
    """Return the indices of the sessions from which the universe's priors of some origins serve."""
    return {prior_index_of(index, every) for index in session_indices}
