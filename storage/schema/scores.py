"""Scores of forecasts, their sums, and the skill and risk computed from these. Triggers refuse to update or delete a score."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import BIG_INTEGER, STRICT, WITHOUT_ROWID, Base, OriginKey, TickerKey, of_forecast, one_of


class Score(Base):
    """The outcome of one forecast. A later restatement of the target adds a row with the next revision.

    The absolute errors are in the views: they are the differences of stored numbers.
    """

    __tablename__ = "scores"
    origin_id: Mapped[int] = mapped_column(BIG_INTEGER, primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    realised_return: Mapped[float]
    realised_price: Mapped[float]
    crps: Mapped[float]
    baseline_crps: Mapped[float]
    pit: Mapped[float]
    inside_50: Mapped[int]
    inside_80: Mapped[int]
    inside_90: Mapped[int]
    __table_args__ = (
        of_forecast(),
        sa.CheckConstraint("revision >= 0", name="revision"),
        sa.CheckConstraint("pit BETWEEN 0 AND 1 AND crps >= 0 AND baseline_crps >= 0", name="range"),
        sa.CheckConstraint("inside_50 IN (0, 1) AND inside_80 IN (0, 1) AND inside_90 IN (0, 1)", name="inside"),
        WITHOUT_ROWID,
    )


class Unscored(Base):
    """An origin some of whose forecasts have no score yet. A trigger enters each new origin here; scoring removes it."""

    __tablename__ = "unscored"
    origin_id: Mapped[OriginKey]
    __table_args__ = (WITHOUT_ROWID,)


class ScoreSum(Base):
    """Running sums over the scores of one ticker by horizon and mode, *: all modes. Skill and risk are computed from them.

    n: how many scores. sums: numbers of 64 bits, whose order and meaning jobs.scoring.ticker_sums states.
    """

    __tablename__ = "score_sums"
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"), primary_key=True)
    ticker_id: Mapped[TickerKey]
    horizon: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]
    sums: Mapped[bytes]
    __table_args__ = (
        sa.CheckConstraint("n >= 1", name="n"),
        one_of("mode", "live", "catchup", "backfill", "*"),
        WITHOUT_ROWID,
    )


class DateSum(Base):
    """Sums over the scores of all tickers by horizon, mode and target. Skill and risk of all tickers are computed from them.

    sums: numbers of 64 bits, whose order and meaning jobs.scoring.date_sums states.
    """

    __tablename__ = "date_sums"
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"), primary_key=True)
    horizon: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[date] = mapped_column(primary_key=True)
    sums: Mapped[bytes]
    __table_args__ = (one_of("mode", "live", "catchup", "backfill"), WITHOUT_ROWID)


class Unsummed(Base):
    """A ticker whose sums under a config lack scores and will be computed anew: it got scores of targets before its last one.

    ticker_id 0: all sums of the config, those of dates too, as an upgrade leaves it.
    """

    __tablename__ = "unsummed"
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"), primary_key=True)
    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    __table_args__ = (WITHOUT_ROWID,)


class SkillTest(Base):
    """The accuracy of the forecasts of one ticker, or of all (ticker_id NULL), against the random walk. mode *: all modes."""

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
    __table_args__ = (
        one_of("mode", "live", "catchup", "backfill", "*"),
        one_of("verdict", "better", "worse", "not distinguishable"),
        sa.UniqueConstraint("config_id", "ticker_id", "horizon", "mode"),
        STRICT,
    )


class RiskTest(Base):
    """The exceedances of one ticker, or of all (ticker_id NULL), against a level, and the risk of the newest forecast.

    mode *: all modes. origin, target: of the newest forecast.
    """

    __tablename__ = "risk_tests"
    id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(sa.ForeignKey("configs.id"))
    ticker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickers.id"))
    horizon: Mapped[int]
    mode: Mapped[str]
    level: Mapped[float]
    n: Mapped[int]
    exceedances: Mapped[int]
    first_target: Mapped[date | None]
    last_target: Mapped[date | None]
    kupiec_statistic: Mapped[float | None]
    kupiec_p: Mapped[float | None]
    independence_statistic: Mapped[float | None]
    independence_p: Mapped[float | None]
    conditional_statistic: Mapped[float | None]
    conditional_p: Mapped[float | None]
    date_statistic: Mapped[float | None]
    date_p: Mapped[float | None]
    p_adjusted: Mapped[float | None]
    verdict: Mapped[str]
    mean_exceedance: Mapped[float | None]
    mean_shortfall: Mapped[float | None]
    origin: Mapped[date | None]
    target: Mapped[date | None]
    var_return: Mapped[float | None]
    es_return: Mapped[float | None]
    es_percent: Mapped[float | None]
    computed_at: Mapped[datetime]
    __table_args__ = (
        one_of("mode", "live", "catchup", "backfill", "*"),
        one_of("verdict", "too many", "too few", "dependent", "not distinguishable"),
        sa.CheckConstraint("level > 0 AND level < 1", name="level"),
        sa.CheckConstraint("n >= 0 AND exceedances BETWEEN 0 AND n", name="exceedances"),
        sa.CheckConstraint("es_return <= var_return", name="shortfall"),
        sa.UniqueConstraint("config_id", "ticker_id", "horizon", "mode", "level"),
        STRICT,
    )
