"""Where price files are kept: a folder, or a bucket of an object store. Everything that reads or writes one goes through here.

A file is named by its content and never changed, and a row of the database that names it is the commit. So neither kind needs
more than to read, to write whole files, to list and to remove. Not here: what is in a file (storage.bar_files), and which files
nobody needs (storage.price_cleanup).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from tickercast.storage.object_address import ObjectAddress

PriceAddress: TypeAlias = Path | ObjectAddress
Item = TypeVar("Item")
PREFETCHED_FILES = 64  # of some 200 kB each


@dataclass(frozen=True, slots=True)
class StoreUser:
    """A database that is registered as a user of a store, by its URL, and since when."""

    url: str
    since: datetime


class PriceStore(Protocol):
    """The price files of one address. A path is <KEY>/<start of its sha256>.parquet, whatever keeps the file.

    machine: the name of this one where databases of several are registered by their paths, "" where all are of one.
    """

    machine: str

    def name(self, path: str) -> str:
        """Return what people call a file: its whole path or URL."""

    def prepare(self) -> None:
        """Make the store usable for the first write. Raises OSError or StoreUnavailable."""

    def read(self, path: str) -> bytes:
        """Return a file's bytes. Raises Corrupt for one that is missing or no file, StoreUnavailable where nothing answers."""

    def prefetch(self, paths: Sequence[str]) -> None:
        """Begin to read files that are read next, where waiting takes long. Of an earlier call, what nobody read is dropped."""

    def write(self, path: str, content: bytes) -> None:
        """Store a file so that it is there, whole, when this returns. Raises StoreUnwritable or StoreUnavailable."""

    def remove(self, paths: Collection[str]) -> int:
        """Remove files, and return how many are gone. One that cannot be removed stays."""

    def files(self) -> dict[str, float]:
        """Return when each file was written, as a timestamp, by its path."""

    def written_at(self, path: str) -> float:
        """Return when a file was written, as a timestamp; infinity for one that has just been removed."""

    def users(self) -> list[StoreUser]:
        """Return every database that was ever registered as a user, oldest first."""

    def add_user(self, user: StoreUser) -> None:
        """Register a database as a user."""


def read_ahead(address: PriceAddress, items: Iterable[Item], path_of: Callable[[Item], str]) -> Iterator[Item]:
    """Yield items in their order, while the files of the next ones are read. path_of: gives the file of one, "" for none."""
    store, rest = price_store(address), iter(items)
    while part := list(islice(rest, PREFETCHED_FILES)):
        store.prefetch([path for item in part if (path := path_of(item))])
        yield from part


@cache
def price_store(address: PriceAddress) -> PriceStore:
    """Return the store of an address."""
    if isinstance(address, Path):
        from tickercast.storage.folder_store import FolderStore

        return FolderStore(address)
    from tickercast.storage.object_store import ObjectStore  # takes time to load, and few homes need it

    return ObjectStore(address)
