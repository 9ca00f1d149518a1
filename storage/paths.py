"""Paths as users write them. pathlib raises RuntimeError for a loop of links and for the home of an unknown user."""

from __future__ import annotations

import os
from pathlib import Path


def real_path(path: Path) -> Path:
    """Return an absolute path with its symbolic links followed; where they form a loop, as far as that goes."""
    return Path(os.path.realpath(path))


def user_path(path: Path | str) -> Path:
    """Return a path with a user's home in the place of a leading `~` or `~name`; as it is where there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
