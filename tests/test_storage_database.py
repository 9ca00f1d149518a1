"""The database: its schema, its upgrades, its one writer and its readers."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from jobs.runs.backfill import BackfillRequest, backfill_span
from jobs.workspace.home import Home
from storage import writes
from storage.database import alembic_config, check_revision, open_reader, open_writer, upgrade_database
from storage.errors import DatabaseMissing, NotADatabase, SchemaNewer, SchemaOlder
from storage.schema import TRIGGERS, Base, Forecast, Score
from storage.types import instant_from_text, instant_text
from storage.views import VIEWS

FIRST_VERSION = import_module("migrations.versions.0001_first_schema")
SECOND_VERSION = import_module("migrations.versions.0002_gate_verdicts")
FOURTH_VERSION = import_module("migrations.versions.0004_warm_starts_and_calibration")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    upgrade_database(tmp_path / "a.db")
    engine = open_writer(tmp_path / "a.db")
    yield engine
    engine.dispose()


@pytest.fixture
def filled(make_home: Callable[[str, str], Home]) -> Home:
    """Return a home with a few forecasts and scores."""
    home = make_home("filled", "[training]\ncold_epochs = 1\n[model]\nhistory_sessions = 140\n")
    engine = open_writer(home.database)
    start, end = datetime(2013, 1, 2).date(), datetime(2013, 1, 10).date()
    backfill_span(home, engine, BackfillRequest(("IBM",), start, end, source="sample", workers=1))
    engine.dispose()
    return home


def test_the_migrations_build_what_the_models_say(tmp_path: Path) -> None:
    upgrade_database(tmp_path / "a.db")
    command.check(alembic_config(tmp_path / "a.db"))


def test_the_migrations_carry_the_views_and_triggers_word_for_word() -> None:
    first = {statement.split()[2]: statement for statement in FIRST_VERSION.VIEWS}
    made = first | SECOND_VERSION.VIEWS | FOURTH_VERSION.VIEWS
    assert {view.name: view.create_statement.split() for view in VIEWS} == {k: text.split() for k, text in made.items()}
    assert list(TRIGGERS.values()) == list(FIRST_VERSION.TRIGGERS)


def test_an_upgrade_works_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    upgrade_database(tmp_path / "deep" / "a.db")
    check_revision(tmp_path / "deep" / "a.db")


def test_upgrading_a_populated_database_again_keeps_every_row(filled: Home) -> None:
    connection = sqlite3.connect(filled.database)
    before = connection.execute("SELECT count(*), sum(q50) FROM forecasts").fetchone()
    upgrade_database(filled.database)
    assert connection.execute("SELECT count(*), sum(q50) FROM forecasts").fetchone() == before
    connection.close()


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


def test_the_same_models_compile_for_postgresql() -> None:
    statements = [str(CreateTable(t).compile(dialect=postgresql.dialect())) for t in Base.metadata.sorted_tables]
    assert any("TIMESTAMP WITH TIME ZONE" in text and "DOUBLE PRECISION" in text for text in statements)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_answers_with_its_columns(filled: Home, view: Any) -> None:
    connection = sqlite3.connect(filled.database)
    cursor = connection.execute(f"SELECT * FROM {view.name}")
    assert tuple(column[0] for column in cursor.description) == view.names
    connection.close()


@pytest.mark.parametrize("table", [Forecast, Score])
@pytest.mark.parametrize("statement", [sa.delete, lambda table: sa.update(table).values(horizon=9)])
def test_forecasts_and_scores_are_never_changed(filled: Home, table: Any, statement: Any) -> None:
    writer = open_writer(filled.database)
    with pytest.raises(sa.exc.IntegrityError, match="never changed"), writer.begin() as connection:
        connection.execute(statement(table))
    writer.dispose()


def test_inserting_rows_again_adds_none(filled: Home) -> None:
    writer = open_writer(filled.database)
    with writer.begin() as connection:
        rows = [dict(row) for row in connection.execute(sa.select(Forecast.__table__)).mappings()]
        assert (len(rows) > 0, writes.insert_mappings(connection, Forecast, rows)) == (True, 0)
    writer.dispose()


def test_a_number_that_is_not_finite_is_refused(filled: Home) -> None:
    writer = open_writer(filled.database)
    with writer.begin() as connection:
        row = dict(connection.execute(sa.select(Forecast.__table__)).mappings().first() or {})
        with pytest.raises(ValueError, match="scale is nan"):
            writes.insert_mappings(connection, Forecast, [{**row, "scale": float("nan")}])
    writer.dispose()


def test_a_reader_cannot_write(filled: Home) -> None:
    reader = open_reader(filled.database)
    with reader.connect() as connection, pytest.raises(sa.exc.OperationalError, match="readonly"):
        connection.exec_driver_sql("DELETE FROM events")
    reader.dispose()


def test_other_files_and_other_versions_are_told_apart(tmp_path: Path, filled: Home) -> None:
    junk = tmp_path / "junk.db"
    with pytest.raises(DatabaseMissing):
        check_revision(junk)
    junk.write_bytes(os.urandom(4096))
    with pytest.raises(NotADatabase):
        check_revision(junk)
    for version, kind in (("9999", SchemaNewer), ("0000", SchemaNewer)):
        connection = sqlite3.connect(filled.database)
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        connection.commit()
        connection.close()
        with pytest.raises((kind, SchemaOlder)):
            check_revision(filled.database)


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
