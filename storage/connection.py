"""What a query of ours needs of a connection: those of sqlite3 and of storage.postgres have it, and give the same values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol


class Cursor(Protocol):
    """The answer to a statement."""

    @property
    def description(self) -> Any:
        """Return a sequence of columns whose first item is the name."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def fetchmany(self, size: int = ..., /) -> list[Any]:
        """Return at most some of the next rows."""

    def __iter__(self) -> Iterator[Any]: ...


class Reader(Protocol):
    """A connection that reads one record."""

    def execute(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ..., /) -> Cursor:
        """Run a statement that has a `?` or a `:name` for each value."""
