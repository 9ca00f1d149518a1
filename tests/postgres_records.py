"""A record of SQLite on a PostgreSQL server, with the same rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.postgres_server import PostgresCluster
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import upgrade_database
from tickercast.storage.postgres.connections import connected
from tickercast.storage.postgres.locks import advisory_lock
from tickercast.storage.schema import Base


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
