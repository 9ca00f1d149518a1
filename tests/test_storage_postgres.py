"""The record on a PostgreSQL server: the same tables, views, values and refusals as in a SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from tests.builders import Record, fill_small_record
from tests.postgres_server import PostgresCluster
from tickercast.migrations import versions
from tickercast.storage import digests, verify
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import alembic_config, open_writer, reading, translated, upgrade_database
from tickercast.storage.dialects import MANY, upsert_rows
from tickercast.storage.errors import NotADatabase, ServerUnreachable
from tickercast.storage.postgres import locks
from tickercast.storage.postgres.locks import KeptLock, advisory_lock
from tickercast.storage.reader import select_rows, snapshot, view_query
from tickercast.storage.schema import Base, Forecast, Restatement
from tickercast.storage.versions import check_revision, database_id, is_blank, known_revisions, stored_revision
from tickercast.storage.views import VIEWS, View
from tickercast.storage.writes.inserts import insert_mappings, insert_new_values, insert_values

pytestmark = pytest.mark.slow
LATER = """import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{before}", None, None


def upgrade():
    op.add_column("runs", sa.Column("later", sa.Text()))
"""
NOW_COLUMNS = {"sessions_behind"}  # of the present instant


@contextmanager
def writing(server: PostgresServer) -> Iterator[Connection]:
    """Yield a writer's connection, in a transaction that is committed at the end."""
    with advisory_lock(server, "writer", command="test", wait_seconds=5) as holder:
        assert holder is None
        engine = open_writer(server)
        try:
            with translated(server), engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("postgres") / "prices"


@pytest.fixture(scope="module")
def small(postgres: PostgresCluster, prices: Path) -> PostgresServer:
    """Return a server with the small record of the other tests. Tests share it and must not change it."""
    server = new_record(postgres)
    with writing(server) as connection:
        fill_small_record(connection, prices)
    return server


def new_record(postgres: PostgresCluster) -> PostgresServer:
    server = postgres.new_database()
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        upgrade_database(server)
    return server


def test_no_query_is_compiled_before_it_is_done(small: PostgresServer) -> None:
    with snapshot(small) as connection:
        assert connection.execute("SHOW jit").fetchone() == ("off",)


