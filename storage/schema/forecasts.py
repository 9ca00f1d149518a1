"""Forecasts, those of other models, and recalibrations. Triggers refuse to update or delete a forecast."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from storage.schema.base import STRICT, WITHOUT_ROWID, Base, ConfigKey, TickerKey, of_forecast, one_of


class Forecast(Base):
    """A Student-t distribution of the return from origin to target, its prices, and the baseline's distribution.

    context: what was known of the company's reports, recorded, assumed or none; NULL in rows of earlier versions.
    """

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
    context: Mapped[str | None]
    __table_args__ = (
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
        one_of("context", "recorded", "assumed", "none"),
        sa.Index("ix_forecasts_config_id_origin", "config_id", "origin"),
        sa.Index("ix_forecasts_target", "target"),
        WITHOUT_ROWID,
    )


class BaselineForecast(Base):
    """Another model's forecast of the same target: a cold twin's, or a baseline's. crps is NULL until it is scored."""

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
    __table_args__ = (of_forecast(), sa.CheckConstraint("scale > 0", name="scale"), WITHOUT_ROWID)


class Recalibration(Base):
    """The factor that a forecast's scale was multiplied by, and the scale before."""

    __tablename__ = "recalibrations"
    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(primary_key=True)
    origin: Mapped[date] = mapped_column(primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    scale_factor: Mapped[float]
    raw_scale: Mapped[float]
    __table_args__ = (of_forecast(), sa.CheckConstraint("scale_factor > 0", name="factor"), STRICT)
