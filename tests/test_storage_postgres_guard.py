"""A user's SQL on a server reads and does nothing else, by whatever login, for no longer and with no more rows than allowed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.builders import Record
from tests.conftest import clean_environment
from tests.hostile_statements import OVER_LIMIT, REFUSED, SECRET
from tests.postgres_records import copied_record, reading_login
from tests.postgres_server import PostgresCluster
from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import LoginMayWrite, QueryOverLimit, QueryRefused
from tickercast.storage.postgres.logins import require_reader
from tickercast.storage.postgres.query_pool import ServerPool
from tickercast.storage.query_pool import QueryTimedOut
from tickercast.storage.reader import Rows
from tickercast.storage.sql_guard import ANY_FORMAT, ResultLimit, selecting

pytestmark = pytest.mark.slow
SMALL = ResultLimit(rows=100_000, bytes=20_000_000, cure="add a LIMIT")


@pytest.fixture(scope="module")
def server(postgres: PostgresCluster, sound_record: Record) -> PostgresServer:
    """Return the small record by the login that owns all of it, a superuser: what it is refused, no other login can do."""
    return copied_record(sound_record.database, postgres)


@pytest.fixture(scope="module")
def reader(postgres: PostgresCluster, server: PostgresServer) -> PostgresServer:
    return reading_login(postgres, server)


def rows_of(
    server: PostgresServer, query: str, parameters: object = (), *, seconds: float = 20, most: ResultLimit = SMALL
) -> Rows:
    with selecting(server, query, parameters, seconds=seconds, most=most) as found:  # type: ignore[arg-type]
        return Rows(found.columns, list(found.rows))


def outcome(server: PostgresServer, query: str, *, seconds: float = 5) -> str:
    """Return the name of the error that a query ends with, "answered" without one."""
    try:
        rows_of(server, query, seconds=seconds)
    except (QueryRefused, QueryOverLimit) as error:
        return type(error).__name__ if len(str(error).splitlines()) == 1 else f"several lines: {error}"
    return "answered"


def state(postgres: PostgresCluster, server: PostgresServer) -> list[tuple[object, ...]]:
    """Return what a statement could change: numbers of rows, of relations, of roles, of locks and of sequences' values."""
    counts = ", ".join(
        f"(SELECT count(*) FROM {table})" for table in ("forecasts", "scores", "events", "tickers", "pg_class", "pg_authid")
    )
    locks = "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
    return postgres.sql(f"SELECT {counts}, {locks}", server.url.rpartition("/")[2])


def test_no_statement_does_more_than_read(server: PostgresServer, postgres: PostgresCluster) -> None:
    before, began = state(postgres, server), time.monotonic()
    assert [query for query in REFUSED if outcome(server, query) != "QueryRefused"] == []
    assert time.monotonic() - began < len(REFUSED)  # none has slept
    assert state(postgres, server) == before


def test_a_reading_login_sees_the_record_and_no_secret(reader: PostgresServer) -> None:
    assert rows_of(reader, "SELECT ticker FROM latest_forecast WHERE horizon = 1").rows == [("IBM",)]
    assert {query: outcome(reader, query) for query in SECRET} == dict.fromkeys(SECRET, "QueryRefused")


@pytest.mark.parametrize("query", OVER_LIMIT, ids=lambda query: query[:50])
def test_a_query_ends_at_its_limit(query: str, reader: PostgresServer) -> None:
    began = time.monotonic()
    assert outcome(reader, query, seconds=0.3) in ("QueryOverLimit", "QueryTooLong")
    assert time.monotonic() - began < 3


def test_values_have_the_types_that_sqlite_has(reader: PostgresServer) -> None:
    query = "SELECT ?, :whole, true, 1.5::numeric, DATE '2024-01-02', ARRAY[1], '{\"a\": 1}'::jsonb, NULL, INTERVAL '1 day'"
    expected = [("a", 1, 1, 1.5, "2024-01-02", "{1}", '{"a": 1}', None, "1 day")]
    assert rows_of(reader, query.replace("?", ":t"), {"t": "a", "whole": 1}).rows == expected
    assert rows_of(reader, query.replace(":whole", "?"), ("a", 1)).rows == expected


def test_a_wrong_name_is_told_with_the_nearest_one(reader: PostgresServer) -> None:
    with pytest.raises(QueryRefused, match=r'relation "latest_forcast" does not exist; did you mean latest_forecast\?'):
        rows_of(reader, "SELECT 1 FROM latest_forcast")
    with pytest.raises(QueryRefused, match=r'column "tickr" does not exist; did you mean ticker\?'):
        rows_of(reader, "SELECT tickr FROM bar")


def test_any_number_of_rows_takes_little_memory_and_stops_when_nobody_takes_more(
    reader: PostgresServer, postgres: PostgresCluster
) -> None:
    query = f"SELECT 1, repeat('x', 1000) FROM {', '.join(f'bar b{number}' for number in range(12))}"
    with selecting(reader, query, seconds=20, most=ANY_FORMAT) as found:
        rows = [next(found.rows) for _ in range(3_000)]
    assert rows[-1] == (1, "x" * 1000)
    assert running(postgres) == 0


def running(postgres: PostgresCluster) -> int:
    """Return the number of queries of ours that the server works on."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'tickercast reader%' AND state <> 'idle'"
    [(count,)] = postgres.sql(query)
    assert isinstance(count, int)
    return count


TAKER = """
import sys
from tickercast.storage.address import PostgresServer
from tickercast.storage.sql_guard import selecting
print("begins", flush=True)
with selecting(PostgresServer(sys.argv[1]), "SELECT count(*) FROM generate_series(1, 100000000000)", seconds=60) as found:
    list(found.rows)
"""


def test_ctrl_c_ends_the_query_on_the_server(reader: PostgresServer, postgres: PostgresCluster) -> None:
    command = (sys.executable, "-c", TAKER, reader.url)
    with subprocess.Popen(command, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 20
        while running(postgres) == 0 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in process.communicate(timeout=20)[1]
    assert running(postgres) == 0


@pytest.mark.parametrize(
    ("right", "told"),
    [
        ("GRANT DELETE ON scores TO {}", "may change scores"),
        ("GRANT UPDATE (message) ON events TO {}", "may change events"),
        ("GRANT CREATE ON SCHEMA public TO {}", "may create in schema public"),
        ("ALTER ROLE {} SUPERUSER", "is a superuser"),
        ("ALTER ROLE {} CREATEROLE", "may make roles"),
        ("GRANT pg_write_all_data TO {}", "is a member of pg_write_all_data"),
        ("GRANT test TO {}", "is a member of test"),
    ],
)
def test_a_login_that_may_do_more_is_refused(right: str, told: str, server: PostgresServer, postgres: PostgresCluster) -> None:
    login = reading_login(postgres, server)
    require_reader(login)
    postgres.sql(right.format(login.url.partition("://")[2].partition("@")[0]), server.url.rpartition("/")[2])
    with pytest.raises(LoginMayWrite, match=told):
        require_reader(login)


def test_a_query_after_its_pool_was_closed_ends(reader: PostgresServer) -> None:
    pool, ended = ServerPool(reader), threading.Event()
    pool.select("SELECT 1", (), seconds=5, most=1)
    pool.close()

    def ask() -> None:
        with pytest.raises(QueryTimedOut):
            pool.select("SELECT 1", (), seconds=5, most=1)
        ended.set()

    threading.Thread(target=ask, daemon=True).start()
    assert ended.wait(5)
