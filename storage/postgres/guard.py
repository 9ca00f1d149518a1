"""Run a user's query on a server: in a transaction that can only read, with a limit of time that the server keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import QueryOverLimit, QueryRefused
from tickercast.storage.postgres.connections import read_only

ROWS_AT_ONCE = 1_000


@contextmanager
def selecting(
    server: PostgresServer, query: str, parameters: Sequence[Any] | Mapping[str, Any], *, seconds: float
) -> Iterator[tuple[tuple[str, ...], Iterator[list[tuple[Any, ...]]]]]:
    """Yield the columns of a query and its rows, many at once. Raises QueryRefused, QueryOverLimit and the server's errors."""
    import psycopg

    with read_only(server) as connection:
        connection.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
        try:
            cursor = connection.execute(query, parameters)
            if cursor.description is None:
                raise QueryRefused("that statement reads nothing; nothing was changed")
            yield tuple(column.name for column in cursor.description), iter(lambda: cursor.fetchmany(ROWS_AT_ONCE), [])
        except psycopg.errors.QueryCanceled as error:
            raise QueryOverLimit(
                f"the query ran longer than its limit of {seconds:g} s (--seconds); nothing was changed"
            ) from error
        except (psycopg.errors.ProgrammingError, psycopg.errors.DataError, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise QueryRefused(f"PostgreSQL: {str(error).splitlines()[0]}; nothing was changed") from error
