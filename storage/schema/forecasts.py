"""Origins, forecasts, those of other models, and recalibrations. Triggers refuse to update or delete an origin or a forecast.

An origin's row holds what its forecasts share, so that a forecast's row is little more than its numbers.
"""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import BIG_INTEGER, STRICT, WITHOUT_ROWID, Base, OriginKey, of_forecast, one_of
from tickercast.storage.types import Sha256


class Origin(Base):
    """A session that a ticker's forecasts under a config were made from. A ticker and config have one row for each session.

    id: counts the rows of this database and is no part of the record's content. made_at, run_id, mode: when, by which run and
    how early the forecasts were made. known_at: the latest recorded_at of a bar they used. input_sha256: hash of those bars.
    model_number: the model behind them. context: what was known of the company's reports, recorded, assumed or none; NULL in
    rows of earlier versions.
    """

    __tablename__ = "origins"
    id: Mapped[int] = mapped_column(BIG_INTEGER, primary_key=True)
    ticker_id: Mapped[int] = mapped_column(sa.ForeignKey("tickers.id"))
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"))
    origin: Mapped[date]
    field: Mapped[str]
    last_price: Mapped[float]
    price_basis: Mapped[str]
    mode: Mapped[str]
    made_at: Mapped[datetime]
    known_at: Mapped[datetime]
    input_sha256: Mapped[str] = mapped_column(Sha256())
    model_number: Mapped[int] = mapped_column(BIG_INTEGER, sa.ForeignKey("models.number"))
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id"))
    context: Mapped[str | None]
    __table_args__ = (
        sa.CheckConstraint("last_price > 0", name="last_price"),
        one_of("field", "close", "open"),
        one_of("mode", "live", "catchup", "backfill"),
        one_of("context", "recorded", "assumed", "none"),
        sa.UniqueConstraint("ticker_id", "config_id", "origin"),
        sa.Index("ix_origins_origin", "origin"),
        STRICT,
    )


class Forecast(Base):
    """A Student-t distribution of the return from origin to target, its prices, and the baseline's distribution."""

    __tablename__ = "forecasts"
    origin_id: Mapped[OriginKey]
    horizon: Mapped[int] = mapped_column(primary_key=True)
    target: Mapped[date]
    location: Mapped[float]
    scale: Mapped[float]
    dof: Mapped[float | None]
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
    __table_args__ = (
        sa.CheckConstraint("horizon >= 1", name="horizon"),
        sa.CheckConstraint("scale > 0 AND scale < 1e308 AND baseline_scale > 0", name="scale"),
        sa.CheckConstraint("abs(location) < 1e308 AND (dof IS NULL OR dof > 0)", name="location"),
        sa.CheckConstraint(
            "0 < q05 AND q05 <= q10 AND q10 <= q25 AND q25 <= q50 AND q50 <= q75 AND q75 <= q90 AND q90 <= q95 AND q95 < 1e308",
            name="quantiles",
        ),
        sa.Index("ix_forecasts_target", "target"),
        WITHOUT_ROWID,
    )


class BaselineForecast(Base):
    """Another model's forecast of the same target: a cold twin's, or a baseline's. crps is NULL until it is scored."""

    __tablename__ = "baseline_forecasts"
    origin_id: Mapped[int] = mapped_column(BIG_INTEGER, primary_key=True)
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
    origin_id: Mapped[int] = mapped_column(BIG_INTEGER, primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    scale_factor: Mapped[float]
    raw_scale: Mapped[float]
    __table_args__ = (of_forecast(), sa.CheckConstraint("scale_factor > 0", name="factor"), WITHOUT_ROWID)
