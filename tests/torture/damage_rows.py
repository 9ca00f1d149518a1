"""One value of one stored row changed, as a flipped bit changes it, below all rules of the schema."""

from __future__ import annotations

import random
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

from tickercast.storage.database import open_writer
from tickercast.storage.digests import DIGESTED, recount
from tickercast.storage.rows import QUANTILE_LEVELS

TABLES = (
    "forecasts", "scores", "origins", "models", "losses", "price_files", "symbols", "sessions", "skill_tests", "risk_tests",
    "tickers", "configs",
)  # fmt: skip


FIGURES = {"forecasts": tuple(QUANTILE_LEVELS), "scores": ("realised_price", "crps", "baseline_crps", "pit")}


def change_a_value(rng: random.Random, database: Path) -> str:
    """Change a value that no command changes, in a row of a table. Returns what was changed."""
    with closing(sqlite3.connect(database)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        told = _change(rng, connection)
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
    return told


def change_a_figure(rng: random.Random, database: Path) -> str:
    """Change a computed figure together with the digest of its table, as a wrong computation would. Returns what was changed."""
    table = rng.choice(list(FIGURES))
    column = rng.choice(FIGURES[table])
    engine = open_writer(database)
    with engine.begin() as connection:
        triggers = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        rows = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        key = connection.exec_driver_sql(f"SELECT origin_id, horizon FROM {table} LIMIT 1 OFFSET {rng.randrange(rows)}").one()
        factor = 1 + 10 ** rng.uniform(-5, -1)
        statement = f"UPDATE {table} SET {column} = ? * {column} + 1e-6 WHERE (origin_id, horizon) = (?, ?)"
        connection.exec_driver_sql(statement, (factor, *key))
        recount(connection, table)
        for _, sql in triggers:
            connection.exec_driver_sql(sql)
    engine.dispose()
    return f"{column} of {table} at {tuple(key)} with its digest"


def _change(rng: random.Random, connection: sqlite3.Connection) -> str:
    sizes = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}
    table = rng.choice([table for table, rows in sizes.items() if rows])
    info = connection.execute(f"PRAGMA table_info({table})").fetchall()
    keys = ", ".join(row[1] for row in info if row[5])
    column = rng.choice([row[1] for row in info if row[1] not in DIGESTED.get(table, ())])
    row = rng.randrange(sizes[table])
    value, *key = connection.execute(f"SELECT {column}, {keys} FROM {table} LIMIT 1 OFFSET {row}").fetchone()
    marks = ", ".join("?" * len(key))
    statement = f"UPDATE OR IGNORE {table} SET {column} = ? WHERE ({keys}) = ({marks})"  # two equal keys: nothing is damaged
    connection.execute(statement, (flipped(rng, value), *key))
    return f"{column} in row {row} of {table}"


def flipped(rng: random.Random, value: object) -> object:
    """Return a stored value with one bit flipped; a text with another digit or letter, and None as it is."""
    if isinstance(value, float):
        [bits] = struct.unpack("<Q", struct.pack("<d", value))
        return struct.unpack("<d", struct.pack("<Q", bits ^ 1 << rng.randrange(62)))[0]
    if isinstance(value, int):
        return value ^ 1 << rng.randrange(8)
    if isinstance(value, str | bytes) and value:
        place = rng.randrange(len(value))
        middle = bytes([value[place] ^ 1]) if isinstance(value, bytes) else chr(ord(value[place]) ^ 1)
        return value[:place] + middle + value[place + 1 :]  # type: ignore[operator]
    return value
