"""Paths as users write them, and files that may be anything. No name and no file makes a command fail oddly or wait for ever."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def real_path(path: Path) -> Path:
    """Return an absolute path with its symbolic links followed; where they form a loop, as far as that goes.

    pathlib raises RuntimeError there.
    """
    return Path(os.path.realpath(path))


def user_path(path: Path | str) -> Path:
    """Return a path with a user's home in the place of a leading `~` or `~name`; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def open_at_once(path: Path) -> BinaryIO:
    """Return a file open for reading. A pipe that nobody has open for writing is empty instead of waited for. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(handle, True)
    return os.fdopen(handle, "rb")
