"""What has to hold after any fault, seen from outside the program: sqlite3, file names and hashes, and locks."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
import tarfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

SEEN = (
    "SELECT 'forecast', ticker, config, origin, horizon, target, location, scale, q05, q50, q95 FROM forecast_history",
    "SELECT 'score', ticker, config, origin, horizon, revision, realised_return, crps FROM scored_forecast",
)
KEY_COLUMNS = 5  # the first columns of each: kind, ticker, config, origin, horizon
ONCE = ("origins", "forecasts", "scores", "losses")  # tables in which the same row, with another id, cannot be stored twice
DATABASE = "tickercast.db"
MANIFEST = "manifest.json"
LOCK_SECONDS = 5.0  # a killed process frees its locks when the last of its threads has ended


@dataclass
class Oracle:
    """Remembers what it saw committed in a home: it may never change or go. home: the folder."""

    home: Path
    rows: set[tuple[object, ...]] = field(default_factory=set)
    revision: str = ""

    def look(self) -> list[str]:
        """Return what is broken in the home now, and remember what is committed."""
        try:
            with closing(sqlite3.connect(f"file:{self.home / DATABASE}?mode=ro", uri=True)) as connection:
                return [*_unsound(connection), *self._lost(connection), *misnamed_files(self.home)]
        except sqlite3.Error as error:
            return [f"the database cannot be read: {error}"]

    def _lost(self, connection: sqlite3.Connection) -> list[str]:
        found = [tuple(row) for query in SEEN for row in connection.execute(query)]
        lost, doubled = self.rows.difference(found), len(found) - len({row[:KEY_COLUMNS] for row in found})
        self.rows.update(found)
        (self.revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        broken = [f"{len(lost)} rows that were committed are gone or changed, e.g. {min(lost, key=repr)}"] if lost else []
        return [*broken, *([f"{doubled} forecasts or scores are stored twice"] if doubled else [])]


def doubled_rows(home: Path) -> list[str]:
    """Return a sentence for each table whose keys take the rows of its own record once more, in a copy in memory.

    Triggers that leave out such rows are a second guard, so the copy has none.
    """
    broken = []
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(f"file:{home / DATABASE}?mode=ro", uri=True)) as connection:
            connection.backup(copy)
        for (trigger,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            copy.execute(f"DROP TRIGGER {trigger}")
        for table in ONCE:
            names = [row[1] for row in copy.execute(f"PRAGMA table_info({table})")]
            again = ", ".join("NULL" if name == "id" else name for name in names)
            added = copy.execute(f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) SELECT {again} FROM {table}").rowcount
            if added:
                broken.append(f"{table} has {added} rows twice when they are stored again")
    return broken


def _unsound(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite's own checks find, and each view that cannot be read."""
    broken = [f"integrity_check: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    broken += [f"foreign_key_check: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    for (view,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall():
        try:
            connection.execute(f"SELECT * FROM {view}").fetchone()
        except sqlite3.Error as error:
            broken.append(f"view {view}: {error}")
    return broken


def misnamed_files(home: Path) -> list[str]:
    """Return a sentence for each file that has the name of a finished one and is not finished."""
    broken = []
    for path in home.glob("prices/*/*.parquet"):
        if hashlib.sha256(path.read_bytes()).hexdigest()[:16] != path.stem:
            broken.append(f"{path.relative_to(home)} is not the file that its name says")
    for path in home.glob("*.backup"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            try:
                sound = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                sound = sound and bool(connection.execute("SELECT 1 FROM alembic_version").fetchone())
            except sqlite3.Error:
                sound = False
        if not sound:
            broken.append(f"{path.name} has the name of a copy and is none")
    return broken


def unsound_backups(folder: Path) -> list[str]:
    """Return a sentence where a file of a folder has the name of a backup and is not a whole one."""
    broken = []
    for path in folder.glob("*.tar"):
        try:
            with tarfile.open(path) as archive:
                contents = {member.name: (archive.extractfile(member) or BytesIO()).read() for member in archive}
            hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items() if name != MANIFEST}
            is_sound = json.loads(contents[MANIFEST])["sha256"] == hashes
        except (tarfile.TarError, KeyError, ValueError):
            is_sound = False
        if not is_sound:
            broken.append(f"{path.name} has the name of a backup and is none")
    return broken


def temporary_files(folder: Path) -> list[str]:
    """Return the names of unfinished files below a folder."""
    ends = (".partial", ".new", ".copying", ".restoring")
    return sorted(path.name for path in folder.rglob("*") if path.name.startswith(".tmp-") or path.name.endswith(ends))


def held_locks(home: Path) -> list[str]:
    """Return a sentence for each lock of a home that a process holds, even some seconds after its holder was killed."""
    deadline = time.monotonic() + LOCK_SECONDS
    while (held := [path.name for path in sorted(home.glob("*.lock")) if _is_held(path)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [f"{name} is held after its holder was killed" for name in held]


def _is_held(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
