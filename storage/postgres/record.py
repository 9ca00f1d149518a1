"""Whether a PostgreSQL database holds a record, of which schema revision and with which id; and make an empty one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tickercast.storage.address import PostgresServer
from tickercast.storage.errors import DatabaseMissing, NotADatabase
from tickercast.storage.postgres.connections import connected
from tickercast.storage.versions import new_database_id

if TYPE_CHECKING:
    import psycopg

VERSION_TABLE = "alembic_version"
OF_SCHEMA = """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v', 'p') AND c.relname = ANY(?)"""
ID = re.compile(r"tickercast record ([0-9a-f]{8})")
ENCODING = "UTF8"
OLDEST = 15  # version of a server


def is_blank(server: PostgresServer) -> bool:
    """Return whether the schema holds no record yet. Raises NotADatabase where another program's tables are in the way."""
    with connected(server) as connection:
        if _has_version(connection):
            return False
        _require_schema(server, connection)
        _refuse_tables_of_others(server, connection)
    return True


def stored_revision(server: PostgresServer) -> str | None:
    """Return the schema revision of a record, None where there is none."""
    with connected(server) as connection:
        return revision_on(connection)


def revision_on(connection: psycopg.Connection[Any]) -> str | None:
    """Return the schema revision of the record that a connection reads, None where there is none."""
    if not _has_version(connection):
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    return str(row[0]) if row else None


def database_id(server: PostgresServer) -> str:
    """Return the id that a record got when it was made. It is in a comment, which every dump keeps."""
    with connected(server) as connection:
        row = connection.execute(f"SELECT obj_description(CAST('{VERSION_TABLE}' AS regclass), 'pg_class')").fetchone()
    found = ID.search(row[0] or "") if row else None
    return found[1] if found else ""


def create_record(server: PostgresServer, revision: str) -> None:
    """Make an empty record in one transaction. Needs the writer lock."""
    from tickercast.storage.postgres.schema import creating_statements

    with connected(server, "init") as connection, connection.transaction():
        require_fit(server, connection)
        for statement in creating_statements(revision):
            connection.execute(statement)
        connection.execute(naming_statement(""))


def require_fit(server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
    """Raise DatabaseMissing unless the server is new enough and the database has Unicode text."""
    if (version := connection.info.server_version // 10_000) < OLDEST:
        raise DatabaseMissing(f"{server}: is PostgreSQL {version}, and the record needs PostgreSQL {OLDEST} or newer")
    encoding = connection.execute("SHOW server_encoding").fetchone()
    if encoding is None or encoding[0] != ENCODING:
        raise DatabaseMissing(f"{server}: its encoding is {encoding and encoding[0]}; create the database with {ENCODING}")


def naming_statement(record_id: str) -> str:
    """Return the statement that gives a record its id; a new one where it has none."""
    return f"COMMENT ON TABLE {VERSION_TABLE} IS 'tickercast record {record_id or new_database_id()}'"


def _require_schema(server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SELECT current_schema()").fetchone()
    if row is None or row[0] is None:
        raise DatabaseMissing(f"{server}: no schema of its search_path exists; create it, or mend store.url")


def _refuse_tables_of_others(server: PostgresServer, connection: psycopg.Connection[Any]) -> None:
    from tickercast.storage.schema import Base  # here, because it loads SQLAlchemy
    from tickercast.storage.views import VIEWS

    ours = [*Base.metadata.tables, *(view.name for view in VIEWS)]
    if connection.execute(OF_SCHEMA, (ours,)).fetchone()[0]:  # type: ignore[index]
        raise NotADatabase(
            f"{server}: tables of another program have names of ours; nothing was changed; give the record a schema of its "
            "own: CREATE SCHEMA tickercast, and ?options=-csearch_path=tickercast at the end of store.url"
        )


def _has_version(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT to_regclass(quote_ident(current_schema()) || '.alembic_version')").fetchone()
    return row is not None and row[0] is not None
