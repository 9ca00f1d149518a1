"""The advisory locks of a record on a PostgreSQL server: one writer, one daemon, and who has them."""

from __future__ import annotations

import os

import pytest

from tests.postgres_proxy import postgres_proxy
from tests.postgres_records import new_record
from tests.postgres_server import PostgresCluster
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import open_writer, translated
from tickercast.storage.errors import DatabaseMissing, ServerUnreachable
from tickercast.storage.postgres.locks import KeptLock, advisory_lock, is_held
from tickercast.storage.reader import snapshot

pytestmark = pytest.mark.slow


def test_a_writer_that_lost_its_lock_writes_no_more(postgres: PostgresCluster) -> None:
    server = new_record(postgres)
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        engine = open_writer(server)
        postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with pytest.raises(ServerUnreachable, match="writer lock was lost"), translated(server), engine.begin():
            pass
        engine.dispose()


def test_a_second_writer_is_told_who_writes(postgres: PostgresCluster) -> None:
    server = new_record(postgres)
    with advisory_lock(server, "writer", command="backfill", wait_seconds=0) as first:
        assert first is None
        with advisory_lock(server, "writer", command="run", wait_seconds=0.2) as holder:
            assert (holder or "").startswith(f"`tickercast backfill`, process {os.getpid()} on ")
    # The server frees a lock a moment after its connection was closed.
    with advisory_lock(server, "writer", command="run", wait_seconds=5) as free:
        assert free is None


def test_a_lock_that_is_kept_is_taken_again_after_an_outage_unless_another_has_it(postgres: PostgresCluster) -> None:
    server = new_record(postgres)
    first, second = KeptLock(server, "daemon", "daemon"), KeptLock(server, "daemon", "daemon")
    assert first.renew() is None
    with snapshot(server) as connection:
        assert is_held(connection, "daemon")
    assert "`tickercast daemon`, process " in (second.renew() or "")
    postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert second.renew(5.0) is None
    assert first.renew() is not None
    second.release()
    assert first.renew(5.0) is None
    first.release()
    with snapshot(server) as connection:
        assert not is_held(connection, "writer")


def test_a_pooler_is_refused_since_no_lock_is_safe_under_it(postgres: PostgresCluster) -> None:
    name = new_record(postgres).url.rpartition("/")[2]
    with postgres_proxy(postgres.port, is_pooler=True) as proxy:
        server = PostgresServer(f"postgresql://test@127.0.0.1:{proxy.port}/{name}")
        with pytest.raises(DatabaseMissing, match="pooler"), advisory_lock(server, "writer", command="test", wait_seconds=0):
            pass
