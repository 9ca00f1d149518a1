"""The newest schema on PostgreSQL: functions, tables, triggers and views, made from the same models and views as on SQLite.

A record on PostgreSQL begins at the newest schema; migrations later than that bring it on, as they do on SQLite.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable, ExecutableDDLElement

from tickercast.storage.postgres.functions import FUNCTIONS
from tickercast.storage.schema import Base
from tickercast.storage.schema.base import NAMES
from tickercast.storage.views import VIEWS, Column, View

TYPES = {"bool": "integer", "float": "double precision"}
NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
NEVER_CHANGED = ("origins", "forecasts", "scores")
REFUSAL = """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% are never changed: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation'; END $$"""
EVENT_REFUSAL = """CREATE FUNCTION refuse_delete_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM origins WHERE ticker_id = OLD.ticker_id) THEN
        RAISE EXCEPTION 'company_events of a ticker with forecasts are kept: DELETE refused' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END $$"""
UNSCORED = """CREATE FUNCTION enter_unscored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO unscored SELECT id FROM added; RETURN NULL; END $$"""


def creating_statements(revision: str) -> Iterator[str]:
    """Yield the statements that make an empty record of a schema revision, in order."""
    yield from table_statements()
    yield from finishing_statements(revision)


def replacing_statements() -> Iterator[str]:
    """Yield the statements that make the functions of a record, which another version made, this program's."""
    for statement in FUNCTIONS:
        yield statement.replace("CREATE ", "CREATE OR REPLACE ", 1)


def table_statements() -> Iterator[str]:
    """Yield the statements that make the functions and the tables, with keys and checks alone: many rows go in quickly."""
    yield from FUNCTIONS
    for table in _tables():
        yield _compiled(CreateTable(table, include_foreign_key_constraints=[]))


def finishing_statements(revision: str) -> Iterator[str]:
    """Yield the statements that make all else of a schema revision. References are checked, and no trigger has seen a row."""
    for table in _tables():
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            yield _compiled(CreateIndex(index))
        for reference in sorted(table.foreign_key_constraints, key=lambda reference: str(reference.name)):
            yield _compiled(AddConstraint(reference))
    yield "CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)"
    yield from _triggers()
    yield from (_view(view) for view in VIEWS)
    yield f"INSERT INTO alembic_version (version_num) VALUES ('{revision}')"


def _compiled(element: ExecutableDDLElement) -> str:
    return str(element.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def _tables() -> list[sa.Table]:
    """Return the tables, each text compared by code point as SQLite does, whatever language the server speaks."""
    metadata = sa.MetaData(naming_convention=NAMES)
    for table in Base.metadata.sorted_tables:
        for column in table.to_metadata(metadata).columns:
            kind = column.type.impl_instance if isinstance(column.type, sa.types.TypeDecorator) else column.type
            if isinstance(kind, sa.Text):
                column.type = sa.Text(collation="C")
    return metadata.sorted_tables


def _view(view: View) -> str:
    """Return a view's statement with each column of the type that it has outside of SQL: on SQLite a column has none.

    The present instant is a query of its own, which the server answers once, and not for each row that is compared with it.
    """
    statement = replace(view, columns=tuple(_typed(column) for column in view.columns)).create_statement
    return statement.replace(NOW, f"(SELECT {NOW})")


def _typed(column: Column) -> Column:
    kind = TYPES.get(column.kind)
    return replace(column, sql=f"CAST({column.sql} AS {kind})") if kind else column


def _triggers() -> Iterator[str]:
    """Yield the statements of the triggers: what storage.schema.triggers has for SQLite, and TRUNCATE, which only this has."""
    yield from (REFUSAL, EVENT_REFUSAL, UNSCORED)
    for table in NEVER_CHANGED:
        for action in ("UPDATE", "DELETE", "TRUNCATE"):
            yield _refusing(table, action)
    yield from (_refusing("company_events", action) for action in ("UPDATE", "TRUNCATE"))
    yield (
        "CREATE TRIGGER company_events_refuse_delete BEFORE DELETE ON company_events FOR EACH ROW "
        "EXECUTE FUNCTION refuse_delete_of_event()"
    )
    yield (
        "CREATE TRIGGER origins_are_unscored AFTER INSERT ON origins REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION enter_unscored()"
    )


def _refusing(table: str, action: str) -> str:
    each = "STATEMENT" if action == "TRUNCATE" else "ROW"
    name = f"{table}_refuse_{action.lower()}"
    return f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH {each} EXECUTE FUNCTION refuse_change()"
