"""Run a user's query on a server, which may only read, within limits of time, rows and bytes.

The query is a cursor in a transaction that only reads, and its rows are fetched some at a time. So any number of them takes
little memory, and the server stops when the caller takes no more, at Ctrl-C and at the limit. Which statements are run at all is
decided by storage.postgres.statements. Not here: the memory that the server takes for one value (docs/guides/postgresql.md).
"""

from __future__ import annotations

import marshal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import QueryOverLimit, QueryRefused
from tickercast.storage.hints import with_hint
from tickercast.storage.postgres.connections import read_only
from tickercast.storage.postgres.marks import with_percent_marks
from tickercast.storage.postgres.statements import VOLATILE, refuse_functions, split_explain
from tickercast.storage.postgres.values import give_simple_values
from tickercast.storage.sql_guard import Parameters, ResultLimit, Row, Selected, query_too_long

ROW_BYTES = 10_000_000
ANSWER_BYTES = 1_000_000  # of rows that are fetched together
MOST_TOGETHER = 1_000
# Where the login may set it: temporary files of a query. Each sort and each hash table takes as much memory as work_mem.
LIMITS = """SELECT set_config('work_mem', '32MB', true),
CASE WHEN has_parameter_privilege('temp_file_limit', 'SET') THEN set_config('temp_file_limit', '1000000', true) END"""
# OFFSET keeps the query apart, so that each value is computed once.
WITHIN = f"""SELECT * FROM (SELECT * FROM (
%s
) p OFFSET 0) q WHERE CASE WHEN pg_column_size(q) > {ROW_BYTES} THEN refuse_long(pg_column_size(q)) ELSE true END"""
# What is of the server, not of the query: lost connections, a server that ends, damage.
OF_SERVER = ("08000", "08003", "08006", "57P", "58", "XX001", "XX002", "53300")
OVER_LIMIT = ("53", "54")


@contextmanager
def selecting(
    server: PostgresServer, query: str, parameters: Parameters, *, seconds: float, most: ResultLimit
) -> Iterator[Selected]:
    """Yield the result of one SELECT. As storage.sql_guard.selecting, which comes here."""
    with read_only(server) as connection, selected(connection, query, parameters, seconds=seconds, most=most) as found:
        yield found


@contextmanager
def selected(
    connection: psycopg.Connection[Any], query: str, parameters: Parameters, *, seconds: float, most: ResultLimit
) -> Iterator[Selected]:
    """Yield the result of one SELECT in a transaction that only reads and that is rolled back afterwards."""
    explain, alone = split_explain(query)
    with query_errors(query, seconds):
        connection.execute(LIMITS)
        refuse_functions(query, [row[0] for row in connection.execute(VOLATILE)])
        give_simple_values(connection)
        answers = _Answers(connection, seconds)
        with answers.begun(explain, alone.rstrip().rstrip(";"), parameters) as cursor:
            if cursor.description is None:
                raise QueryRefused("that statement reads nothing; nothing was changed")
            yield Selected(tuple(column.name for column in cursor.description), answers.rows(cursor, most))


class _Answers:
    """The rows of a query, received within its time."""

    def __init__(self, connection: psycopg.Connection[Any], seconds: float) -> None:
        self._connection, self._seconds = connection, seconds
        self._waited = 0.0
        self._processor_before = time.thread_time()

    def begun(self, explain: str, query: str, parameters: Parameters) -> psycopg.Cursor[Any]:
        """Return a cursor over a query, or over its plan.

        The query is declared by itself first: it is one SELECT then, and no part of one that ends the whole before its time.
        """
        self._declared("alone", query, parameters).close()
        if not explain:
            return self._declared("rows", WITHIN.replace("%s", query), parameters)
        self._limit_time()
        return self._connection.execute(f"{explain} {query}", _plain(parameters) or None, prepare=True)

    def _declared(self, name: str, query: str, parameters: Parameters) -> psycopg.Cursor[Any]:
        self._limit_time()
        values = _plain(parameters) or None
        if values is not None:
            query = with_percent_marks(query, named=isinstance(values, Mapping))
        cursor = self._connection.cursor(name)
        try:
            cursor.execute(query, values)
        except BaseException:
            cursor.close()
            raise
        return cursor

    def rows(self, cursor: psycopg.Cursor[Any], most: ResultLimit) -> Iterator[Row]:
        """Yield the rows, few together where they are long."""
        count = received = 0
        together = 1
        while rows := self._fetched(cursor, together):
            size = len(marshal.dumps(rows))
            count, received = count + len(rows), received + size
            if count > most.rows:
                raise QueryOverLimit(f"the query returns more than {most.rows} rows; {most.cure}")
            if received > most.bytes:
                raise QueryOverLimit(f"the query returns more than {most.bytes // 1_000_000} MB; {most.cure}")
            yield from rows
            together = max(1, min(MOST_TOGETHER, together * 10, ANSWER_BYTES * len(rows) // size))

    def _fetched(self, cursor: psycopg.Cursor[Any], count: int) -> list[Row]:
        self._limit_time()
        began = time.monotonic()
        rows = cursor.fetchmany(count)
        self._waited += time.monotonic() - began
        return rows

    def _limit_time(self) -> None:
        """Let the server end the next statement once the time is over."""
        left = self._seconds - self._waited - (time.thread_time() - self._processor_before)
        if left <= 0:
            raise query_too_long(self._seconds)
        self._connection.execute(f"SET LOCAL statement_timeout = {max(1, int(left * 1000))}")


def _plain(parameters: Parameters) -> Parameters:
    values = parameters.values() if isinstance(parameters, Mapping) else parameters
    if not all(value is None or isinstance(value, str | int | float | bytes) for value in values):
        raise QueryRefused("a parameter of the query is neither text nor a number, bytes or None; nothing was changed")
    return parameters


@contextmanager
def query_errors(query: str, seconds: float) -> Iterator[None]:
    """Raise psycopg's errors about a query as QueryRefused and QueryOverLimit; those about the server are not changed."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        raise query_too_long(seconds) from error
    except (ValueError, OverflowError) as error:  # a zero character, or a number that no server takes
        raise QueryRefused(f"{error}; nothing was changed") from error
    except psycopg.Error as error:
        state = error.sqlstate or ""
        if state.startswith(OF_SERVER) or (not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)):
            raise
        text = (str(error).splitlines() or [type(error).__name__])[0]
        if state.startswith(OVER_LIMIT):
            raise QueryOverLimit(f"{text}; nothing was changed") from error
        raise QueryRefused(f"PostgreSQL: {with_hint(text, query)}; nothing was changed") from error
