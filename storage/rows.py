"""Rows of the record as plain data: what a worker computes and the writer inserts. Columns have the tables' names; rows
name models, tickers and origins by what identifies them, and the writer looks up the numbers that stand for them.

Not here: the tables themselves (storage.schema), or columns that only the writer knows (run_id, made_at, mode).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

TWIN = "cold twin"  # the name of a twin among the other models of the same origin
QUANTILE_LEVELS = {"q05": 0.05, "q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90, "q95": 0.95}
FORECAST_NUMBERS = (
    "location", "scale", "dof", *QUANTILE_LEVELS, "baseline_location", "baseline_scale", "baseline_dof",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One training's result. ticker_id is None for a prior; seconds is wall time."""

    id: str
    ticker_id: int | None
    config_id: str
    origin: date
    role: str
    start: str
    reason: str
    parent_id: str | None
    prior_id: str | None
    depth: int
    cold_ancestor_id: str
    epochs: int
    updates: int
    seed: int
    input_sha256: str
    features: str
    seconds: float
    checkpoint_sha256: str


@dataclass(frozen=True, slots=True)
class LossRow:
    """One epoch of one training. Losses are means per target; validation_loss is None where nothing was held out."""

    model_id: str
    epoch: int
    train_loss: float
    validation_loss: float | None
    gradient_norm: float
    learning_rate: float


@dataclass(frozen=True, slots=True)
class CheckpointRow:
    """The params and optimizer state of a model as bytes, with their hash."""

    model_id: str
    sha256: str
    content: bytes


@dataclass(frozen=True, slots=True)
class PriorRow:
    """Where a prior comes from; see storage.schema.models.Prior. settings is JSON text; diverged is 0 or 1."""

    model_id: str
    kind: str
    family: str
    cutoff: date
    diverged: int
    data_sha256: str
    settings: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PriorMemberRow:
    """A ticker that a prior was fitted on, by its key: how many of its bars, up to which session, and their hash."""

    model_id: str
    member: str
    bars: int
    last_session: date
    input_sha256: str


@dataclass(frozen=True, slots=True)
class OriginRow:
    """What a ticker's forecasts from one session share, and the forecasts themselves, nearest target first.

    numbers: for each horizon the figures named by FORECAST_NUMBERS: a Student-t distribution of the log return from origin to
    target, its price quantiles on the origin's share scale, and the random walk's distribution. A dof is None for a normal.
    context: what was known of the company's reports at the origin: recorded, assumed or none.
    """

    ticker_id: int
    config_id: str
    origin: date
    field: str
    last_price: float
    price_basis: str
    known_at: datetime
    input_sha256: str
    model_id: str
    targets: tuple[date, ...]
    numbers: Sequence[Sequence[float | None]]
    context: str = "none"


@dataclass(frozen=True, slots=True)
class BaselineForecastRow:
    """What another model, or a cold twin, forecasts at the same origin and horizon. crps is None until it is scored."""

    ticker_id: int
    config_id: str
    origin: date
    horizon: int
    name: str
    location: float
    scale: float
    dof: float | None
    crps: float | None


@dataclass(frozen=True, slots=True)
class RecalibrationRow:
    """The factor that a published scale was multiplied by, and the scale before it."""

    ticker_id: int
    config_id: str
    origin: date
    horizon: int
    scale_factor: float
    raw_scale: float


class ScoreSumRow(NamedTuple):
    """Running sums over n scores of one ticker, horizon and mode. What the bytes mean is the caller's matter."""

    ticker_id: int
    horizon: int
    mode: str
    n: int
    sums: bytes


class DateSumRow(NamedTuple):
    """Sums over the scores of all tickers of one horizon, mode and target (ISO). What the bytes mean is the caller's matter."""

    horizon: int
    mode: str
    target: str
    sums: bytes


class ScoreRow(NamedTuple):
    """How good one forecast was, in the order of the table's columns. crps and returns are natural-log returns; inside_* 0 or 1.

    origin_id: of its origin's row.
    """

    origin_id: int
    horizon: int
    revision: int
    realised_return: float
    realised_price: float
    crps: float
    baseline_crps: float
    pit: float
    inside_50: int
    inside_80: int
    inside_90: int


class SkillRow(NamedTuple):
    """Skill of one ticker (None: all of them), horizon and mode against the baseline. verdict is in words."""

    ticker_id: int | None
    horizon: int
    mode: str
    n: int
    first_target: date
    last_target: date
    mae: float
    baseline_mae: float
    crps: float
    baseline_crps: float
    crps_skill: float
    coverage_50: float
    coverage_80: float
    coverage_90: float
    hit_rate: float | None
    dm_statistic: float | None
    p_value: float | None
    p_adjusted: float | None
    verdict: str


class RiskRow(NamedTuple):
    """Exceedances of one ticker (None: of all of them), horizon, mode and level, their tests, and the newest forecast's risk.

    A figure is None where it is not known: a test with too few scores or of overlapping forecasts, a mean without an exceedance.
    Returns are natural-log returns; es_percent is in percent of the last price.
    """

    ticker_id: int | None
    horizon: int
    mode: str
    level: float
    n: int
    exceedances: int
    first_target: date | None
    last_target: date | None
    kupiec_statistic: float | None = None
    kupiec_p: float | None = None
    independence_statistic: float | None = None
    independence_p: float | None = None
    conditional_statistic: float | None = None
    conditional_p: float | None = None
    date_statistic: float | None = None
    date_p: float | None = None
    p_adjusted: float | None = None
    verdict: str = "not distinguishable"
    mean_exceedance: float | None = None
    mean_shortfall: float | None = None
    origin: date | None = None
    target: date | None = None
    var_return: float | None = None
    es_return: float | None = None
    es_percent: float | None = None
