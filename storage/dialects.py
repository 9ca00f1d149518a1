"""SQLAlchemy's dialect of a connection, for the statements that it makes of each dialect only: inserts that look at conflicts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

POSTGRES = "postgresql"


def dialect_of(connection: Connection) -> Any:
    """Return the module whose insert() has ON CONFLICT."""
    return postgresql if connection.dialect.name == POSTGRES else sqlite
