"""Load a whole record into a blank PostgreSQL database, in one transaction: what is killed on the way leaves it blank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from tickercast.storage.address import PostgresServer
from tickercast.storage.postgres.bulk import copy_new
from tickercast.storage.postgres.engine import driver_connection, writing_engine
from tickercast.storage.postgres.errors import server_errors
from tickercast.storage.postgres.record import naming_statement, require_fit
from tickercast.storage.postgres.schema import finishing_statements, table_statements
from tickercast.storage.schema import Base

SERIALS = "SELECT pg_get_serial_sequence(%s, %s)"


class ServerLoad:
    """An open transaction on a server that holds nothing yet. It is committed when its block ends."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, whose tables they refer to may come later."""
        copy_new(self.connection, table, columns, rows)

    def finish(self, revision: str, record_id: str) -> None:
        """Make indexes, references, triggers and views, and let the next rows have numbers after those that were inserted."""
        driver = driver_connection(self.connection)
        for statement in finishing_statements(revision):
            driver.execute(statement)
        driver.execute(naming_statement(record_id))
        for table in Base.metadata.tables.values():
            for column in table.primary_key.columns:
                sequence = driver.execute(SERIALS, (table.name, column.name)).fetchone()
                if sequence and sequence[0]:
                    driver.execute(
                        f"SELECT setval(%s, coalesce(max({column.name}), 1), max({column.name}) IS NOT NULL) FROM {table.name}",
                        sequence,
                    )
        driver.execute("ANALYZE")


@contextmanager
def loading(server: PostgresServer) -> Iterator[ServerLoad]:
    """Yield a load into a blank database. The caller holds its writer lock. Raises StorageErrors."""
    engine = writing_engine(server)
    try:
        with server_errors(server), engine.begin() as connection:
            driver = driver_connection(connection)
            require_fit(server, driver)
            for statement in table_statements():
                driver.execute(statement)
            yield ServerLoad(connection)
    finally:
        engine.dispose()
