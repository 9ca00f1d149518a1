"""Move a home's record to another database: to a PostgreSQL server, or to a SQLite file. Price files stay where they are.

The source is only read. Not here: how rows are copied and proven (storage.move).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tickercast.jobs.errors import SettingsError, UsageError
from tickercast.jobs.terminal.progress import counted_progress
from tickercast.jobs.terminal.secrets import learn_settings
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.locks import daemon_lock, writer_lock
from tickercast.jobs.workspace.place import DATABASE_FILE, SQLITE_PREFIX, Place, is_sqlite, refuse_part_of_store
from tickercast.jobs.workspace.settings_template import toml_text
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.move import copy_record
from tickercast.storage.paths import real_path, user_path
from tickercast.storage.price_registry import register_database

COMMAND = "move"


def move(home: Home, to: str, *, wait_seconds: float) -> str:
    """Copy a home's record to another database, prove the copy, and return lines that say what to put into store.url.

    to: postgresql://..., sqlite:///PATH as in store.url, or the path of a file. After a finished move it compares the two.
    Raises UsageError, LockHeld while another process writes or a daemon runs, and what copy_record raises.
    """
    source, target = home.database, _target(home, to)
    _refuse_same(home, source, target)
    with _locked(home.folder, source, target, wait_seconds):
        copied = copy_record(source, target, home.prices, counted_progress)
        register_database(home.prices, target)
    done = "are copied and proven" if copied.is_new else "were there already, and are the same"
    return (
        f"{copied.rows} rows {done}; content hash {copied.content_hash}\n"
        f"{target} is the record once tickercast.toml says so, section [store]: {_setting(home, target)}\n"
        f"{source} stays as it was: it is a copy from now on, so let nothing write to it"
    )


def _target(home: Home, to: str) -> Database:
    """Return the database that a user names. Raises UsageError."""
    if "://" in to:
        learn_settings(f"[store]\nurl = {toml_text(to)}")
        try:
            target = Place(home.folder, to, "").database
        except SettingsError as error:
            raise UsageError(str(error).replace("store.url", "--to")) from error
    else:
        target = user_path(to).absolute()
    if isinstance(target, Path) and target.is_dir():
        raise UsageError(f"--to: {target} is a folder; name a file, such as {target / DATABASE_FILE}")
    if isinstance(target, Path) and real_path(target) != real_path(home.folder / DATABASE_FILE):
        refuse_part_of_store(target)
        _refuse_other_file(target)
    return target


def _refuse_other_file(target: Path) -> None:
    with suppress(OSError):  # the copy says what cannot be read
        if target.is_file() and target.stat().st_size and not is_sqlite(target):
            raise UsageError(f"--to: {target} is a file of another kind; nothing was changed; name another file")


def _refuse_same(home: Home, source: Database, target: Database) -> None:
    is_same = source == target
    if isinstance(source, Path) and isinstance(target, Path):
        is_same = real_path(source) == real_path(target)
    if is_same:
        raise UsageError(f"{target} is where the record of {home.folder} is; nothing was done")


@contextmanager
def _locked(folder: Path, source: Database, target: Database, wait_seconds: float) -> Iterator[None]:
    """Hold the locks of both records; two files of one home have one. A daemon would go on with the one that was left."""
    with ExitStack() as locks:
        locks.enter_context(daemon_lock(folder, source))
        locks.enter_context(writer_lock(folder, command=COMMAND, wait_seconds=wait_seconds, database=source))
        if isinstance(source, PostgresServer) or isinstance(target, PostgresServer):
            locks.enter_context(writer_lock(folder, command=COMMAND, wait_seconds=wait_seconds, database=target))
        yield


def _setting(home: Home, target: Database) -> str:
    """Return the line of the settings file that names a database."""
    if isinstance(target, PostgresServer):  # written out it would be hidden, since it says who logs in
        return "url = the URL that --to has"
    if real_path(target) == real_path(home.folder / DATABASE_FILE):
        return 'url = ""'
    return f'url = "{SQLITE_PREFIX}{target}"'
