"""The content hash changes with every column that it covers, and with nothing else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from tests.builders import IBM, MSFT, Record, empty_record
from tickercast.storage.schema import Base
from tickercast.storage.verify import HASHED, content_hash

# Tables whose content is hashed, with the columns that two equal records may differ in.
COVERED = {
    "configs": {"active", "created_at"},
    "models": {"number", "seconds", "run_id"},
    "feature_sets": {"id"},
    "checkpoints": {"content"},  # its sha256 is hashed; verify compares the two
    "prior_members": set(),
    "losses": set(),
    "origins": {"id", "mode", "made_at", "known_at", "context", "run_id"},
    "forecasts": set(),
    "baseline_forecasts": set(),
    "recalibrations": set(),
    "scores": set(),
}
COLUMNS = [(table.name, column.name) for table in Base.metadata.sorted_tables for column in table.columns]
HASHED_COLUMNS = [(table, column) for table, column in COLUMNS if table in COVERED and column not in COVERED[table]]
# What rows of other tables refer to: a ticker's key, a model's id and an origin's key stand for them in the hash.
REFERRED_TO = {("tickers", "id"), ("tickers", "key"), ("models", "number"), ("feature_sets", "id"), ("origins", "id")}
EXCLUDED_COLUMNS = [pair for pair in COLUMNS if pair not in HASHED_COLUMNS and pair not in REFERRED_TO]
JOINED = ("feature_sets", "origins")  # read together with the tables whose rows refer to them
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
    """Return a value for a column that its table does not hold; in a covered table, another ticker or the first model."""
    if column.name == "ticker_id" and table in COVERED:
        return IBM + MSFT - old
    if column.name.endswith("_number"):
        return 1
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
    read = [re.search(r"FROM (\w+)", query)[1] for query in HASHED]  # type: ignore[index]
    assert read == [table for table in COVERED if table not in JOINED]
    assert all(any(f"JOIN {table} " in query for query in HASHED) for table in JOINED)


def test_another_key_of_a_ticker_changes_the_hash(sound_record: Record, record: Record) -> None:
    record.force(f"UPDATE tickers SET key = 'IBM#2' WHERE id = {IBM}")
    assert hash_of(record) != hash_of(sound_record)


def test_the_number_of_a_ticker_does_not_change_the_hash(sound_record: Record, record: Record) -> None:
    record.force(f"UPDATE tickers SET id = 9 WHERE id = {IBM}")
    record.force(*(f"UPDATE {table} SET ticker_id = 9 WHERE ticker_id = {IBM}" for table in ("models", "origins")))
    assert hash_of(record) == hash_of(sound_record)


def test_the_numbers_of_models_origins_and_feature_sets_do_not_change_the_hash(sound_record: Record, record: Record) -> None:
    references = ("number", "parent_number", "prior_number", "cold_ancestor_number")
    record.force(f"UPDATE models SET {', '.join(f'{name} = 90 - {name}' for name in references)}, feature_set_id = 90")
    record.force("UPDATE feature_sets SET id = 90", "UPDATE losses SET model_number = 90 - model_number")
    record.force("UPDATE origins SET id = 90 - id, model_number = 90 - model_number")
    tables = ("forecasts", "baseline_forecasts", "recalibrations", "scores")
    record.force(*(f"UPDATE {table} SET origin_id = 90 - origin_id" for table in tables))
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
    record.force("UPDATE models SET ticker_id = NULL WHERE id = 'warm'")
    null = hash_of(record)
    record.force("UPDATE models SET ticker_id = 9 WHERE id = 'warm'", "UPDATE tickers SET id = 9, key = '' WHERE id = 2")
    assert hash_of(record) != null


def test_a_float_that_differs_in_its_last_bit_changes_the_hash(sound_record: Record, record: Record) -> None:
    record.force("UPDATE forecasts SET scale = ?", values=(0.010000000000000002,))
    assert hash_of(record) != hash_of(sound_record)


def test_the_hash_of_an_empty_record_is_of_one_separator_for_each_of_nine_tables(tmp_path: Path) -> None:
    assert hash_of(empty_record(tmp_path)) == hashlib.sha256(b"\f" * 9).hexdigest()


def test_each_value_of_a_row_is_hashed_as_its_kind_its_length_and_its_bytes(tmp_path: Path) -> None:
    record = empty_record(tmp_path)
    record.force("INSERT INTO models VALUES (1, 'ab', 9, 'c', 'd', 'r', 's', 'y', 0, 0, 7, 0, 1, 2, 3, X'1a', 9, 0.5, X'2b', 1)")
    record.force("INSERT INTO losses VALUES (1, 3, 1.5, NULL, 0.5, 0.25)")
    texts = [b"ab", None, b"c", b"d", b"r", b"s", b"y", None, None, b"7", None, b"1", b"2", b"3", b"1a", None, b"2b"]
    model = b"".join(
        b"n\0\0\0\0\0\0\0\0" if text is None else b"t" + bytes([len(text)]) + b"\0\0\0\0\0\0\0" + text for text in texts
    )
    loss = (
        b"t\x02\0\0\0\0\0\0\0ab"
        b"t\x01\0\0\0\0\0\0\0003"
        b"f\0\0\0\0\0\0\xf8\x3f"
        b"n\0\0\0\0\0\0\0\0"
        b"f\0\0\0\0\0\0\xe0\x3f"
        b"f\0\0\0\0\0\0\xd0\x3f\n"
    )
    # Models are the second table and losses the fifth.
    assert hash_of(record) == hashlib.sha256(b"\f" + model + b"\n" + b"\f" * 3 + loss + b"\f" * 5).hexdigest()
