"""A database is made whole or not at all: after a kill or a full disk at any point, the same command works."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic import command

from tests.conftest import Command, clean_environment, command_of
from tickercast.storage import database
from tickercast.storage.database import alembic_config, upgrade_database
from tickercast.storage.errors import DatabaseMissing, NotADatabase, StoreUnwritable
from tickercast.storage.postgres.record import ID, naming_statement
from tickercast.storage.versions import check_revision, database_id


def empty_file(path: Path) -> None:
    path.touch()


def database_without_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 0")


def half_made_beside(path: Path) -> None:
    command.upgrade(alembic_config(path.with_name("a.db.new")), "0002")


def noise_beside(path: Path) -> None:
    for suffix in ("", "-wal", "-journal"):
        path.with_name(f"a.db.new{suffix}").write_bytes(b"noise")


@pytest.mark.parametrize("leftover", [empty_file, database_without_a_table, half_made_beside, noise_beside])
def test_an_interrupted_creation_is_finished_by_the_next_one(tmp_path: Path, leftover: object) -> None:
    path = tmp_path / "a.db"
    assert callable(leftover)
    leftover(path)
    with pytest.raises(DatabaseMissing):
        check_revision(path)
    upgrade_database(path)
    check_revision(path)
    assert list(tmp_path.glob("a.db.new*")) == []


def test_the_id_of_a_record_on_a_server_fits_into_a_file() -> None:
    ids = [ID.search(naming_statement("")) for _ in range(64)]
    assert all(found is not None and 0 < int(found[1], 16) < 1 << 31 for found in ids)


def test_each_database_that_is_made_has_an_id_of_its_own(tmp_path: Path) -> None:
    for name in ("a.db", "b.db"):
        upgrade_database(tmp_path / name)
    first, second = (database_id(tmp_path / name) for name in ("a.db", "b.db"))
    assert "" != first != second != ""
    upgrade_database(tmp_path / "a.db")
    assert database_id(tmp_path / "a.db") == first


def test_a_full_disk_leaves_no_database_and_the_next_creation_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"

    def fill(*_: object) -> None:
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(database, "create_newest", fill)
        with pytest.raises(StoreUnwritable, match="full"):
            upgrade_database(path)
    assert not path.exists()
    upgrade_database(path)
    check_revision(path)


def test_a_database_of_another_program_is_never_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(NotADatabase):
        upgrade_database(path)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_home_whose_creation_was_killed_at_any_time_is_finished_by_the_same_command(
    tmp_path: Path, tickercast: Command
) -> None:
    for attempt, seconds in enumerate((0.6, 1.2)):
        home = f"home{attempt}"
        process = subprocess.Popen(
            command_of("--home", home, "init"), cwd=tmp_path, env=clean_environment(), start_new_session=True
        )
        time.sleep(seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert tickercast("--home", home, "init").returncode == 0
        assert tickercast("--home", home, "verify").returncode == 0


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("version", ["", "0001"])
def test_a_full_disk_keeps_no_part_of_a_database_that_was_to_be_made_or_copied(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.db"
    if version:
        command.upgrade(alembic_config(path), version)
    with pytest.raises(StoreUnwritable), no_file_beyond(20_000):
        upgrade_database(path)
    assert list(tmp_path.glob("a.db.*")) == []