def test_a_new_record_has_the_newest_schema_and_an_id(postgres: PostgresCluster) -> None:
    server = postgres.new_database()
    assert is_blank(server)
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        upgrade_database(server)
    assert not is_blank(server)
    assert stored_revision(server) == known_revisions()[0]
    check_revision(server)
    assert len(database_id(server)) == 8
    tables = {str(row[0]) for row in postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", _name(server))}
    assert tables == {*Base.metadata.tables, "alembic_version"}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_has_the_rows_and_types_that_it_has_on_sqlite(view: View, small: PostgresServer, sound_record: Record) -> None:
    kept = [name for name in view.names if name not in NOW_COLUMNS]
    query = view_query(view).replace(", ".join(view.names), ", ".join(kept), 1)
    with snapshot(small) as server, snapshot(sound_record.database) as file:
        found, expected = select_rows(server, query), select_rows(file, query)
    assert found.columns == expected.columns
    assert len(found.rows) == len(expected.rows)
    for row, other in zip(sorted(found.rows, key=repr), sorted(expected.rows, key=repr), strict=True):
        assert list(map(type, row)) == list(map(type, other))
        assert all(_is_same(*pair) for pair in zip(row, other, strict=True))


def test_the_content_hash_and_all_digests_equal_those_of_sqlite(
    small: PostgresServer, sound_record: Record, prices: Path
) -> None:
    with reading(small) as server, sound_record.reading() as file:
        assert verify.content_hash(server) == verify.content_hash(file)
        for table in digests.DIGESTED:
            assert digests.sums_of(server, table) == digests.sums_of(file, table), table
        assert verify.all_problems(server, prices) == []


@pytest.mark.parametrize("table", ["origins", "forecasts", "scores", "company_events"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {column} = {column}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_server_refuses_to_change_what_is_never_changed(
    statement: str, table: str, small: PostgresServer, postgres: PostgresCluster
) -> None:
    import psycopg

    column = "horizon" if table in ("forecasts", "scores") else "ticker_id"
    with pytest.raises(psycopg.errors.RestrictViolation, match="refused"):
        postgres.sql(statement.format(table, column=column), _name(small))


def test_a_changed_row_is_found(postgres: PostgresCluster, prices: Path) -> None:
    server = new_record(postgres)
    with writing(server) as connection:
        fill_small_record(connection, prices)
    postgres.sql("ALTER TABLE forecasts DISABLE TRIGGER forecasts_refuse_update", _name(server))
    postgres.sql("UPDATE forecasts SET location = location + 1e-9 WHERE horizon = 1", _name(server))
    with reading(server) as connection:
        problems = verify.all_problems(connection, prices)
    assert any(problem.startswith("forecasts: ") and "digest" in problem for problem in problems)
    assert any(problem.startswith("sqlite_master: ") or problem.startswith("schema") for problem in problems)


def test_rows_that_are_stored_are_left_out_or_refused(postgres: PostgresCluster, small: PostgresServer) -> None:
    with reading(small) as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(Forecast.__table__))]
    rows = [(*row[:2], row[2].isoformat(), *row[3:]) for row in rows]
    with writing(small) as connection:
        assert insert_values(connection, Forecast, rows) == 0
    with pytest.raises(ValueError, match="has a key that is stored"), writing(small) as connection:
        insert_new_values(connection, Forecast, rows)


@pytest.mark.parametrize("count", [MANY - 1, MANY])
def test_rows_take_the_place_of_those_of_the_same_key_however_many(postgres: PostgresCluster, count: int) -> None:
    server, key, columns = new_record(postgres), ("table_name", "ticker_id", "config_id"), ("rows", "sha256")
    rows = [("bars", number, "", number, "a") for number in range(count)]
    changed = [(*row[:3], row[3] + 1, "b") for row in rows]
    with writing(server) as connection:
        upsert_rows(connection, "digests", key, (*key, *columns), rows)
        upsert_rows(connection, "digests", key, (*key, *columns), changed)
    with reading(server) as connection:
        query = "SELECT table_name, ticker_id, config_id, rows, sha256 FROM digests WHERE table_name = 'bars' ORDER BY 2"
        assert [tuple(row) for row in connection.exec_driver_sql(query)] == changed


def test_many_rows_get_their_numbers_from_the_table(postgres: PostgresCluster, prices: Path) -> None:
    server = new_record(postgres)
    with writing(server) as connection:
        fill_small_record(connection, prices)
        stored = connection.execute(sa.select(Restatement.__table__)).mappings().one()
        row = {name: value for name, value in stored.items() if name != "id"}
        later = [{**row, "recorded_at": stored["recorded_at"] + timedelta(days=day)} for day in range(1, MANY + 1)]
        assert insert_mappings(connection, Restatement, later) == MANY
    with reading(server) as connection:
        assert connection.execute(sa.select(sa.func.count(Restatement.id.distinct()))).scalar_one() == MANY + 1
        assert verify.all_problems(connection, prices) == []


def test_a_connection_with_the_number_of_the_lost_one_does_not_stand_for_it(postgres: PostgresCluster) -> None:
    server = new_record(postgres)
    other = KeptLock(server, "daemon", "daemon")
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        assert other.renew() is None
        number = locks._writers[server].pid
        postgres.sql(f"SELECT pg_terminate_backend({number})")
        [(reused,)] = postgres.sql(f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND pid <> {number}")
        locks._writers[server] = replace(locks._writers[server], pid=int(str(reused)))
        engine = open_writer(server)
        with pytest.raises(ServerUnreachable, match="writer lock was lost"), engine.begin():
            pass
        engine.dispose()
    other.release()


def test_tables_of_another_program_are_left_alone(postgres: PostgresCluster) -> None:
    server = postgres.new_database()
    postgres.sql("CREATE TABLE events (at text)", _name(server))
    with pytest.raises(NotADatabase, match="another program"):
        is_blank(server)


def test_a_record_has_a_schema_of_its_own_by_the_search_path(postgres: PostgresCluster) -> None:
    server = postgres.new_database()
    postgres.sql("CREATE TABLE events (at text)", _name(server))
    postgres.sql("CREATE SCHEMA tickercast", _name(server))
    own = PostgresServer(f"{server.url}?options=-csearch_path%3Dtickercast")
    with advisory_lock(own, "writer", command="test", wait_seconds=5):
        upgrade_database(own)
    check_revision(own)
    assert str(own).endswith("(schema tickercast)")


def test_the_models_are_the_tables_of_a_record_on_a_server(postgres: PostgresCluster) -> None:
    with reading(new_record(postgres)) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_of_models})
        assert compare_metadata(context, Base.metadata) == []


def test_a_later_migration_runs_on_a_server(postgres: PostgresCluster, tmp_path: Path) -> None:
    server = new_record(postgres)
    (tmp_path / "9999_later.py").write_text(LATER.format(before=known_revisions()[0]))
    config = alembic_config(server)
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{Path(versions.__path__[0])}\n{tmp_path}")
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        command.upgrade(config, "head")
    assert stored_revision(server) == "9999"
    assert postgres.sql("SELECT count(later) FROM runs", _name(server)) == [(0,)]


def test_a_dump_that_is_restored_is_the_record(postgres: PostgresCluster, small: PostgresServer, prices: Path) -> None:
    target = postgres.new_database()
    postgres.copy_by_dump(_name(small), _name(target))
    with reading(small) as before, reading(target) as after:
        assert verify.all_problems(after, prices) == []
        assert verify.content_hash(after) == verify.content_hash(before)
    assert database_id(target) == database_id(small)


def _is_same(value: object, other: object) -> bool:
    return value == (pytest.approx(other, rel=1e-12) if isinstance(other, float) else other)


def _name(server: PostgresServer) -> str:
    return server.url.rpartition("/")[2]


def _is_of_models(_item: object, name: str | None, _kind: str, _reflected: bool, _compared: object) -> bool:
    return name != "alembic_version"
