"""Homes of tests whose records are databases of a PostgreSQL server: one database for each home, copied from an empty record.

TICKERCAST_TEST_RECORD=postgres has every test use them. Without it, only tests marked both_records do, beside SQLite.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.postgres_server import PostgresCluster
from tickercast.jobs.workspace.place import SETTINGS_FILE, open_place
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.database import upgrade_database
from tickercast.storage.postgres import locks
from tickercast.storage.postgres.locks import advisory_lock

POSTGRES = "postgres"
EVERYWHERE = os.environ.pop("TICKERCAST_TEST_RECORD", "") == POSTGRES  # popped: commands take it for a mistyped setting
ABOUT_SQLITE = "it is about SQLite's file, or the lock files of its home"


class ServerHomes:
    """Gives each home a database of its own."""

    def __init__(self, cluster: PostgresCluster) -> None:
        self.cluster, self.numbers = cluster, count(1)
        self.names: list[str] = []
        empty = cluster.new_database()
        with advisory_lock(empty, "writer", command="test", wait_seconds=5):
            upgrade_database(empty)
        self.empty = _name(empty)

    def settings(self, text: str) -> str:
        """Return settings whose record is a new, empty one."""
        name = self._new(self.empty)
        own = f"COMMENT ON TABLE alembic_version IS 'tickercast record {secrets.token_hex(4)}'"
        self.cluster.sql(own, name)
        return _with_url(text, self.cluster.url(name))

    def environment(self, folder: Path, arguments: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a command line. A home that has no settings yet gets a blank database."""
        home = home_of(folder, arguments, given)
        if home is None or "TICKERCAST_STORE__URL" in given or _names_a_store(home):
            return dict(given)
        return {**given, "TICKERCAST_STORE__URL": self.cluster.url(self._new("template1"))}

    def keep(self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Write the record's address into the settings of a home that a command has just made."""
        home = home_of(folder, arguments, environment)
        if home is not None and (home / SETTINGS_FILE).exists() and not _names_a_store(home):
            text = (home / SETTINGS_FILE).read_text(encoding="utf-8")
            (home / SETTINGS_FILE).write_text(_with_url(text, environment["TICKERCAST_STORE__URL"]), encoding="utf-8")

    def copy_record(self, source: PostgresServer, home: Path) -> None:
        """Give a copied home a copy of its record."""
        name = self._new(_name(source))
        text = (home / SETTINGS_FILE).read_text(encoding="utf-8")
        (home / SETTINGS_FILE).write_text(text.replace(f'{source.url}"', f'{self.cluster.url(name)}"'), encoding="utf-8")

    @contextmanager
    def removed_at_the_end(self) -> Iterator[None]:
        """Remove the databases that are made in the block, each of which takes some 10 MB."""
        before = len(self.names)
        try:
            yield
        finally:
            for name in self.names[before:]:
                self.cluster.sql(f"DROP DATABASE {name} WITH (FORCE)")
            del self.names[before:]

    def _new(self, template: str) -> str:
        """Return the name of a new database, a copy of another one."""
        self.names.append(f"home{next(self.numbers)}")
        self.cluster.sql(f"CREATE DATABASE {self.names[-1]} TEMPLATE {template}")
        return self.names[-1]


def begin_writing_if_any(server: PostgresServer, connection: psycopg.Connection[object]) -> None:
    """Begin a transaction. A test may open the writer without its lock, as it may on SQLite."""
    if server in locks._writers:
        locks.begin_writing(server, connection)
    else:
        connection.execute("BEGIN")


def home_of(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Path | None:
    """Return the home of a command line that is run in a folder; None for a command without one."""
    if not arguments or arguments[0] in ("demo", "--help", "--version"):
        return None
    words = [part for word in arguments for part in (word.split("=", 1) if word.startswith("--home=") else (word,))]
    given = words[words.index("--home") + 1] if "--home" in words else environment.get("TICKERCAST_HOME")
    return folder / (given or "tickercast-home")


def database_of(home: Path) -> Database:
    """Return where the record of a home is."""
    return open_place(home).database


def copy_home(home: Path, copy: Path, homes: ServerHomes | None) -> Path:
    """Return a copy of a home with a record of its own. homes: of the server where records are on one."""
    shutil.copytree(home, copy)
    database = database_of(home)
    if homes is not None and isinstance(database, PostgresServer):
        homes.copy_record(database, copy)
    return copy


def _names_a_store(home: Path) -> bool:
    path = home / SETTINGS_FILE
    return path.is_file() and '\nurl = "postgresql://' in path.read_text(encoding="utf-8", errors="replace")


def _with_url(text: str, url: str) -> str:
    line = f'[store]\nurl = "{url}"\n'
    return text.replace("[store]\n", line) if "[store]\n" in text else f"{text}\n{line}"


def _name(server: PostgresServer) -> str:
    return server.url.rpartition("/")[2]
