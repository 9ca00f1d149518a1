"""Write notices. Their rows change in place, so no digest and no content hash covers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.notices import NoticeRow
from tickercast.storage.schema import Notice
from tickercast.storage.writes.inserts import insert_mappings


def begin_notices(connection: Connection, rows: Sequence[NoticeRow]) -> None:
    """Add notices. One that is stored stays as it is."""
    insert_mappings(connection, Notice, [asdict(row) for row in rows])


def end_notices(connection: Connection, rows: Sequence[NoticeRow], at: datetime) -> None:
    """Enter when notices ended."""
    _update(connection, rows, ended_at=at)


def mark_told(connection: Connection, rows: Sequence[NoticeRow], at: datetime) -> None:
    """Enter that the beginning of notices was delivered, of those that have ended also the end."""
    _update(connection, [row for row in rows if row.told_at is None], told_at=at)
    _update(connection, [row for row in rows if row.ended_at is not None], end_told_at=at)


def _update(connection: Connection, rows: Sequence[NoticeRow], **values: datetime) -> None:
    for row in rows:
        key = (Notice.kind == row.kind, Notice.subject == row.subject, Notice.began_at == row.began_at)
        connection.execute(sa.update(Notice).where(*key).values(**values))
