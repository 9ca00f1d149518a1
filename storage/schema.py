"""The tables, as typed SQLAlchemy models: keys, checks and foreign keys. Views are in storage.views, changes in migrations.

Sessions are exchange dates; instants are UTC. Prices are in the ticker's currency on its price basis; returns, location,
scale, errors and CRPS are natural-log returns (0.01 = 1 %).
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from storage.types import Instant, Session

Real: sa.types.TypeEngine[float] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
TickerKey = Annotated[int, mapped_column(sa.ForeignKey("tickers.id"), primary_key=True)]
ConfigKey = Annotated[str, mapped_column(sa.ForeignKey("configs.id"), primary_key=True)]


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention=NAMES)
    type_annotation_map = {str: sa.Text(), float: Real, date: Session(), datetime: Instant(), bytes: sa.LargeBinary()}  # noqa: RUF012


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    """Return the check that a text column has one of some values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def table_args(*items: Any, without_rowid: bool = False) -> tuple[Any, ...]:
    """Return a table's arguments: STRICT on SQLite, so that a column holds its declared type or refuses."""
    options: dict[str, Any] = {"sqlite_strict": True}
    if without_rowid:
        options["sqlite_with_rowid"] = False
    return (*items, options)


class Ticker(Base):
    __tablename__ = "tickers"
    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(unique=True)
    first_symbol: Mapped[str]
    exchange: Mapped[str]
    currency: Mapped[str]
    time_zone: Mapped[str]
    source: Mapped[str]
    price_basis: Mapped[str | None]
    tracked: Mapped[int]
    status: Mapped[str]
    last_error: Mapped[str | None]
    added_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(server_default="0")
    probe_at: Mapped[datetime | None]
    __table_args__ = table_args(
        sa.CheckConstraint("tracked IN (0, 1)", name="tracked"),
        one_of("price_basis", "as_traded", "split_adjusted", "fully_adjusted"),
        one_of("status", "active", "quiet", "held", "suspended", "too_short"),
    )


class Symbol(Base):
    __tablename__ = "symbols"
    ticker_id: Mapped[TickerKey]
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    symbol: Mapped[str]
    __table_args__ = table_args(sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="span"))


class ExchangeSession(Base):
    __tablename__ = "sessions"
    exchange: Mapped[str] = mapped_column(primary_key=True)
    session: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int]
    open_at: Mapped[datetime]
    close_at: Mapped[datetime]
    __table_args__ = table_args(sa.CheckConstraint("open_at < close_at", name="hours"), without_rowid=True)


class ConfigRow(Base):
    __tablename__ = "configs"
    id: Mapped[str] = mapped_column(primary_key=True)
    preset: Mapped[str]
    field: Mapped[str]
    settings: Mapped[str]
    active: Mapped[int]
    created_at: Mapped[datetime]
    __table_args__ = table_args(
        sa.CheckConstraint("active IN (0, 1)", name="active"),
        one_of("field", "close", "open"),
        sa.Index("ix_configs_one_active", "active", unique=True, sqlite_where=sa.text("active = 1"),
                 postgresql_where=sa.text("active = 1")),
    )  # fmt: skip


class Run(Base):
    __tablename__ = "runs"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    config_id: Mapped[str | None] = mapped_column(sa.ForeignKey("configs.id"))
    tickers_ok: Mapped[int]
    tickers_failed: Mapped[int]
    forecasts: Mapped[int]
    fingerprint: Mapped[str]
    message: Mapped[str | None]
    __table_args__ = table_args(
        one_of("kind", "backfill", "run", "daemon", "evaluate"),
        one_of("status", "running", "done", "partial", "failed", "interrupted"),
    )


class RunTicker(Base):
    __tablename__ = "run_tickers"
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    ticker_id: Mapped[TickerKey]
    status: Mapped[str]
    origins: Mapped[int]
    message: Mapped[str | None]
    __table_args__ = table_args(one_of("status", "ok", "failed", "skipped"))


class PriceFileRow(Base):
    __tablename__ = "price_files"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticker_id: Mapped[int] = mapped_column(sa.ForeignKey("tickers.id"))
    path: Mapped[str]
    rows: Mapped[int]
    first_session: Mapped[date]
    last_session: Mapped[date]
    price_basis: Mapped[str]
    sha256: Mapped[str]
    recorded_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    __table_args__ = table_args(
        sa.CheckConstraint("rows > 0 AND first_session <= last_session", name="span"),
        sa.Index("ix_price_files_current", "ticker_id", unique=True, sqlite_where=sa.text("superseded_at IS NULL"),
                 postgresql_where=sa.text("superseded_at IS NULL")),
    )  # fmt: skip


