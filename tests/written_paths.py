"""The paths that this process writes, makes, renames or removes, noted in a file by an audit hook of Python.

It sees what Python code does with files: not what SQLite or Arrow write, and no other process.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FIRST_IS_WRITTEN = {"os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.chown", "os.utime"}
BOTH_ARE_WRITTEN = {"os.rename"}
SECOND_IS_WRITTEN = {"os.symlink", "os.link"}
FOLDER = {"os.mkdir": 2, "os.remove": 1, "os.rmdir": 1, "os.chmod": 2, "os.utime": 3}  # place of dir_fd
DATA_BYTES = 3_000_000_000


def log_to(file: str) -> None:
    """Note each path that this process writes from now on, each ended by a zero byte, and limit its memory."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        for path in _written(event, arguments):
            os.write(handle, path + b"\0")

    sys.addaudithook(note)


def read_log(file: Path) -> list[Path]:
    """Return the noted paths, each once; links in their folders were followed."""
    noted = file.read_bytes().split(b"\0")[:-1] if file.exists() else []
    return [Path(os.fsdecode(path)) for path in dict.fromkeys(noted)]


def _written(event: str, arguments: tuple[Any, ...]) -> Iterator[bytes]:
    if event == "open":
        path, _, flags = arguments
        if flags & WRITING and not isinstance(path, int):
            yield _absolute(path, None)
    elif event in FIRST_IS_WRITTEN:
        path = _absolute(arguments[0], arguments[FOLDER[event]] if event in FOLDER else None)
        if event != "os.mkdir" or not os.path.lexists(path):
            yield path
    elif event in SECOND_IS_WRITTEN:
        yield _absolute(arguments[1], None)
    elif event in BOTH_ARE_WRITTEN:
        yield _absolute(arguments[0], arguments[2])
        yield _absolute(arguments[1], arguments[3])


def _absolute(path: Any, folder: int | None) -> bytes:
    if isinstance(path, int):
        return os.fsencode(os.readlink(f"/proc/self/fd/{path}"))
    begin = os.getcwd() if folder is None or folder < 0 else os.readlink(f"/proc/self/fd/{folder}")
    joined = os.path.join(os.fsencode(begin), os.fsencode(path))
    return os.path.join(os.path.realpath(os.path.dirname(joined)), os.path.basename(joined))
