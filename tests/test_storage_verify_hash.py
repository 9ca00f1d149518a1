"""The content hash changes with every column that it covers, and with nothing else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from storage.schema import Base
from storage.verify import HASHED, content_hash
from tests.builders import IBM, MSFT, Record, empty_record

# Tables whose content is hashed, with the columns that two equal records may differ in.
COVERED = {
    "configs": {"active", "created_at"},
    "models": {"seconds", "run_id"},
    "checkpoints": {"content"},  # its sha256 is hashed; verify compares the two
    "prior_members": set(),
    "losses": set(),
    "forecasts": {"mode", "made_at", "known_at", "context", "run_id"},
    "baseline_forecasts": set(),
    "recalibrations": set(),
    "scores": set(),
}
COLUMNS = [(table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns]
HASHED_COLUMNS = [(table, column) for table, column in COLUMNS if table in COVERED and column not in COVERED[table]]
# A ticker's key stands for it in each of these tables.
EXCLUDED_COLUMNS = [
    pair for pair in COLUMNS if pair not in HASHED_COLUMNS and pair not in (("tickers", "id"), ("tickers", "key"))
]
# Greater than every stored value: a changed last row stays the last, so only the value changes, not the order of rows.
GREATER = {"INTEGER": 77, "REAL": 99.5, "TEXT": "zzz", "BLOB": b"zzz"}


def hash_of(record: Record) -> str:
    with record.reading() as connection:
        return content_hash(connection)


def change_one(record: Record, table: str, column: str) -> None:
    """Change the value of one column in the last row of a table."""
    columns = Base.metadata.tables[table].columns
    names = [key.name for key in columns if key.primary_key]
    keys, descending = ", ".join(names), ", ".join(f"{name} DESC" for name in names)
    [(*key, old)] = record.rows(f"SELECT {keys}, {column} FROM {table} ORDER BY {descending} LIMIT 1")
    value = other_value(table, columns[column], old)
    assert old != value
    record.force(f"UPDATE {table} SET {column} = ? WHERE ({keys}) = ({', '.join('?' * len(key))})", values=(value, *key))


def other_value(table: str, column: sa.Column[Any], old: Any) -> Any:
    """Return a value for a column that its table does not hold; for a ticker in a covered table, the other ticker."""
    if column.name == "ticker_id" and table in COVERED:
        return IBM + MSFT - old
    return GREATER[column.type.compile(sqlite.dialect())]


@pytest.mark.parametrize(("table", "column"), HASHED_COLUMNS)
def test_another_value_changes_the_hash(sound_record: Record, record: Record, table: str, column: str) -> None:
    change_one(record, table, column)
    assert hash_of(record) != hash_of(sound_record)


@pytest.mark.parametrize(("table", "column"), EXCLUDED_COLUMNS)
def test_another_value_of_an_excluded_column_keeps_the_hash(
    sound_record: Record, record: Record, table: str, column: str
) -> None:
    change_one(record, table, column)
    assert hash_of(record) == hash_of(sound_record)


@pytest.mark.parametrize("table", COVERED)
def test_a_missing_row_changes_the_hash(sound_record: Record, record: Record, table: str) -> None:
    record.force(f"DELETE FROM {table}")
    assert hash_of(record) != hash_of(sound_record)


def test_the_covered_tables_are_those_that_the_hash_reads() -> None:
    assert [re.search(r"FROM (\w+)", query)[1] for query in HASHED] == list(COVERED)  # type: ignore[index]


def test_another_key_of_a_ticker_changes_the_hash(sound_record: Record, record: Record) -> None:
    record.force(f"UPDATE tickers SET key = 'IBM#2' WHERE id = {IBM}")
    assert hash_of(record) != hash_of(sound_record)


def test_the_number_of_a_ticker_does_not_change_the_hash(sound_record: Record, record: Record) -> None:
    tables = ["models", "forecasts", "baseline_forecasts", "recalibrations", "scores"]
    record.force(f"UPDATE tickers SET id = 9 WHERE id = {IBM}")
    record.force(*(f"UPDATE {table} SET ticker_id = 9 WHERE ticker_id = {IBM}" for table in tables))
    assert hash_of(record) == hash_of(sound_record)


def test_a_config_without_forecasts_does_not_change_the_hash(sound_record: Record, record: Record) -> None:
    record.force("INSERT INTO configs SELECT 'unused', preset, field, settings, 0, created_at FROM configs")
    assert hash_of(record) == hash_of(sound_record)


def test_text_that_moves_from_a_column_to_the_next_changes_the_hash(record: Record) -> None:
    # "t" marks a text, so that without the lengths both would be hashed as "txtytz".
    record.force("UPDATE configs SET (preset, field) = ('x', 'ytz')")
    before = hash_of(record)
    record.force("UPDATE configs SET (preset, field) = ('xty', 'z')")
    assert hash_of(record) != before


def test_null_and_empty_text_have_different_hashes(record: Record) -> None:
    record.force("UPDATE models SET prior_id = NULL WHERE id = 'warm'")
    null = hash_of(record)
    record.force("UPDATE models SET prior_id = '' WHERE id = 'warm'")
    assert hash_of(record) != null


def test_a_float_that_differs_in_its_last_bit_changes_the_hash(sound_record: Record, record: Record) -> None:
    record.force("UPDATE forecasts SET scale = ?", values=(0.010000000000000002,))
    assert hash_of(record) != hash_of(sound_record)


def test_the_hash_of_an_empty_record_is_of_one_separator_for_each_of_nine_tables(tmp_path: Path) -> None:
    assert hash_of(empty_record(tmp_path)) == hashlib.sha256(b"\f" * 9).hexdigest()


def test_each_value_of_a_row_is_hashed_as_its_kind_its_length_and_its_bytes(tmp_path: Path) -> None:
    record = empty_record(tmp_path)
    record.force("INSERT INTO losses VALUES ('ab', 3, 1.5, NULL, 0.5, 0.25)")
    row = (
        b"t\x02\0\0\0\0\0\0\0ab"
        b"t\x01\0\0\0\0\0\0\0003"
        b"f\0\0\0\0\0\0\xf8\x3f"
        b"n\0\0\0\0\0\0\0\0"
        b"f\0\0\0\0\0\0\xe0\x3f"
        b"f\0\0\0\0\0\0\xd0\x3f\n"
    )
    assert hash_of(record) == hashlib.sha256(b"\f" * 4 + row + b"\f" * 5).hexdigest()  # losses are the fifth table
