"""What values a psycopg connection takes and gives: our marks, and the types that SQLite has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import psycopg
from psycopg.abc import Buffer, Params
from psycopg.adapt import Loader
from psycopg.types.string import TextLoader

from tickercast.storage.postgres.marks import with_percent_marks

# Types whose values are text, numbers or bytes already.
SIMPLE = {"int2", "int4", "int8", "oid", "float4", "float8", "numeric", "bool", "bytea", "text", "varchar", "bpchar", "name"}


class MarkedCursor(psycopg.Cursor[Any]):
    """A cursor whose statements have `?` or `:name` for each value."""

    def execute(
        self, query: Any, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Self:
        """Run a statement. As psycopg's, but for the marks."""
        if params is not None and isinstance(query, str):
            query = with_percent_marks(query, named=isinstance(params, Mapping))
        return super().execute(query, params, prepare=prepare, binary=binary)


class NumberLoader(Loader):
    """A numeric, which sums and means of integers are, as SQLite gives it: an int, or a float."""

    def load(self, data: Buffer) -> float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


class TruthLoader(Loader):
    """Truth as SQLite gives it: 0 or 1."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


def adapt(connection: psycopg.Connection[Any]) -> None:
    """Have a connection take our marks and give the types that SQLite gives."""
    connection.cursor_factory = MarkedCursor
    connection.adapters.register_loader("numeric", NumberLoader)
    connection.adapters.register_loader("bool", TruthLoader)


def give_simple_values(connection: psycopg.Connection[Any]) -> None:
    """Have a connection give the values of any query as text, numbers, bytes or None: what SQLite has no type for is text."""
    for kind in connection.adapters.types:
        if kind.name not in SIMPLE:
            connection.adapters.register_loader(kind.oid, TextLoader)
        if kind.array_oid:
            connection.adapters.register_loader(kind.array_oid, TextLoader)
