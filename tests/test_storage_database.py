"""The database: its schema, its upgrades, its one writer and its readers."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import Engine

from tests.builders import Record
from tickercast.storage import newest_schema
from tickercast.storage.database import alembic_config, migrate, open_reader, open_writer, upgrade_database
from tickercast.storage.errors import Corrupt, DatabaseMissing, NotADatabase, SchemaNewer, SchemaOlder, StorageError
from tickercast.storage.instants import instant_from_text, instant_text
from tickercast.storage.newest_schema import create_newest
from tickercast.storage.schema import TRIGGERS, Base, CompanyEvent, Forecast, Score
from tickercast.storage.versions import check_revision, known_revisions
from tickercast.storage.views import VIEWS, View


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    upgrade_database(tmp_path / "a.db")
    engine = open_writer(tmp_path / "a.db")
    yield engine
    engine.dispose()


def content_of(path: Path) -> tuple[set[tuple[str, ...]], list[tuple[str]]]:
    """Return what a database consists of, in no order, and its revision."""
    with closing(sqlite3.connect(path)) as connection:
        parts = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        return set(parts), connection.execute("SELECT * FROM alembic_version").fetchall()


def test_a_new_database_is_the_one_that_the_migrations_make(tmp_path: Path) -> None:
    migrate(tmp_path / "migrated.db")
    assert create_newest(tmp_path / "created.db", known_revisions()[0])
    assert content_of(tmp_path / "created.db") == content_of(tmp_path / "migrated.db")


def test_a_script_of_another_revision_is_not_used(tmp_path: Path) -> None:
    assert not create_newest(tmp_path / "a.db", "0001")
    assert not (tmp_path / "a.db").exists()


def test_without_a_script_of_the_newest_revision_the_migrations_make_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "old.sql").write_text("-- schema 0001\nCREATE TABLE old (a);\n")
    monkeypatch.setattr(newest_schema, "SCRIPT", tmp_path / "old.sql")
    upgrade_database(tmp_path / "a.db")
    check_revision(tmp_path / "a.db")


def test_the_migrations_build_what_the_models_say(tmp_path: Path) -> None:
    migrate(tmp_path / "a.db")
    command.check(alembic_config(tmp_path / "a.db"))


@pytest.mark.parametrize("version", ["0001", "0002", "0003", "0004", "0005", "0006", "0007"])
def test_a_database_of_any_version_gets_the_views_and_triggers_of_the_code(tmp_path: Path, version: str) -> None:
    command.upgrade(alembic_config(tmp_path / "a.db"), version)
    upgrade_database(tmp_path / "a.db")
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        stored = connection.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('view', 'trigger')").fetchall()
    expected = {view.name: view.create_statement for view in VIEWS} | TRIGGERS
    # Line breaks may differ; the words may not.
    assert {name: text.split() for name, text in stored} == {name: text.split() for name, text in expected.items()}


def test_an_upgrade_works_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    upgrade_database(tmp_path / "deep" / "a.db")
    check_revision(tmp_path / "deep" / "a.db")


def test_upgrading_a_populated_database_again_keeps_every_row(record: Record) -> None:
    before = {table: record.rows(f"SELECT * FROM {table}") for table in Base.metadata.tables}
    upgrade_database(record.database)
    assert {table: record.rows(f"SELECT * FROM {table}") for table in Base.metadata.tables} == before


def test_all_tables_are_strict_and_keyed(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' "
            "AND name NOT LIKE 'sqlite_%' AND name <> 'alembic_version'"
        ).fetchall()
    assert {name for name, _ in rows} == set(Base.metadata.tables)
    assert {strict for _, strict in rows} == {1}


def test_the_writer_is_durable_and_checks_references(engine: Engine) -> None:
    with engine.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert settings == ["wal", 2, 1]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_has_its_columns_and_rows(sound_record: Record, view: View) -> None:
    with closing(sqlite3.connect(sound_record.database)) as connection:
        cursor = connection.execute(f"SELECT * FROM {view.name}")
        assert tuple(column[0] for column in cursor.description) == view.names
        assert cursor.fetchall() != []


@pytest.mark.parametrize("table", [Forecast, Score])
@pytest.mark.parametrize("statement", [sa.delete, lambda table: sa.update(table).values(horizon=9)])
def test_forecasts_and_scores_are_never_changed(record: Record, table: Any, statement: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), record.writing() as connection:
        connection.execute(statement(table))


@pytest.mark.parametrize("statement", [sa.delete, lambda table: sa.update(table).values(source="file")])
def test_events_of_a_ticker_with_forecasts_are_never_changed(record: Record, statement: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="refused"), record.writing() as connection:
        connection.execute(statement(CompanyEvent))


def test_a_replaced_event_stays_as_it_is(record: Record) -> None:
    with record.writing() as connection:
        connection.exec_driver_sql(
            "INSERT OR REPLACE INTO company_events SELECT ticker_id, kind, date, recorded_at, 'file' FROM company_events"
        )
    assert record.rows("SELECT source FROM company_events") == [("yahoo",)]


def test_a_reader_cannot_write(sound_record: Record) -> None:
    with sound_record.reading() as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.exec_driver_sql("DELETE FROM events")


def test_a_missing_database_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        check_revision(tmp_path / "none.db")
    with pytest.raises(DatabaseMissing):
        open_reader(tmp_path / "none.db")


def test_a_file_of_noise_is_a_damaged_database(tmp_path: Path) -> None:
    (tmp_path / "junk.db").write_bytes(hashlib.shake_256(b"noise").digest(4096))
    with pytest.raises(Corrupt, match="not a database"):
        check_revision(tmp_path / "junk.db")


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE notes (text)")
    with pytest.raises(NotADatabase, match="no Tickercast database"):
        check_revision(tmp_path / "other.db")


@pytest.mark.parametrize(
    ("version", "kind", "text"),
    [
        ("9999", SchemaNewer, "9999 is newer"),
        ("0001", SchemaOlder, "0001 is older"),
        ("0003", SchemaOlder, "db upgrade"),
        ("0000", NotADatabase, "no version of tickercast has had its schema '0000'"),
        ("", NotADatabase, "schema ''"),
    ],
)
def test_a_database_of_another_version_is_refused(record: Record, version: str, kind: type[StorageError], text: str) -> None:
    record.force("UPDATE alembic_version SET version_num = ?", values=(version,))
    with pytest.raises(kind, match=text):
        check_revision(record.database)


def test_a_newer_database_is_not_upgraded(record: Record) -> None:
    record.force("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaNewer):
        upgrade_database(record.database)
    assert list(record.database.parent.glob("*.backup")) == []


def test_instants_are_text_of_one_width_that_sorts() -> None:
    early, late = datetime(2024, 3, 8, 21, tzinfo=UTC), datetime(2024, 3, 8, 21, 0, 0, 1, tzinfo=UTC)
    assert (instant_text(early), instant_text(early) < instant_text(late)) == ("2024-03-08T21:00:00.000000Z", True)
    assert instant_from_text(instant_text(late)) == late
    with pytest.raises(ValueError, match="time zone"):
        instant_text(datetime(2024, 3, 8))


def test_a_populated_first_version_is_upgraded_with_every_row(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    command.upgrade(alembic_config(path), "0001")
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO tickers (id, symbol, first_symbol, exchange, currency, time_zone, source, tracked, status, added_at) "
        "VALUES (1, 'IBM', 'IBM', 'XNYS', 'USD', 'America/New_York', 'yahoo', 1, 'active', '2024-03-08T21:00:00.000000Z')"
    )
    connection.commit()
    connection.close()
    with pytest.raises(SchemaOlder):
        check_revision(path)
    upgrade_database(path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT symbol, failures, probe_at FROM tickers").fetchall() == [("IBM", 0, None)]
    assert connection.execute("SELECT ticker, held_bars FROM freshness").fetchall() == [("IBM", 0)]
    connection.close()
    assert len(list(tmp_path.glob("old.db.0001.*.backup"))) == 1
