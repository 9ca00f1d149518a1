"""What the daemon does now, and what it has told about. Rows change in place, and no digest or content hash covers them."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from tickercast.storage.schema.base import STRICT, WITHOUT_ROWID, Base, one_of


class DaemonState(Base):
    """The daemon of this home, at most one row: whether it lives, and when it looked and will look for a due cycle.

    beat_at: when it last wrote that it lives, about a minute ago while nobody else writes. state: idle, cycle (a cycle is under
    way), waiting (another process writes) or stopped. message: what the last look said, NULL when nothing.
    """

    __tablename__ = "daemon_state"
    id: Mapped[int] = mapped_column(primary_key=True)
    pid: Mapped[int]
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    state: Mapped[str]
    looked_at: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    message: Mapped[str | None]
    __table_args__ = (sa.CheckConstraint("id = 1", name="one"), one_of("state", "idle", "cycle", "waiting", "stopped"), STRICT)


class Notice(Base):
    """Something that a user is told about once when it begins and once when it ends.

    subject: a ticker's symbol, or what else the kind is about. told_at, end_told_at: NULL until the message was delivered.
    ended_at: NULL while it lasts.
    """

    __tablename__ = "notices"
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    began_at: Mapped[datetime] = mapped_column(primary_key=True)
    message: Mapped[str]
    told_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_told_at: Mapped[datetime | None]
    __table_args__ = (
        one_of("kind", "late", "failing", "quarantined", "disk", "integrity", "outside", "backup"),
        WITHOUT_ROWID,
    )
