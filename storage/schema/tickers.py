"""Tickers, their symbols over time, and the sessions of their exchanges."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import STRICT, WITHOUT_ROWID, Base, TickerKey, one_of


class Ticker(Base):
    """A ticker that is stored. Seeds, ids and files are made of its key, which never changes.

    key: its first symbol; a later ticker of the same first symbol gets a number, as in FB#2. source, source_path, adjustment:
    where its prices come from, fixed at its first bar. kind: of security, which chooses the family of its prior; NULL until it
    is told by the user or the source. tracked: 1 when the daily run includes it. probe_at: next retry of a suspended one.
    rescore_from: the first session whose stored bar, or its return, changed since the scores were last revised.
    """

    __tablename__ = "tickers"
    id: Mapped[int] = mapped_column(primary_key=True)
    symbol: Mapped[str] = mapped_column(unique=True)
    key: Mapped[str] = mapped_column(server_default="")
    exchange: Mapped[str]
    currency: Mapped[str]
    time_zone: Mapped[str]
    source: Mapped[str]
    source_path: Mapped[str] = mapped_column(server_default="")
    adjustment: Mapped[str] = mapped_column(server_default="")
    price_basis: Mapped[str | None]
    tracked: Mapped[int]
    status: Mapped[str]
    last_error: Mapped[str | None]
    added_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(server_default="0")
    probe_at: Mapped[datetime | None]
    rescore_from: Mapped[date | None]
    kind: Mapped[str | None]
    __table_args__ = (
        sa.CheckConstraint("tracked IN (0, 1)", name="tracked"),
        one_of("price_basis", "as_traded", "split_adjusted", "fully_adjusted"),
        one_of("status", "active", "quiet", "held", "suspended", "too_short"),
        one_of("kind", "stock", "fund", "index", "crypto", "currency"),
        sa.Index("ix_tickers_key", "key", unique=True),
        STRICT,
    )


class Symbol(Base):
    """The symbol of a ticker over a span of time; valid_to NULL = now."""

    __tablename__ = "symbols"
    ticker_id: Mapped[TickerKey]
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    symbol: Mapped[str]
    __table_args__ = (sa.CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="span"), STRICT)


class ExchangeSession(Base):
    """One trading session of an exchange: its number on the exchange's calendar, and its hours."""

    __tablename__ = "sessions"
    exchange: Mapped[str] = mapped_column(primary_key=True)
    session: Mapped[date] = mapped_column(primary_key=True)
    number: Mapped[int]
    open_at: Mapped[datetime]
    close_at: Mapped[datetime]
    __table_args__ = (sa.CheckConstraint("open_at < close_at", name="hours"), WITHOUT_ROWID)
