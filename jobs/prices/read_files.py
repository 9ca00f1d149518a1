"""Which files were read completely, by hash, so that an unchanged file is not read again. Safe to delete at any time.

A file counts as read when all its bars were of closed sessions and none of them is quarantined: then reading it again can change
nothing. The stored price file is part of the entry, so that a restored or released history is compared again.
"""

from __future__ import annotations

import json
from pathlib import Path

from tickercast.storage.errors import StorageError
from tickercast.storage.files import sha256_of, write_atomically

FILE = "read-files.json"


class ReadFiles:
    """What was read, by the key of a ticker. folder: the home's cache."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self.entries = _entries(self.path)
        self._stored = dict(self.entries)

    def has(self, key: str, *parts: object) -> bool:
        """Return whether the entry of a ticker was made of the same parts."""
        return is_entry(self.entries.get(key), *parts)

    def remember(self, key: str, *parts: object) -> None:
        """Make the entry of a ticker."""
        self.entries[key] = _entry(parts)

    def forget(self, key: str) -> None:
        """Remove the entry of a ticker, so that its file is read next time."""
        self.entries.pop(key, None)

    def save(self) -> None:
        """Store the entries that changed. A cache that cannot be written costs time only."""
        if self.entries == self._stored:
            return
        try:
            write_atomically(self.path, json.dumps(self.entries, indent=0, sort_keys=True).encode())
        except StorageError:
            return
        self._stored = dict(self.entries)


def is_entry(entry: str | None, *parts: object) -> bool:
    """Return whether an entry was made of some parts."""
    return entry == _entry(parts)


def _entry(parts: tuple[object, ...]) -> str:
    return sha256_of(repr(parts).encode())


def _entries(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
