"""Price files, bars, restated values and the findings of the gates. Parquet has every record of a bar; bars has the newest."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import BIG_INTEGER, STRICT, WITHOUT_ROWID, Base, TickerKey, one_of


class PriceFile(Base):
    """A Parquet file of a ticker's bars. The current one has superseded_at NULL; path is below the prices folder."""

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
    __table_args__ = (
        sa.CheckConstraint("rows > 0 AND first_session <= last_session", name="span"),
        sa.Index(
            "ix_price_files_current",
            "ticker_id",
            unique=True,
            sqlite_where=sa.text("superseded_at IS NULL"),
            postgresql_where=sa.text("superseded_at IS NULL"),
        ),
        STRICT,
    )


class Bar(Base):
    """The newest record of a stored bar, copied from the ticker's price file in the transaction that names the file.

    adjusted_return, adjusted_open_return: natural-log return of the close and of the open from the session before, adjusted for
    splits and dividends; NULL for the first bar.
    """

    __tablename__ = "bars"
    ticker_id: Mapped[TickerKey]
    session: Mapped[date] = mapped_column(primary_key=True)
    open: Mapped[float]
    high: Mapped[float]
    low: Mapped[float]
    close: Mapped[float]
    volume: Mapped[int] = mapped_column(BIG_INTEGER)
    dividend: Mapped[float]
    split: Mapped[float]
    adjusted_return: Mapped[float | None]
    adjusted_open_return: Mapped[float | None]
    recorded_at: Mapped[datetime]
    __table_args__ = (WITHOUT_ROWID,)


class Restatement(Base):
    """A value of a stored bar that the source changed later."""

    __tablename__ = "restatements"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticker_id: Mapped[int] = mapped_column(sa.ForeignKey("tickers.id"))
    session: Mapped[date]
    field: Mapped[str]
    old_value: Mapped[float]
    new_value: Mapped[float]
    recorded_at: Mapped[datetime]
    __table_args__ = (
        one_of("field", "open", "high", "low", "close", "volume", "dividend", "split"),
        sa.UniqueConstraint("ticker_id", "session", "field", "recorded_at"),
        STRICT,
    )


class GateVerdict(Base):
    """The finding of a gate on one session; the bar's values where the bar is quarantined."""

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
    volume: Mapped[int | None] = mapped_column(BIG_INTEGER)
    dividend: Mapped[float | None]
    split: Mapped[float | None]
    recorded_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    __table_args__ = (one_of("state", "ok", "held", "refused"), STRICT)
