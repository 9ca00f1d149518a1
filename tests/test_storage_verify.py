"""Verify finds each kind of damage that it claims to find, and reports that and nothing else."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import pytest

from tests.builders import Record
from tickercast.storage import digests
from tickercast.storage.damage import damage_reported
from tickercast.storage.database import reading
from tickercast.storage.errors import Corrupt
from tickercast.storage.verify import (
    FORBIDDEN,
    all_problems,
    content_hash,
    find_deep_problems,
    find_problems,
    rows_to_check,
    rows_to_hash,
)

WARM = "origin_id = 2"  # of the forecasts from Thursday
CLOSE = "2024-03-07T21:00:00.000000Z"


def problems(record: Record) -> list[str]:
    with record.reading() as connection:
        return find_problems(connection, record.prices)


def deep_problems(record: Record) -> list[str]:
    with record.reading() as connection:
        return find_deep_problems(connection, record.prices)


def current_file(record: Record, symbol: str) -> Path:
    [(path,)] = record.rows(f"SELECT path FROM price_file WHERE ticker = '{symbol}'")
    return record.prices / path


def restate_file(record: Record, statement: str, *values: object) -> None:
    """Change what the database states of price files, and its digest with it."""
    record.force(statement, values=values)
    with record.writing() as connection:
        digests.recount(connection, "price_files")


def damage(file: Path, old: bytes, new: bytes) -> None:
    """Overwrite the only place in a file where some bytes occur."""
    content = file.read_bytes()
    assert (content.count(old), len(old)) == (1, len(new))
    file.write_bytes(content.replace(old, new))


def test_a_sound_record_has_no_problem(sound_record: Record) -> None:
    assert (problems(sound_record), deep_problems(sound_record)) == ([], [])


# Each forbidden state: its name, what plants it in a sound record, and what verify reports.
FAULTS = {
    "a target that is not after its origin": (
        f"UPDATE forecasts SET target = '2024-03-07' WHERE {WARM} AND horizon = 1",
        ["forecasts whose target is not after their origin: 1"],
    ),
    "a forecast made before its origin had closed": (
        "UPDATE origins SET made_at = '2024-03-07T20:59:59.999999Z', known_at = '2024-03-06T23:00:00.000000Z' WHERE id = 2",
        ["forecasts made before their origin had closed: 2"],
    ),
    "a forecast that used a bar recorded after it was made": (
        "UPDATE origins SET known_at = '2024-03-12T23:00:00.000001Z' WHERE id = 2",
        ["forecasts that used a bar recorded after they were made: 2"],
    ),
    "a forecast by a model of a later origin": (
        "UPDATE origins SET model_number = (SELECT number FROM models WHERE id = 'warm') WHERE id = 1",
        ["models trained on a later origin than the forecast they made: 2"],
    ),
    "a warm start from a model of the same origin": (
        "UPDATE models SET origin = '2024-03-06' WHERE id = 'warm'",
        ["warm starts from a later model: 1"],
    ),
    "an origin without one of its horizons": (
        f"DELETE FROM forecasts WHERE {WARM} AND horizon = 1",
        ["origins with a horizon missing: 1"],
    ),
    "a cold start without its checkpoint": (
        "DELETE FROM checkpoints WHERE model_id = 'cold'",
        ["chains whose cold start has no checkpoint: 1"],
    ),
    "a prior fitted on the session it serves from": (
        "UPDATE prior_members SET last_session = '2024-03-06'",
        ["priors fitted on bars of the session they serve from, or of a later one: 1"],
    ),
    "a whole checkpoint that is another model's": (
        "UPDATE checkpoints SET (sha256, content) = (SELECT sha256, content FROM checkpoints WHERE model_id = 'cold') "
        "WHERE model_id = 'warm'",
        ["checkpoints other than the one their model names: 1"],
    ),
    "a reference to a run that is not stored": (
        "UPDATE models SET run_id = 99 WHERE id = 'twin'",
        ["foreign_key_check: a row of models refers to a missing row of runs"],
    ),
    "a score of a forecast that is not stored": (
        "UPDATE scores SET horizon = 3",
        ["foreign_key_check: a row of scores refers to a missing row of forecasts"],
    ),
    "forecasts without a score that nobody would look for": (
        "DELETE FROM unscored",
        ["forecasts that are neither scored nor known to be unscored, or both: 3"],
    ),
    "an origin without its last horizon": (
        f"UPDATE configs SET settings = '{{\"horizons\": 2}}'; DELETE FROM forecasts WHERE {WARM} AND horizon = 2",
        ["origins with a horizon missing: 1"],
    ),
    "a run that started in the future": (
        "UPDATE runs SET started_at = '2999-01-01T00:00:00.000000Z'",
        ["rows recorded later than the present: 1"],
    ),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_verify_finds(record: Record, fault: str, expected: list[str]) -> None:
    record.force(*fault.split("; "))
    assert problems(record) == expected


def test_every_forbidden_state_is_planted_above() -> None:
    found = {line.rsplit(":", 1)[0] for _, expected in FAULTS.values() for line in expected}
    assert set(FORBIDDEN) <= found


def test_a_forecast_made_at_the_instant_of_the_close_is_allowed(record: Record) -> None:
    record.force(f"UPDATE origins SET made_at = '{CLOSE}', known_at = '{CLOSE}' WHERE id = 2")
    assert problems(record) == []


def test_a_warm_start_and_a_twin_need_no_checkpoint(record: Record) -> None:
    record.force("DELETE FROM checkpoints WHERE model_id IN ('warm', 'twin')")
    assert problems(record) == []


def test_a_damaged_index_page_is_found(record: Record) -> None:
    [(page,)] = record.rows("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_tickers_1'")
    [(size,)] = record.rows("PRAGMA page_size")
    content = bytearray(record.database.read_bytes())
    index = content[(page - 1) * size : page * size]
    assert index.count(b"IBM") == 1
    content[(page - 1) * size : page * size] = index.replace(b"IBM", b"IBN")
    record.database.write_bytes(content)
    current_file(record, "MSFT").unlink()
    found = ["integrity_check: row 1 missing from index sqlite_autoindex_tickers_1"]
    with record.reading() as connection:  # values of a damaged table may have any form: no other check reads them
        assert (problems(record), all_problems(connection, record.prices)) == (found, found)


def test_a_page_of_noise_is_refused_as_no_sound_database(record: Record) -> None:
    [(page,)] = record.rows("SELECT rootpage FROM sqlite_master WHERE name = 'forecasts'")
    [(size,)] = record.rows("PRAGMA page_size")
    content = bytearray(record.database.read_bytes())
    content[(page - 1) * size : page * size] = hashlib.shake_256(b"noise").digest(size)
    record.database.write_bytes(content)
    with pytest.raises(Corrupt, match="malformed"), reading(record.database) as connection:
        find_problems(connection, record.prices)


def test_a_byte_of_a_checkpoint_flipped_on_disk_is_found(record: Record) -> None:
    damage(record.database, b"params of warm", b"params of warn")
    assert problems(record) == ["checkpoint of model warm: its bytes are not what was written (sha256 differs)"]


def test_a_damaged_price_file_is_found(record: Record) -> None:
    file = current_file(record, "IBM")
    damage(file, b"America/New_York", b"America/New_Yorx")
    expected = [f"{file}: its bytes are not what was written (sha256 differs)"]
    assert (problems(record), deep_problems(record)) == (expected, expected)


def test_a_missing_price_file_is_found(record: Record) -> None:
    file = current_file(record, "MSFT")
    file.unlink()
    expected = [f"{file}: No such file or directory; the database names this file"]
    assert (problems(record), deep_problems(record)) == (expected, expected)


def test_a_superseded_price_file_may_be_missing(record: Record) -> None:
    record.force("UPDATE price_files SET superseded_at = '2024-03-12T23:00:00.000000Z' WHERE ticker_id = 2")
    next((record.prices / "MSFT").iterdir()).unlink()
    assert (problems(record), deep_problems(record)) == ([], [])


@pytest.mark.parametrize(
    ("column", "value", "stated"),
    [
        ("rows", 6, "6 rows 2024-03-04..2024-03-08"),
        ("first_session", "2024-03-05", "5 rows 2024-03-05..2024-03-08"),
        ("last_session", "2024-03-07", "5 rows 2024-03-04..2024-03-07"),
    ],
)
def test_only_deep_finds_a_price_file_with_other_bars_than_stated(
    record: Record, column: str, value: object, stated: str
) -> None:
    restate_file(record, f"UPDATE price_files SET {column} = ? WHERE ticker_id = 1", value)
    found = f"{current_file(record, 'IBM')}: 5 rows 2024-03-04..2024-03-08, the database states {stated}"
    assert (problems(record), deep_problems(record)) == ([], [found])


def test_only_deep_finds_a_price_file_that_is_no_parquet(record: Record) -> None:
    file = current_file(record, "IBM")
    file.write_bytes(b"no Parquet")
    sha256 = hashlib.sha256(b"no Parquet").hexdigest()
    restate_file(record, "UPDATE price_files SET sha256 = ? WHERE ticker_id = 1", sha256)
    [found] = deep_problems(record)
    assert (problems(record), found.startswith(f"{file}: ")) == ([], True)


def test_a_file_that_cannot_be_read_does_not_hide_the_problems_of_the_next(record: Record) -> None:
    ibm, msft = current_file(record, "IBM"), current_file(record, "MSFT")
    ibm.unlink()
    restate_file(record, "UPDATE price_files SET rows = 6 WHERE ticker_id = 2")
    assert [line.split(": ")[0] for line in deep_problems(record)] == [str(ibm), str(msft)]


def test_all_problems_are_reported_together(record: Record) -> None:
    record.force("DELETE FROM checkpoints WHERE model_id = 'cold'", "UPDATE models SET run_id = 99 WHERE id = 'twin'")
    current_file(record, "MSFT").unlink()
    assert [line.split(":")[0].split(" ")[0] for line in problems(record)] == [
        "foreign_key_check",
        "chains",
        str(current_file(record, "MSFT")),
    ]


@pytest.mark.parametrize("error", [LookupError("no such ticker"), struct.error("required argument is not a float")])
def test_an_unexpected_error_on_a_damaged_record_is_damage_and_on_a_sound_one_itself(record: Record, error: Exception) -> None:
    with pytest.raises(type(error)), damage_reported(record.database, record.prices):
        raise error
    record.force("UPDATE tickers SET id = 9 WHERE id = 1")
    with pytest.raises(Corrupt, match="refers to a missing row of tickers"), damage_reported(record.database, record.prices):
        raise error


def test_what_is_told_of_checked_rows_adds_up_to_what_was_announced(record: Record) -> None:
    told: list[int] = []
    with record.reading() as connection:
        assert all_problems(connection, record.prices, told.append) == []
        assert sum(told) == rows_to_check(connection) > 0
        told.clear()
        content_hash(connection, told.append)
        checkpoints = record.rows("SELECT count(*) FROM checkpoints")[0][0]
        assert sum(told) - checkpoints == rows_to_hash(connection) > 0


def test_a_database_without_digests_is_checked_without_an_announced_number_of_rows(record: Record) -> None:
    record.force("DROP TABLE digests")
    with record.reading() as connection:
        assert rows_to_check(connection) == 0