class RestatementRow(Base):
    __tablename__ = "restatements"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticker_id: Mapped[int] = mapped_column(sa.ForeignKey("tickers.id"))
    session: Mapped[date]
    field: Mapped[str]
    old_value: Mapped[float]
    new_value: Mapped[float]
    recorded_at: Mapped[datetime]
    __table_args__ = table_args(
        one_of("field", "open", "high", "low", "close", "volume", "dividend", "split"),
        sa.UniqueConstraint("ticker_id", "session", "field", "recorded_at"),
    )


class GateVerdict(Base):
    __tablename__ = "gate_verdicts"
    ticker_id: Mapped[TickerKey]
    session: Mapped[date] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    message: Mapped[str]
    open: Mapped[float | None]
    high: Mapped[float | None]
    low: Mapped[float | None]
    close: Mapped[float | None]
    volume: Mapped[int | None] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"))
    dividend: Mapped[float | None]
    split: Mapped[float | None]
    recorded_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    __table_args__ = table_args(one_of("state", "ok", "held", "refused"))


class ModelRow(Base):
    __tablename__ = "models"
    id: Mapped[str] = mapped_column(primary_key=True)
    ticker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickers.id"))
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"))
    origin: Mapped[date]
    role: Mapped[str]
    start: Mapped[str]
    reason: Mapped[str]
    parent_id: Mapped[str | None] = mapped_column(sa.ForeignKey("models.id"))
    prior_id: Mapped[str | None] = mapped_column(sa.ForeignKey("models.id"))
    depth: Mapped[int]
    cold_ancestor_id: Mapped[str]
    epochs: Mapped[int]
    updates: Mapped[int]
    seed: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"))
    input_sha256: Mapped[str]
    features: Mapped[str]
    seconds: Mapped[float]
    checkpoint_sha256: Mapped[str]
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id"))
    __table_args__ = table_args(
        one_of("role", "chain", "prior", "twin"),
        one_of("start", "cold", "warm"),
        sa.CheckConstraint("(start = 'cold') = (parent_id IS NULL)", name="parent"),
        sa.CheckConstraint("(role = 'prior') = (ticker_id IS NULL)", name="owner"),
        sa.Index("ix_models_ticker_id_config_id_origin", "ticker_id", "config_id", "origin"),
    )


class PriorMember(Base):
    __tablename__ = "prior_members"
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"), primary_key=True)
    ticker_id: Mapped[TickerKey]
    bars: Mapped[int]
    last_session: Mapped[date]
    input_sha256: Mapped[str]
    __table_args__ = table_args(sa.CheckConstraint("bars > 0", name="bars"), without_rowid=True)


class Checkpoint(Base):
    __tablename__ = "checkpoints"
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"), primary_key=True)
    sha256: Mapped[str]
    content: Mapped[bytes]
    __table_args__ = table_args()


class Loss(Base):
    __tablename__ = "losses"
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float]
    validation_loss: Mapped[float | None]
    gradient_norm: Mapped[float]
    learning_rate: Mapped[float]
    __table_args__ = table_args(sa.CheckConstraint("epoch >= 0", name="epoch"), without_rowid=True)


