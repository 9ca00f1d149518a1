"""Folders that last as long as one command, or until the next one of its kind, in the system's temporary folder.

A command that is killed cannot remove its folder. So each folder has a lock, which the system frees when the process ends, and
the next command of the same kind removes the folders whose lock is free.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tickercast.jobs.workspace.locks import try_lock
from tickercast.jobs.workspace.place import ENVIRONMENT_PREFIX

OWNER_LOCK = "owner.lock"
# A folder without a lock is being made at this moment, or was left by a program that made none.
UNLOCKED_SECONDS = 24 * 3600.0
STORE_VARIABLES = f"{ENVIRONMENT_PREFIX}STORE__"


@contextmanager
def temporary_folder(kind: str) -> Iterator[Path]:
    """Yield a new folder, which is removed at the end, after removing those that killed commands of this kind left."""
    prefix = f"tickercast-{kind}-"
    _remove_left_folders(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with try_lock(folder / OWNER_LOCK):
            yield folder


@contextmanager
def replaced_folder(kind: str) -> Iterator[Path]:
    """Yield a new folder, which stays until the next command of this kind removes it."""
    prefix = f"tickercast-{kind}-"
    _remove_left_folders(prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    with try_lock(folder / OWNER_LOCK):
        yield folder


@contextmanager
def store_variables_ignored() -> Iterator[None]:
    """Remove the variables that name a store while the block runs: a home of one command must not write to another's store."""
    named = {name: value for name, value in os.environ.items() if name.upper().startswith(STORE_VARIABLES)}
    for name in named:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(named)


def _remove_left_folders(prefix: str) -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Return whether the process that made a folder has ended. What another user owns is never opened or removed."""
    try:
        if folder.lstat().st_uid != os.getuid():
            return False
        if not (folder / OWNER_LOCK).exists():
            return time.time() - folder.stat().st_mtime > UNLOCKED_SECONDS
        with try_lock(folder / OWNER_LOCK) as is_free:
            return is_free
    except OSError:
        return False
