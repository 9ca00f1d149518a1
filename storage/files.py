"""Bytes on disk: written whole or not at all, under names that any file system accepts."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, BinaryIO
from urllib.parse import quote, unquote

from tickercast.storage.errors import Corrupt, StoreUnwritable

PART_BYTES = 1 << 20


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves either the old one or the new one.

    A temporary file in the same folder, fsync, rename, then fsync of the folder.

    Raises StoreUnwritable when the disk is full, read-only or not ours; then the temporary file is removed.
    """
    try:
        make_folder(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), 0o640)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreUnwritable(f"{path}: {error.strerror}; what is stored stays; free space or mend permissions") from error


def make_folder(folder: Path) -> None:
    """Make a missing folder and its missing parents. Each has its name on disk when this returns, so what is in it can be found.

    Raises OSError.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def rename_durably(path: Path, new: Path) -> None:
    """Give a finished file its name: fsync of the file, rename, fsync of the folder. A file of that name is replaced."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.replace(new)
    sync_folder(new.parent)


def remove_database(path: Path) -> None:
    """Remove a SQLite file and its logs: a log that is left would be taken for that of the next file of the name."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def read_regular(path: Path) -> bytes:
    """Return a file's bytes. Raises Corrupt when it is missing or not a regular file; a link is not one."""
    with open_regular(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise Corrupt(f"{path}: {error.strerror}; the database names this file") from error


def open_regular(path: Path) -> BinaryIO:
    """Return a file that the database names, open for reading. Raises what read_regular raises."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise Corrupt(f"{path}: {error.strerror}; the database names this file") from error
    except ValueError as error:
        raise Corrupt(f"{str(path)!r}: {error}; the database names this file") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Corrupt(f"{path}: not a regular file")
    return os.fdopen(handle, "rb")


class HashedReader:
    """Reads a file and hashes what was read. read: is told how many bytes after each part."""

    def __init__(self, file: IO[bytes], read: Callable[[int], None] | None = None) -> None:
        self._file, self._digest, self._told = file, hashlib.sha256(), read

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the file."""
        content = self._file.read(size)
        self._digest.update(content)
        if self._told:
            self._told(len(content))
        return content

    @property
    def sha256(self) -> str:
        """Return the hexadecimal sha256 of everything that was read."""
        return self._digest.hexdigest()


def sha256_of_file(file: IO[bytes], read: Callable[[int], None] | None = None) -> str:
    """Return the hexadecimal sha256 of the rest of a file, read in parts. read: is told how many bytes after each part."""
    reader = HashedReader(file, read)
    while reader.read(PART_BYTES):
        pass
    return reader.sha256


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal sha256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def quote_ticker(ticker: str) -> str:
    """Return a ticker as a file name: everything but letters, digits and . - _ percent-encoded; reversible."""
    name = quote(ticker, safe="-._")
    return name.replace(".", "%2E") if name.strip(".") == "" else name


def unquote_ticker(name: str) -> str:
    """Return the ticker of a file name."""
    return unquote(name)


def sync_folder(folder: Path) -> None:
    """Flush a folder to disk: the names in it, and which files they are."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
