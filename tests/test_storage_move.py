"""A record moved to another database is the same record: every row, id and digest, and a killed move leaves nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.builders import Record, at_night
from tests.postgres_records import copied_record
from tests.postgres_server import PostgresCluster
from tickercast.storage import verify
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.database import open_writer, reading
from tickercast.storage.errors import Corrupt, NotADatabase, StoreUnwritable
from tickercast.storage.move import Copied, copy_record
from tickercast.storage.postgres.locks import advisory_lock
from tickercast.storage.schema import Base, Run
from tickercast.storage.versions import database_id, is_blank
from tickercast.storage.writes import start_run

pytestmark = pytest.mark.slow


@contextmanager
def unseen(_title: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _rows: None


def moved(source: Database, target: Database, prices: Path) -> Copied:
    server = target if isinstance(target, PostgresServer) else source
    assert isinstance(server, PostgresServer)
    with advisory_lock(server, "writer", command="move", wait_seconds=5):
        return copy_record(source, target, prices, unseen)


def all_rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every table, sorted, without the digest of the schema: each kind of database has its own."""
    with reading(database) as connection:
        found = {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in Base.metadata.sorted_tables
        }
    found["digests"] = [row for row in found["digests"] if row[0] != "sqlite_master"]
    return found


def test_a_record_comes_back_from_a_server_with_every_row(
    postgres: PostgresCluster, sound_record: Record, tmp_path: Path
) -> None:
    server, back = postgres.new_database(), tmp_path / "back.db"
    there = moved(sound_record.database, server, sound_record.prices)
    again = moved(server, back, sound_record.prices)
    assert all_rows(server) == all_rows(back) == all_rows(sound_record.database)
    assert database_id(server) == database_id(back) == database_id(sound_record.database)
    assert there.is_new
    assert there.content_hash == again.content_hash
    for database in (server, back):
        with reading(database) as connection:
            assert verify.all_problems(connection, sound_record.prices) == []
            assert verify.content_hash(connection) == there.content_hash


def test_the_log_of_a_blank_file_does_not_become_that_of_the_record_moved_there(
    postgres: PostgresCluster, sound_record: Record, tmp_path: Path
) -> None:
    blank, back = tmp_path / "blank.db", tmp_path / "back.db"
    with closing(sqlite3.connect(blank)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 7")
        for end in ("", "-wal"):
            shutil.copy(f"{blank}{end}", f"{back}{end}")  # as a kill leaves them
    server = copied_record(sound_record.database, postgres)
    moved(server, back, sound_record.prices)
    assert all_rows(back) == all_rows(server)


def test_rows_after_a_move_have_new_numbers(postgres: PostgresCluster, sound_record: Record) -> None:
    server = postgres.new_database()
    moved(sound_record.database, server, sound_record.prices)
    with sound_record.reading() as connection:
        newest = connection.execute(sa.select(sa.func.max(Run.id))).scalar_one()
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        engine = open_writer(server)
        with engine.begin() as connection:
            run_id = start_run(connection, kind="run", at=at_night(date(2026, 3, 6)), config_id=None, fingerprint="f")
        engine.dispose()
    assert run_id == newest + 1


def test_a_move_that_ends_half_way_leaves_an_empty_database(
    postgres: PostgresCluster, sound_record: Record, tmp_path: Path
) -> None:
    server = postgres.new_database()

    @contextmanager
    def failing(title: str, _total: int) -> Iterator[Callable[[int], None]]:
        if title == "hashing rows":
            raise KeyboardInterrupt
        yield lambda _rows: None

    with pytest.raises(KeyboardInterrupt), advisory_lock(server, "writer", command="move", wait_seconds=5):
        copy_record(sound_record.database, server, sound_record.prices, failing)
    assert is_blank(server)
    moved(sound_record.database, server, sound_record.prices)
    with pytest.raises(KeyboardInterrupt):
        copy_record(server, tmp_path / "back.db", sound_record.prices, failing)
    assert list(tmp_path.iterdir()) == []


def test_a_repeated_move_compares_and_another_record_is_left_alone(
    postgres: PostgresCluster, record: Record, tmp_path: Path
) -> None:
    server = postgres.new_database()
    moved(record.database, server, record.prices)
    assert not moved(record.database, server, record.prices).is_new
    record.force("UPDATE runs SET message = 'later'")
    with pytest.raises(NotADatabase, match="holds a record already: this one, as it was"):
        moved(record.database, server, record.prices)
    record.force("PRAGMA user_version = 77")
    with pytest.raises(NotADatabase, match="holds a record already, not this one"):
        moved(record.database, server, record.prices)


def test_a_login_that_may_not_create_tables_is_one_error(postgres: PostgresCluster, record: Record) -> None:
    name = postgres.new_database().url.rpartition("/")[2]
    postgres.sql("CREATE ROLE mover LOGIN")
    server = PostgresServer(f"postgresql://mover@127.0.0.1:{postgres.port}/{name}")
    with pytest.raises(StoreUnwritable, match="permission denied for schema public"):
        moved(record.database, server, record.prices)


def test_a_damaged_record_is_not_moved(postgres: PostgresCluster, record: Record) -> None:
    server = postgres.new_database()
    record.force("UPDATE losses SET train_loss = train_loss + 1")
    with pytest.raises(Corrupt, match="nothing was moved"):
        moved(record.database, server, record.prices)
    assert is_blank(server)


def test_a_file_whose_folder_cannot_be_made_is_named(sound_record: Record, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreUnwritable, match=r"taken/a\.db: .*; nothing was moved"):
        copy_record(sound_record.database, tmp_path / "taken" / "a.db", sound_record.prices, unseen)
