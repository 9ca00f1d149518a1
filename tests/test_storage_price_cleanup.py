"""The folder of price files: a file goes only when no registered database needs it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders import IBM, SESSIONS, Record, at_night, bar_file
from tickercast.storage import writes
from tickercast.storage.price_cleanup import collect_old_files
from tickercast.storage.price_registry import register_database, registered_databases

TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def history(record: Record) -> Record:
    """Return a registered record whose ticker IBM had four price files before its current one."""
    register_database(record.prices, record.database)
    for bars in (1, 2, 3, 4):
        file = bar_file(record.prices, "IBM", bars)
        with record.writing() as connection:
            writes.record_price_file(connection, IBM, file, [], price_basis="as_traded", at=at_night(SESSIONS[-1]))
    return record


def named(record: Record) -> list[Path]:
    """Return the files that IBM had, oldest first."""
    return [record.prices / row[0] for row in record.rows("SELECT path FROM price_files WHERE ticker_id = 1 ORDER BY id")]


def test_files_that_no_row_keeps_are_collected_when_they_are_old(history: Record) -> None:
    assert collect_old_files(history.prices, history.database, datetime.now(UTC) - timedelta(days=1)) == 0
    assert collect_old_files(history.prices, history.database, TOMORROW) == 2
    assert [path.exists() for path in named(history)] == [False, False, True, True, True]


def test_a_file_that_another_home_needs_stays(history: Record, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = history.copy_to(tmp_path / "other")
    other.force("DELETE FROM price_files WHERE id > 2", "UPDATE price_files SET superseded_at = NULL WHERE id = 1")
    register_database(history.prices, other.database)
    assert collect_old_files(history.prices, history.database, TOMORROW) == 1
    assert [path.exists() for path in named(history)] == [True, False, True, True, True]


def test_files_of_a_stranger_stay(history: Record, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    register_database(history.prices, history.copy_to(tmp_path / "other").database)
    strange = history.prices / "IBM" / "0123456789abcdef.parquet"
    strange.write_bytes(b"")
    collect_old_files(history.prices, history.database, TOMORROW)
    assert strange.exists()


def test_a_file_that_a_killed_writer_left_goes_and_one_from_before_the_registration_stays(history: Record) -> None:
    left, earlier = (history.prices / "IBM" / f"{name}.parquet" for name in ("0" * 16, "1" * 16))
    left.write_bytes(b"")
    earlier.write_bytes(b"")
    os.utime(earlier, (1e9, 1e9))
    collect_old_files(history.prices, history.database, TOMORROW)
    assert (left.exists(), earlier.exists()) == (False, True)


def test_nothing_goes_while_a_registered_database_cannot_be_read(history: Record, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 100)
    register_database(history.prices, tmp_path / "broken.db")
    assert collect_old_files(history.prices, history.database, TOMORROW) == 0
    (tmp_path / "broken.db").unlink()
    assert collect_old_files(history.prices, history.database, TOMORROW) == 2


def test_a_database_is_registered_once_under_its_real_path(tmp_path: Path) -> None:
    odd = tmp_path / "a b\n#%.db"
    odd.write_bytes(b"")
    (tmp_path / "link.db").symlink_to(odd)
    for path in (odd, tmp_path / "link.db"):
        register_database(tmp_path / "prices", path)
    assert [entry.database for entry in registered_databases(tmp_path / "prices")] == [odd.resolve()]
