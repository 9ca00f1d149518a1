"""Price files in a folder, on a disk of this machine or on a network share."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path

from tickercast.storage.files import make_folder, read_regular, write_atomically
from tickercast.storage.price_store import StoreUser

REGISTER = ".databases"


class FolderStore:
    """The price files below a folder. Its register of databases is a file with a line for each."""

    machine = ""  # paths of databases are registered without it: a folder is of one machine

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def name(self, path: str) -> str:
        """Return the whole path of a file."""
        return str(self.folder / path)

    def prepare(self) -> None:
        """Make the folder. Raises OSError."""
        make_folder(self.folder)

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises Corrupt for one that is missing or no regular file; a link is none."""
        return read_regular(self.folder / path)

    def prefetch(self, paths: Sequence[str]) -> None:
        """Do nothing: the system reads a disk ahead."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file beside its name, flush it to disk and rename it. Raises StoreUnwritable."""
        write_atomically(self.folder / path, content)

    def remove(self, paths: Collection[str]) -> int:
        """Remove files, and return how many are gone. One that may not be removed stays, and a later run tries again."""
        return sum(_removed(self.folder / path) for path in paths)

    def files(self) -> dict[str, float]:
        """Return when each file was written, by its path."""
        return {path.relative_to(self.folder).as_posix(): _written_at(path) for path in self.folder.glob("*/*")}

    def written_at(self, path: str) -> float:
        """Return when a file was written; infinity for one that another home has just removed."""
        return _written_at(self.folder / path)

    def users(self) -> list[StoreUser]:
        """Return every database that was ever registered, oldest first. A torn line is left out."""
        try:
            lines = (self.folder / REGISTER).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        pairs = [line.split(" ") for line in lines]
        return [StoreUser(pair[1], datetime.fromisoformat(pair[0])) for pair in pairs if len(pair) == 2]

    def add_user(self, user: StoreUser) -> None:
        """Register a database: one short write, so two homes do not mix their lines."""
        make_folder(self.folder)
        with (self.folder / REGISTER).open("a", encoding="utf-8") as file:
            file.write(f"{user.since.isoformat()} {user.url}\n")


def _written_at(path: Path) -> float:
    try:
        return path.stat(follow_symlinks=False).st_mtime
    except OSError:
        return math.inf


def _removed(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
