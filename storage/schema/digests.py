"""Digests: what the rows of a table must add up to, so that a changed or missing row is found."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import WITHOUT_ROWID, Base


class Digest(Base):
    """The sum of the hashes of some rows: those of one table, ticker and config. ticker_id 0 and config '' where rows have none.

    sha256: the sum modulo 2**256 of each row's sha256, in hexadecimal digits. It is the same in any order of rows.
    """

    __tablename__ = "digests"
    table_name: Mapped[str] = mapped_column(primary_key=True)
    ticker_id: Mapped[int] = mapped_column(primary_key=True)
    config_id: Mapped[str] = mapped_column(primary_key=True)
    rows: Mapped[int]
    sha256: Mapped[str]
    __table_args__ = (WITHOUT_ROWID,)
