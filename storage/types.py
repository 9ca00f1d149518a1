"""Column types: text, exchange sessions as dates, instants as UTC, hashes. Each has the same values on every kind of database."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from tickercast.storage.errors import Corrupt
from tickercast.storage.instants import instant_from_text, instant_text


def damaged(value: object, wanted: str) -> Corrupt:
    """Return the error about a stored value that nobody wrote."""
    return Corrupt(f"the database holds {str(value)[:40]!r} where {wanted} should be; restore it from a backup")


class Sha256(sa.types.TypeDecorator[str]):
    """A hash: hexadecimal text in Python, half as many bytes in the database. Views show the text."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        if value is None or isinstance(value, bytes):
            return None if value is None else value.hex()
        raise damaged(value, "a hash")


class SessionDate(sa.types.TypeDecorator[date]):
    """An exchange trading date: ISO text in the database."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        return value if value is None else value.isoformat()

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError) as error:
            raise damaged(value, "a date") from error


class Instant(sa.types.TypeDecorator[datetime]):
    """An instant: UTC text of fixed width in the database. A datetime without time zone is refused."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else instant_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        try:
            return instant_from_text(value)
        except (TypeError, ValueError) as error:
            raise damaged(value, "an instant") from error
