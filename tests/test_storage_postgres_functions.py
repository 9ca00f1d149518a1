"""SQLite's functions on a server give what they give on SQLite, in any time zone of it, and an upgrade replaces them."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.builders import Record
from tests.postgres_records import copied_record
from tests.postgres_server import PostgresCluster
from tickercast.storage import digests
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import reading, upgrade_database
from tickercast.storage.postgres.connections import connected
from tickercast.storage.postgres.locks import advisory_lock

pytestmark = pytest.mark.slow
CALLS = (
    "strftime('%w %j %Y-%m-%d', '2026-01-02')",
    "strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-02T23:30:00.125000Z')",
    "strftime('%H:%M:%S', '2026-01-02 10:00:00+02:00')",
    "date('2026-03-30', '-15 months')",
    "strftime('%Y-%m-%d %H:%M', '2026-03-28T23:30:00.000000Z', '+1 day')",  # over the change of the clock in Berlin
    "julianday('2026-01-02')",
    "julianday('2026-01-02T10:00:00.000000Z')",
)


@pytest.fixture(scope="module")
def server(postgres: PostgresCluster, sound_record: Record) -> PostgresServer:
    return copied_record(sound_record.database, postgres)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"])
def test_days_and_instants_are_those_of_sqlite_in_any_time_zone(server: PostgresServer, zone: str) -> None:
    query = f"SELECT {', '.join(CALLS)}"
    with closing(sqlite3.connect(":memory:")) as lite:
        expected = lite.execute(query).fetchone()
    with connected(PostgresServer(f"{server.url}?options=-cTimeZone%3D{zone}")) as connection:
        assert connection.execute(query).fetchone() == expected


def test_an_upgrade_replaces_the_functions_of_another_version(postgres: PostgresCluster, sound_record: Record) -> None:
    server = copied_record(sound_record.database, postgres)
    name = server.url.rpartition("/")[2]
    postgres.sql("CREATE OR REPLACE FUNCTION hex(bytea) RETURNS text LANGUAGE sql IMMUTABLE RETURN 'never'", name)
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        upgrade_database(server)
    assert postgres.sql("SELECT hex('K'::bytea)", name) == [("4B",)]
    with reading(server) as connection:
        assert list(digests.changed_tables(connection)) == []
