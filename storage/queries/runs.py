"""When runs started."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from storage.schema import Run


def last_run_started(connection: Connection) -> datetime | None:
    """Return when the newest run started, None before the first."""
    return connection.scalars(sa.select(Run.started_at).order_by(Run.started_at.desc()).limit(1)).first()


def runs_started_since(connection: Connection, instant: datetime) -> list[datetime]:
    """Return when each daily run since an instant started."""
    query = sa.select(Run.started_at).where(Run.started_at >= instant, Run.kind.in_(("run", "daemon")))
    return list(connection.scalars(query))
