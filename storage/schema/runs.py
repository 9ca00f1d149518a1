"""Configs, runs, what a run did for each ticker, and events."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import STRICT, Base, TickerKey, one_of


class Config(Base):
    """What shapes a forecast: the model and training settings as JSON, by their hash. At most one is active."""

    __tablename__ = "configs"
    id: Mapped[str] = mapped_column(primary_key=True)
    preset: Mapped[str]
    field: Mapped[str]
    settings: Mapped[str]
    active: Mapped[int]
    created_at: Mapped[datetime]
    __table_args__ = (
        sa.CheckConstraint("active IN (0, 1)", name="active"),
        one_of("field", "close", "open"),
        sa.Index(
            "ix_configs_one_active",
            "active",
            unique=True,
            sqlite_where=sa.text("active = 1"),
            postgresql_where=sa.text("active = 1"),
        ),
        STRICT,
    )


class Run(Base):
    """One execution of a job."""

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
    __table_args__ = (
        one_of("kind", "backfill", "run", "daemon", "evaluate"),
        one_of("status", "running", "done", "partial", "failed", "interrupted"),
        STRICT,
    )


class RunTicker(Base):
    """The outcome of a run for one ticker."""

    __tablename__ = "run_tickers"
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("runs.id"), primary_key=True)
    ticker_id: Mapped[TickerKey]
    status: Mapped[str]
    origins: Mapped[int]
    message: Mapped[str | None]
    __table_args__ = (one_of("status", "ok", "failed", "skipped"), STRICT)


class Event(Base):
    """Something that a user may want to know and that no other table holds."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    run_id: Mapped[int | None] = mapped_column(sa.ForeignKey("runs.id"))
    ticker_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickers.id"))
    session: Mapped[date | None]
    kind: Mapped[str]
    message: Mapped[str]
    __table_args__ = (STRICT,)
