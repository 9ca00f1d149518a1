"""Copy a database that another process may be writing, without changing a file of its folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tickercast.storage.errors import DatabaseMissing
from tickercast.storage.versions import storage_error, uri_path

COPY_SECONDS = 30.0


def copy_database(path: Path, target: Path) -> None:
    """Copy a database as of one instant to a new file. Raises DatabaseMissing, and a StorageError when it cannot be read."""
    if not path.is_file():
        raise DatabaseMissing(f"{path}: no database there; `tickercast init` makes one")
    try:
        if not _is_at_rest(path) or not _copied_at_rest(path, target):
            _copy(f"file:{uri_path(path)}?mode=ro", target)
    except (sqlite3.Error, OSError) as error:
        raise storage_error(path, error) from error


def _is_at_rest(path: Path) -> bool:
    """Return whether all that is committed is in the database's own file: its write-ahead log is gone or empty."""
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or log.stat().st_size == 0


def _copied_at_rest(path: Path, target: Path) -> bool:
    """Copy a database at rest, and return whether it stayed so. A connection that is not `immutable` would leave a log behind."""
    before = path.stat()
    _copy(f"file:{uri_path(path)}?mode=ro&immutable=1", target)
    after = path.stat()
    return _is_at_rest(path) and (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)


def _copy(uri: str, target: Path) -> None:
    target.unlink(missing_ok=True)
    source = sqlite3.connect(uri, uri=True, timeout=COPY_SECONDS)
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