class Forecast(Base):
    __tablename__ = "forecasts"
    ticker_id: Mapped[TickerKey]
    config_id: Mapped[ConfigKey]
    origin: Mapped[date] = mapped_column(primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    target: Mapped[date]
    field: Mapped[str]
    location: Mapped[float]
    scale: Mapped[float]
    dof: Mapped[float | None]
    last_price: Mapped[float]
    q05: Mapped[float]
    q10: Mapped[float]
    q25: Mapped[float]
    q50: Mapped[float]
    q75: Mapped[float]
    q90: Mapped[float]
    q95: Mapped[float]
    baseline_location: Mapped[float]
    baseline_scale: Mapped[float]
    baseline_dof: Mapped[float | None]
    mode: Mapped[str]
    made_at: Mapped[datetime]
    known_at: Mapped[datetime]
    input_sha256: Mapped[str]
    price_basis: Mapped[str]
    model_id: Mapped[str] = mapped_column(sa.ForeignKey("models.id"))
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id"))
    __table_args__ = table_args(
        sa.CheckConstraint("target > origin", name="target"),
        sa.CheckConstraint("horizon >= 1", name="horizon"),
        sa.CheckConstraint("scale > 0 AND scale < 1e308 AND baseline_scale > 0", name="scale"),
        sa.CheckConstraint("abs(location) < 1e308 AND (dof IS NULL OR dof > 0)", name="location"),
        sa.CheckConstraint(
            "0 < last_price AND 0 < q05 AND q05 <= q10 AND q10 <= q25 AND q25 <= q50 AND q50 <= q75 "
            "AND q75 <= q90 AND q90 <= q95 AND q95 < 1e308",
            name="quantiles",
        ),
        one_of("field", "close", "open"),
        one_of("mode", "live", "catchup", "backfill"),
        sa.Index("ix_forecasts_config_id_origin", "config_id", "origin"),
        without_rowid=True,
    )


FORECAST_KEY = ("ticker_id", "config_id", "origin", "horizon")


def of_forecast() -> sa.ForeignKeyConstraint:
    """Return the foreign key of a row that hangs on one forecast."""
    return sa.ForeignKeyConstraint(FORECAST_KEY, [f"forecasts.{column}" for column in FORECAST_KEY])


TWIN = "cold twin"  # the name of a twin's rows among those of other models


class BaselineForecast(Base):
    __tablename__ = "baseline_forecasts"
    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[date] = mapped_column(primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    location: Mapped[float]
    scale: Mapped[float]
    dof: Mapped[float | None]
    crps: Mapped[float | None]
    __table_args__ = table_args(of_forecast(), sa.CheckConstraint("scale > 0", name="scale"), without_rowid=True)


class Recalibration(Base):
    __tablename__ = "recalibrations"
    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[date] = mapped_column(primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    scale_factor: Mapped[float]
    raw_scale: Mapped[float]
    __table_args__ = table_args(of_forecast(), sa.CheckConstraint("scale_factor > 0", name="factor"))


class Score(Base):
    __tablename__ = "scores"
    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[date] = mapped_column(primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    realised_return: Mapped[float]
    realised_price: Mapped[float]
    abs_error: Mapped[float]
    baseline_abs_error: Mapped[float]
    crps: Mapped[float]
    baseline_crps: Mapped[float]
    pit: Mapped[float]
    inside_50: Mapped[int]
    inside_80: Mapped[int]
    inside_90: Mapped[int]
    __table_args__ = table_args(
        of_forecast(),
        sa.CheckConstraint("revision >= 0", name="revision"),
        sa.CheckConstraint("pit BETWEEN 0 AND 1 AND crps >= 0 AND baseline_crps >= 0", name="range"),
        sa.CheckConstraint("inside_50 IN (0, 1) AND inside_80 IN (0, 1) AND inside_90 IN (0, 1)", name="inside"),
        without_rowid=True,
    )


class SkillTest(Base):
    __tablename__ = "skill_tests"
    id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"))
    ticker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickers.id"))
    horizon: Mapped[int]
    mode: Mapped[str]
    n: Mapped[int]
    first_target: Mapped[date]
    last_target: Mapped[date]
    mae: Mapped[float]
    baseline_mae: Mapped[float]
    crps: Mapped[float]
    baseline_crps: Mapped[float]
    crps_skill: Mapped[float]
    coverage_50: Mapped[float]
    coverage_80: Mapped[float]
    coverage_90: Mapped[float]
    hit_rate: Mapped[float | None]
    dm_statistic: Mapped[float | None]
    p_value: Mapped[float | None]
    p_adjusted: Mapped[float | None]
    verdict: Mapped[str]
    computed_at: Mapped[datetime]
    __table_args__ = table_args(
        one_of("mode", "live", "catchup", "backfill"),
        one_of("verdict", "better", "worse", "not distinguishable"),
        sa.UniqueConstraint("config_id", "ticker_id", "horizon", "mode"),
    )


class Event(Base):
    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    run_id: Mapped[int | None] = mapped_column(sa.ForeignKey("runs.id"))
    ticker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickers.id"))
    session: Mapped[date | None]
    kind: Mapped[str]
    message: Mapped[str]
    __table_args__ = table_args()
