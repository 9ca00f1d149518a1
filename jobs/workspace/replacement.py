"""Replace a home's folder by another one, so that at every instant there is a whole home under its name.

The new home is made in a folder beside it, `<home>.restoring`, which has a mark until it is in place. Where the system can
exchange two names in one step, they are exchanged. Elsewhere the home is renamed and then the new one; a command that finds no
home between the two finishes it. Not here: what is in the new home (jobs.runs.restore).
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tickercast.jobs.errors import LockHeld, UsageError
from tickercast.jobs.workspace.locks import try_lock
from tickercast.storage.files import sync_folder, write_atomically

STAGING = ".restoring"
MARK = "restore.lock"  # in a new home until it is in place; locked by the process that makes it
FINISHED = "restore.finished"  # beside the mark, once everything in the new home was checked
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux's renameat2
NO_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM}


@contextmanager
def new_home_beside(folder: Path, now: datetime) -> Iterator[Path]:
    """Yield an empty folder beside a home, which replace_home may put in its place. What is not put there is removed.

    Raises LockHeld while another process makes one, UsageError for a home that is a mount point, OSError.
    """
    if os.path.ismount(folder):
        raise UsageError(f"{folder} is a mount point, which cannot be replaced; name a home below it, such as {folder / 'home'}")
    staging = _staging_of(folder)
    _settle(folder, staging, now)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging.mkdir(mode=0o750)
    try:
        with _marked(staging):
            yield staging
    finally:
        is_only_home = (staging / FINISHED).exists() and not folder.exists()
        if (staging / MARK).exists() and not is_only_home:
            shutil.rmtree(staging, ignore_errors=True)


def replace_home(folder: Path, staging: Path, now: datetime) -> Path | None:
    """Put a checked new home in the place of a folder and return where the home before is, None without one. Raises OSError."""
    write_atomically(staging / FINISHED, b"")
    if not folder.exists():
        _rename_unless_done(staging, folder)
        kept = None
    else:
        _unmark(folder)  # of a restore that was killed after it was done
        sync_folder(folder)
        kept = _free_name(folder, now)
        if _exchanged(folder, staging):
            staging.rename(kept)
        else:
            folder.rename(kept)
            _rename_unless_done(staging, folder)
    sync_folder(folder.parent)
    _unmark(folder)
    return kept


def finish_replacement(folder: Path) -> None:
    """Put a finished new home in its place, where a kill has left none there."""
    staging = _staging_of(folder)
    if not folder.exists() and (staging / FINISHED).exists():
        _rename_unless_done(staging, folder)
        sync_folder(folder.parent)
        _unmark(folder)


def _settle(folder: Path, staging: Path, now: datetime) -> None:
    """Finish, keep or remove what a killed restore left. Raises LockHeld while its process lives."""
    finish_replacement(folder)
    if not staging.exists():
        return
    if not (staging / MARK).exists() and any(staging.iterdir()):  # exchanged: this is the home before
        staging.rename(_free_name(folder, now))
        return
    with try_lock(staging / MARK) as is_free:
        if not is_free:
            raise LockHeld(f"another restore of {folder} is under way; nothing was changed; retry when it ends")
        shutil.rmtree(staging)


@contextmanager
def _marked(staging: Path) -> Iterator[None]:
    with try_lock(staging / MARK) as is_free:
        if not is_free:
            raise LockHeld(f"another restore to {staging} is under way; nothing was changed; retry when it ends")
        sync_folder(staging)
        yield


def _rename_unless_done(staging: Path, folder: Path) -> None:
    """Give a new home its name, unless another command has just done so."""
    try:
        staging.rename(folder)
    except FileNotFoundError:
        if not folder.exists():
            raise


def _unmark(folder: Path) -> None:
    for name in (FINISHED, MARK):
        (folder / name).unlink(missing_ok=True)


def _exchanged(folder: Path, other: Path) -> bool:
    """Exchange the names of two folders in one step. Return whether the system and the file system can."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(AT_FDCWD, os.fsencode(other), AT_FDCWD, os.fsencode(folder), RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(folder))


def _staging_of(folder: Path) -> Path:
    return folder.parent / f"{folder.name}{STAGING}"  # with_name refuses the root folder


def _free_name(folder: Path, now: datetime) -> Path:
    """Return a name for the home before that nothing has."""
    name = f"{folder.name}.before-{now:%Y%m%dT%H%M%SZ}"
    numbers = (folder.with_name(f"{name}-{number}") for number in range(2, 1000))
    return next(path for path in (folder.with_name(name), *numbers) if not path.exists())
