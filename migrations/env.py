"""Run the migrations: Alembic executes this file. The whole upgrade is one transaction, on a separate engine.

Foreign keys are off while tables are rebuilt, because dropping a parent table would delete the rows that refer to it. They
are checked before the commit.
"""

from pathlib import Path

import sqlalchemy as sa
from alembic import context
from sqlalchemy import Connection, event, pool

from tickercast.storage.database import open_writer
from tickercast.storage.schema import Base


def include_object(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    return kind != "table" or name != "alembic_version"


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_object=include_object,
        compare_type=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() if connection.dialect.name == "sqlite" else []
        if broken:
            raise RuntimeError(f"the upgrade would break {len(broken)} references; nothing was changed")


def prepare(connection: sa.PoolProxiedConnection, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.execute("PRAGMA journal_mode=WAL")  # type: ignore[attr-defined]
    connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[attr-defined]
    connection.execute("PRAGMA synchronous=FULL")  # type: ignore[attr-defined]


def sqlite_engine(path: Path) -> sa.Engine:
    engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)), poolclass=pool.NullPool)
    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


database = context.config.attributes["database"]
engine = sqlite_engine(database) if isinstance(database, Path) else open_writer(database)
with engine.connect() as connection:
    run(connection)
engine.dispose()
