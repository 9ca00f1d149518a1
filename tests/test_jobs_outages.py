"""Work on a record on a server waits where the server is lost, resumes by itself, and gives up in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import psycopg
import pytest

from tests.builders import at_night
from tests.postgres_proxy import postgres_proxy
from tests.postgres_server import PostgresCluster
from tickercast.jobs.errors import LockHeld, UsageError
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.runs.daemon import DaemonLock
from tickercast.jobs.runs.notices import tell
from tickercast.jobs.runs.watch import Watch
from tickercast.jobs.terminal.logs import LogTarget
from tickercast.jobs.workspace import outage
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.jobs.workspace.locks import daemon_lock
from tickercast.jobs.workspace.outage import Outage, work_through_outages
from tickercast.jobs.workspace.writer import open_for_writing, writing_engine
from tickercast.storage import bar_files, queries, writes
from tickercast.storage.database import Engine
from tickercast.storage.errors import ServerUnreachable, StoreUnavailable

LOST = ServerUnreachable("postgresql://host/db: connection refused; what is committed stays; retry when it is back")
DAY = date(2026, 3, 6)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "PAUSES", (0.0,))


def test_a_server_that_never_was_there_is_not_waited_for() -> None:
    told: list[str] = []
    assert not Outage(told.append, threading.Event()).waited(LOST)
    assert told == []


@pytest.mark.usefixtures("no_pauses")
def test_an_outage_is_one_line_and_its_end_another() -> None:
    told: list[str] = []
    found = Outage(told.append, threading.Event())
    found.ended((1,))
    assert [found.waited(LOST) for _ in range(5)] == [True] * 5
    found.ended((1,))
    assert told == [
        "postgresql://host/db: connection refused; what is committed stays; waiting for the server, for 10 min at most",
        "the server is back after 0 s; the work resumes",
    ]


def test_pauses_without_progress_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "MOST_SECONDS", 0.03)
    monkeypatch.setattr(outage, "PAUSES", (0.01,))
    found = Outage(lambda _line: None, threading.Event())
    found.ended((1,))
    assert [found.waited(LOST) for _ in range(4)] == [True, True, True, False]
    found.ended((1,))
    assert not found.waited(LOST)
    found.ended((2,))
    assert found.waited(LOST)


def test_a_stop_ends_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "PAUSES", (60.0,))
    stop = threading.Event()
    found = Outage(lambda _line: stop.set(), stop)
    found.ended((1,))
    assert not found.waited(LOST)


@pytest.mark.parametrize("error", [StoreUnavailable, ServerUnreachable])
def test_an_outage_interrupts_its_run_which_has_not_failed(
    error: type[Exception], make_home: Callable[[str], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_files(*_: object) -> None:
        raise error("away")

    monkeypatch.setattr(bar_files, "write_files", write_files)
    home = make_home("home")
    engine = writing_engine(home.database)
    with pytest.raises(error):
        backfill_span(home, engine, BackfillRequest(("IBM",), source="sample", workers=1))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT status, message FROM runs").all() == [("interrupted", "away")]
    engine.dispose()


@pytest.mark.slow
@pytest.mark.usefixtures("no_pauses")
def test_a_commit_whose_answer_was_lost_is_there_once(
    postgres: PostgresCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres.new_database().url.rpartition("/")[2]
    with postgres_proxy(postgres.port) as proxy:
        monkeypatch.setenv("TICKERCAST_STORE__URL", f"postgresql://test@127.0.0.1:{proxy.port}/{name}")
        create_home(tmp_path)
        attempts = []

        def work(_home: Home, engine: Engine) -> None:
            attempts.append(1)
            with engine.begin() as connection:
                if queries.has_event(connection, "unit", "of work"):
                    return
                writes.record_event(connection, "unit", "of work", at=at_night(DAY))
                proxy.lose_next_commit()

        told: list[str] = []
        work_through_outages(tmp_path, work, command="test", wait_seconds=5, create="density", tell=told.append)
        assert proxy.lost_commits == 1
    assert len(attempts) == 2
    assert len(told) == 2
    assert postgres.sql("SELECT count(*) FROM events WHERE kind = 'unit'", name) == [(1,)]


@pytest.mark.slow
def test_work_and_its_lock_have_one_connection_each(
    postgres: PostgresCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKERCAST_STORE__URL", postgres.new_database().url)
    with open_for_writing(tmp_path, command="test", wait_seconds=5, create="density"):
        pass  # the record is made
    opened, connect = [], psycopg.connect
    monkeypatch.setattr(psycopg, "connect", lambda *given, **named: opened.append(1) or connect(*given, **named))
    with open_for_writing(tmp_path, command="test", wait_seconds=5) as (home, engine):
        for kind in ("one", "another"):
            with engine.begin() as connection:
                writes.record_event(connection, kind, "of work", at=at_night(DAY))
        tell(home, at_night(DAY))
    assert len(opened) == 3  # one more looks what is to be told


@pytest.mark.slow
def test_a_home_without_the_price_files_of_a_record_does_no_work_on_it(
    postgres: PostgresCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKERCAST_STORE__URL", postgres.new_database().url)
    with open_for_writing(tmp_path / "first", command="test", wait_seconds=5, create="density") as (home, engine):
        backfill_span(home, engine, BackfillRequest(("IBM",), start=date(2013, 2, 26), source="sample", workers=1))
    with pytest.raises(UsageError, match=r"second/prices has no price file of the record on .* nothing was changed"):
        work_through_outages(
            tmp_path / "second", lambda _home, _engine: None, command="run", wait_seconds=5, create="density", tell=str
        )


@pytest.mark.slow
def test_a_daemon_that_lost_its_lock_takes_it_again_or_stops_where_another_has_it(
    postgres: PostgresCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres.new_database()
    monkeypatch.setenv("TICKERCAST_STORE__URL", server.url)
    with open_for_writing(tmp_path / "one", command="test", wait_seconds=5, create="density"):
        pass  # the record is made
    (tmp_path / "two").mkdir()
    with daemon_lock(tmp_path / "one", server) as renew:
        lock, watch = DaemonLock(renew), Watch(tmp_path / "one", server, LogTarget("json"))
        cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()"
        postgres.sql(cut.format(server.url.rpartition("/")[2]))
        lock.keep(watch)
        assert (lock.taken_by, watch.stop.is_set()) == ("", False)
        with pytest.raises(LockHeld), daemon_lock(tmp_path / "two", server):
            pass
        postgres.sql(cut.format(server.url.rpartition("/")[2]))
        with daemon_lock(tmp_path / "two", server):
            lock.keep(watch)
        assert ("daemon" in lock.taken_by, watch.stop.is_set()) == (True, True)
