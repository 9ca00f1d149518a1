"""The newest schema as one SQL script, so that a new database needs neither Alembic nor every step of the past.

`python -m tickercast.storage.docs` writes the script from a database that the migrations made; a test compares both. A script of
another revision than the newest is not used.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCRIPT = Path(__file__).with_name("newest_schema.sql")
HEAD = "-- schema "
KINDS = ("table", "index", "trigger", "view")  # in the order in which they are created: a trigger needs its table


def create_newest(path: Path, revision: str) -> bool:
    """Create a database of a schema revision, in one transaction. Returns whether the script has that revision."""
    script = SCRIPT.read_text(encoding="utf-8")
    if script.partition("\n")[0] != f"{HEAD}{revision}":
        return False
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")
    return True


def script_of(path: Path, revision: str) -> str:
    """Return the script that makes an empty database of the schema of another one."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        statements = connection.execute(query).fetchall()
    ordered = [sql for kind in KINDS for found, sql in statements if found == kind]
    version = f"INSERT INTO alembic_version (version_num) VALUES ('{revision}')"
    return "".join([f"{HEAD}{revision}\n", *(f"{statement};\n" for statement in (*ordered, version))])
