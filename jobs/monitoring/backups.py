"""The finished backups by schedule of a home: their names say when, and their manifests say whose they are.

Homes of two machines may have the same path and share a folder of backups, so their databases have ids.

Not here: making them (jobs.runs.scheduled_backup).
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from tickercast.jobs.workspace.place import Place
from tickercast.storage.paths import real_path
from tickercast.storage.versions import database_id

MANIFEST = "manifest.json"
NAME = re.compile(r"tickercast-\d{8}T\d{6}Z\.tar")
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a backup is. home: the folder. database_id: "" in a backup of an earlier version, and of a home not written since."""

    home: str
    database_id: str

    def may_be(self, owner: Owner) -> bool:
        """Return whether a backup of this owner may be another one's. Without an id in it, the path decides."""
        return self.home == owner.home and self.database_id in ("", owner.database_id)


def backup_name(at: datetime) -> str:
    """Return the name of the backup that is made at an instant."""
    return f"tickercast-{at.astimezone(UTC):{STAMP}}.tar"


def owner_of(place: Place) -> Owner:
    """Return what the backups of a home say of their owner. Raises StorageError."""
    return Owner(str(real_path(place.folder)), database_id(place.database))


def newest_backup(place: Place, folder: Path | None, now: datetime) -> datetime | None:
    """Return the instant of the newest finished backup of a home in a folder, None where there is none or none can be read.

    Raises StorageError.
    """
    try:
        return None if folder is None else newest_of(owner_of(place), folder, now)
    except OSError:
        return None


def newest_of(owner: Owner, folder: Path, now: datetime) -> datetime | None:
    """Return the instant of an owner's newest finished backup. Raises OSError where the folder exists and cannot be read."""
    return next((at for at, _, maker in _finished(folder, now) if maker.may_be(owner)), None)


def proven_backups(owner: Owner, folder: Path, now: datetime) -> list[Path]:
    """Return the finished backups of a folder that path and id prove to be an owner's, newest first. Raises OSError."""
    return [path for _, path, maker in _finished(folder, now) if owner.database_id and maker == owner]


def _finished(folder: Path, now: datetime) -> Iterator[tuple[datetime, Path, Owner]]:
    """Yield the instants, paths and owners of finished backups, newest first. One from the future, by a wrong clock, is none."""
    named = [(_instant_of(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    for at, path in sorted(((at, path) for at, path in named if at and at <= now), reverse=True):
        maker = _owner_in(path)
        if maker is not None:
            yield at, path, maker


def _instant_of(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, f"tickercast-{STAMP}.tar").replace(tzinfo=UTC) if NAME.fullmatch(name) else None
    except ValueError:  # a 13th month
        return None


def _owner_in(path: Path) -> Owner | None:
    """Return whose a backup is, None for a file that is no backup."""
    try:
        state = path.stat()
        return _owner_read(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return None


@lru_cache(maxsize=64)  # a scrape each minute need not read the headers of all files again
def _owner_read(path: Path, _changed_ns: int, _size: int) -> Owner | None:
    try:
        with tarfile.open(path, "r:") as archive:
            content = archive.extractfile(MANIFEST)
            manifest = {} if content is None else json.loads(content.read())
            return Owner(str(manifest["home"]), str(manifest.get("database_id", "")))
    except (tarfile.TarError, AttributeError, KeyError, TypeError, ValueError):
        return None
