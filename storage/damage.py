"""Tell damage from a fault of the program: what a program runs into that reads rows which it never wrote.

Not here: how a record is verified (storage.verify), which loads slowly and is needed only after an error.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tickercast.storage.address import Database
from tickercast.storage.database import reading
from tickercast.storage.errors import Corrupt
from tickercast.storage.price_store import PriceAddress

UNEXPECTED = (
    sa.exc.IntegrityError, ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, RuntimeError, TypeError,
    ValueError, struct.error,
)  # fmt: skip


@contextmanager
def damage_reported(database: Database, prices: PriceAddress) -> Iterator[None]:
    """Raise Corrupt in place of an error that no sound record causes, where the record is damaged; else the error itself."""
    try:
        yield
    except UNEXPECTED as error:
        from tickercast.storage.verify import all_problems

        with reading(database) as connection:
            problems = all_problems(connection, prices)
        if problems:
            raise Corrupt(f"{problems[0]}; nothing more was written; restore the database from a backup") from error
        raise
