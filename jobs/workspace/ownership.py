"""Who may read and write a home that takes the place of another one: the same accounts as before.

Not here: what is in the new home (jobs.runs.restore), and how it gets its name (jobs.workspace.replacement).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tickercast.jobs.errors import HomeUnwritable

DATABASE_SUFFIXES = ("", "-wal", "-shm")


def keep_access(new: Path, folder: Path, database: Path) -> None:
    """Give a new home what the folder that it replaces has: owner and group to all in it, its mode to the new folder.

    database: a path in the new home. It gets owner, group and mode of the database in its place in the old one, if there is one.
    Without an old folder nothing changes. Raises HomeUnwritable where this account may not do so, and OSError.
    """
    if not folder.is_dir():
        return
    of_home = folder.stat()
    try:
        for inner, _, names in os.walk(new):
            for path in (Path(inner), *(Path(inner, name) for name in names)):
                _give(path, of_home, stat.S_IMODE(path.stat().st_mode))
        before = folder / database.relative_to(new)
        if before.is_file():
            _give_to_database(database, before.stat())
        _give(new, of_home, stat.S_IMODE(of_home.st_mode))
    except PermissionError as error:
        raise HomeUnwritable(
            f"{folder}: the restored home cannot be given the owner, group and mode of this one; nothing was restored; "
            "restore as the account that owns it, or as root"
        ) from error


def _give_to_database(database: Path, before: os.stat_result) -> None:
    for suffix in DATABASE_SUFFIXES:
        path = database.with_name(f"{database.name}{suffix}")
        if path.exists():
            _give(path, before, stat.S_IMODE(before.st_mode))


def _give(path: Path, owner: os.stat_result, mode: int) -> None:
    """Give a file or a folder an owner, a group and a mode, on disk when this returns. Raises OSError."""
    now = path.stat()
    if (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (owner.st_uid, owner.st_gid, mode):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        if (now.st_uid, now.st_gid) != (owner.st_uid, owner.st_gid):
            os.fchown(handle, owner.st_uid, owner.st_gid)  # before the mode: it takes setuid and setgid away
        os.fchmod(handle, mode)
        os.fsync(handle)
    finally:
        os.close(handle)
