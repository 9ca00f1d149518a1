"""A record of SQLite on a PostgreSQL server, with the same rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from tests.postgres_server import PostgresCluster
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import upgrade_database
from tickercast.storage.postgres.connections import connected
from tickercast.storage.postgres.locks import advisory_lock
from tickercast.storage.schema import Base

# As docs/guides/postgresql.md has them.
READING_LOGIN = """
CREATE ROLE {0} LOGIN;
GRANT USAGE ON SCHEMA public TO {0};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {0};
"""
NUMBERS = count(1)


def new_record(postgres: PostgresCluster) -> PostgresServer:
    """Return the address of an empty record of the newest schema."""
    server = postgres.new_database()
    with advisory_lock(server, "writer", command="test", wait_seconds=5):
        upgrade_database(server)
    return server


def copied_record(file: Path, postgres: PostgresCluster) -> PostgresServer:
    """Return the address of a record with the rows of a SQLite file."""
    server = new_record(postgres)
    with closing(sqlite3.connect(file)) as source, connected(server) as target:
        target.execute("SET session_replication_role = replica")  # no trigger runs
        for table in Base.metadata.sorted_tables:
            names = ", ".join(column.name for column in table.columns)
            target.execute(f"DELETE FROM {table.name}")
            with target.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in source.execute(f"SELECT {names} FROM {table.name}"):
                    copy.write_row(row)
        target.execute("ANALYZE")
    return server


def reading_login(postgres: PostgresCluster, server: PostgresServer) -> PostgresServer:
    """Return the address of a record by a new login that may only read."""
    name = f"reader{next(NUMBERS)}"
    postgres.sql(READING_LOGIN.format(name), server.url.rpartition("/")[2])
    return PostgresServer(server.url.replace("//test@", f"//{name}@"))
