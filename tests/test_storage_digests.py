"""Digests: each column of a digested table counts, order does not, and flipped bits of a database do not pass verify."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.dialects import sqlite

from tests.builders import COLD_ORIGIN, CONFIG, WARM_ORIGIN, Record, at_night, empty_record, score_row
from tests.forecast_builders import SMALL_SETTINGS, TICKERS, ten_sessions
from tickercast.jobs.runs.backfill import BackfillRequest, backfill_span
from tickercast.jobs.workspace.home import create_home
from tickercast.storage import digests, writes
from tickercast.storage.database import open_writer, reading, seal_database, upgrade_database
from tickercast.storage.errors import StorageError
from tickercast.storage.schema import Base, Loss, Score
from tickercast.storage.verify import content_hash, find_deep_problems, find_problems
from tickercast.storage.versions import database_id

FLIPS = 60
SCORES = "SELECT * FROM scores ORDER BY origin_id, horizon, revision"
COLUMNS = [
    (table, column.name) for table, free in digests.DIGESTED.items() for column in Base.metadata.tables[table].columns
    if column.name not in free
]  # fmt: skip
LOSS = {"model_number": 2, "train_loss": 1.0, "validation_loss": None, "gradient_norm": 0.5, "learning_rate": 0.01}


def hash_of(record: Record) -> str:
    with record.reading() as connection:
        return content_hash(connection)


def changed(record: Record) -> list[str]:
    with record.reading() as connection:
        return list(digests.changed_tables(connection))


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=lambda part: part)
def test_another_value_in_any_column_is_found(record: Record, table: str, column: str) -> None:
    kind = Base.metadata.tables[table].columns[column].type.compile(sqlite.dialect())
    other = {"TEXT": "coalesce(%s, '') || 'x'", "BLOB": "zeroblob(1 + length(%s))"}.get(kind, "coalesce(%s, 0) + 77")
    record.force(f"UPDATE OR IGNORE {table} SET {column} = {other % column}")
    assert any(line.startswith(table) for line in changed(record))


def test_a_row_whose_number_is_damaged_to_something_else_has_another_digest() -> None:
    form = digests.form_of("losses")
    sound = [1.0 if at in form.numbers else 1 for at in range(len(form.columns))]
    damaged: list[object] = [b"text" if at == form.numbers[0] else value for at, value in enumerate(sound)]
    assert form.sums([damaged]) != form.sums([sound])


def test_a_removed_row_and_a_row_from_elsewhere_are_found(record: Record) -> None:
    record.force("DELETE FROM losses WHERE epoch = 1")
    assert changed(record) == ["losses: 1 rows, not the 2 that were stored, or other values (digest)"]


def test_a_changed_view_is_found(record: Record) -> None:
    record.force("DROP VIEW skill", "CREATE VIEW skill AS SELECT 1 AS ticker")
    assert [line.split(":")[0] for line in changed(record)] == ["sqlite_master"]


def test_a_database_of_an_earlier_version_gets_its_id_by_the_first_writer_and_keeps_it_and_its_content(record: Record) -> None:
    record.force("PRAGMA user_version = 0")
    before = hash_of(record)
    assert database_id(record.database) == ""
    seal_database(record.database)
    given = database_id(record.database)
    seal_database(record.database)
    assert (len(given), database_id(record.database)) == (8, given)
    assert (hash_of(record), changed(record)) == (before, [])


def test_a_change_of_the_schema_alone_keeps_the_digests_of_the_rows(record: Record) -> None:
    record.force("DELETE FROM losses WHERE epoch = 1", "DELETE FROM digests WHERE table_name = 'sqlite_master'")
    seal_database(record.database)
    assert changed(record) == ["losses: 1 rows, not the 2 that were stored, or other values (digest)"]


def test_a_table_without_digests_is_counted_and_no_other_one(record: Record) -> None:
    record.force("UPDATE losses SET epoch = 7 WHERE epoch = 1", "DELETE FROM digests WHERE table_name = 'tickers'")
    seal_database(record.database)
    assert [line.split(":")[0] for line in changed(record)] == ["losses"]
    record.force("UPDATE tickers SET currency = 'EUR' WHERE id = 1")
    assert [line.split(":")[0] for line in changed(record)] == ["tickers", "losses"]


@pytest.mark.parametrize("change", [
    lambda connection: writes.rename_ticker(connection, 1, "IBMX", on=date(2024, 3, 9)),
    lambda connection: writes.update_ticker(connection, 1, currency="EUR"),
    lambda connection: writes.replace_skill(connection, CONFIG, [], computed_at=at_night(date(2024, 3, 8))),
], ids=["rename", "update", "skill"])  # fmt: skip
def test_what_the_program_changes_by_itself_is_no_damage(record: Record, change: Callable[[Connection], None]) -> None:
    with record.writing() as connection:
        change(connection)
    assert changed(record) == []


def test_the_order_of_inserts_does_not_change_a_digest(tmp_path: Path) -> None:
    rows = [LOSS | {"epoch": epoch} for epoch in range(4)]
    sums = []
    for name, parts in (("a", [rows]), ("b", [rows[2:], rows[:1], rows[1:2]])):
        (tmp_path / name).mkdir()
        record = empty_record(tmp_path / name)
        with record.writing() as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for part in parts:
                writes.insert_mappings(connection, Loss, part)
            sums.append(digests.sums_of(connection, "losses"))
            assert list(digests.changed_tables(connection)) == []
            connection.rollback()
    assert sums[0] == sums[1]


def test_a_row_that_was_stored_already_is_not_counted_twice(record: Record) -> None:
    rows = [score_row(COLD_ORIGIN, 1), score_row(WARM_ORIGIN, 1), score_row(WARM_ORIGIN, 1, crps=9.0)]
    with record.writing() as connection:
        assert writes.insert_mappings(connection, Score, rows) == 1
    assert changed(record) == []


def test_a_database_whose_digests_were_never_computed_is_completed(record: Record) -> None:
    record.force("DELETE FROM digests")
    assert changed(record) != []
    upgrade_database(record.database)
    assert changed(record) == []


@pytest.mark.slow
def test_no_flipped_bit_that_changes_the_record_passes_verify(tmp_path: Path) -> None:
    (tmp_path / "tickercast.toml").write_text(SMALL_SETTINGS)
    home, days = create_home(tmp_path), ten_sessions()
    upgrade_database(home.database)
    engine = open_writer(home.database)
    backfill_span(home, engine, BackfillRequest(TICKERS, days[0], days[-1], source="sample", workers=1))
    engine.dispose()
    sound = home.database.read_bytes()
    with reading(home.database) as connection:
        before = content_hash(connection), connection.exec_driver_sql(SCORES).fetchall()
    dice, passed = random.Random(20261125), []
    damaged = tmp_path / "damaged.db"
    for _ in range(FLIPS):
        place = dice.randrange(8 * len(sound))
        content = bytearray(sound)
        content[place // 8] ^= 1 << place % 8
        damaged.write_bytes(content)
        if _passes(damaged, home.prices):
            with reading(damaged) as connection:
                if (content_hash(connection), connection.exec_driver_sql(SCORES).fetchall()) != before:
                    passed.append(place)
    assert passed == []


def _passes(database: Path, prices: Path) -> bool:
    """Return whether verify --deep finds nothing. Damage that keeps a database from being read is found too."""
    try:
        with reading(database) as connection:
            return not find_problems(connection, prices) and not find_deep_problems(connection, prices)
    except StorageError:
        return False
