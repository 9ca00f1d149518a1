"""The finished backups by schedule of a home: their names say when, and their manifests say whose they are.

Not here: making them (jobs.runs.scheduled_backup).
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from storage.paths import real_path

MANIFEST = "manifest.json"
NAME = re.compile(r"tickercast-\d{8}T\d{6}Z\.tar")
STAMP = "%Y%m%dT%H%M%SZ"


def backup_name(at: datetime) -> str:
    """Return the name of the backup that is made at an instant."""
    return f"tickercast-{at.astimezone(UTC):{STAMP}}.tar"


def own_backups(home: Path, folder: Path, now: datetime) -> Iterator[tuple[datetime, Path]]:
    """Yield the instants and paths of a home's finished backups, newest first. One from the future, by a wrong clock, is none.

    Raises OSError where the folder exists and cannot be read.
    """
    named = [(_instant_of(path.name), path) for path in folder.iterdir()] if folder.is_dir() else []
    for at, path in sorted(((at, path) for at, path in named if at and at <= now), reverse=True):
        if _home_of(path) == str(real_path(home)):
            yield at, path


def newest_backup(home: Path, folder: Path | None, now: datetime) -> datetime | None:
    """Return the instant of the newest finished backup of a home in a folder, None where there is none or none can be read."""
    try:
        return None if folder is None else next((at for at, _ in own_backups(home, folder, now)), None)
    except OSError:
        return None


def _instant_of(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, f"tickercast-{STAMP}.tar").replace(tzinfo=UTC) if NAME.fullmatch(name) else None
    except ValueError:  # a 13th month
        return None


def _home_of(path: Path) -> str | None:
    """Return the home that a backup is of, None for a file that is no backup."""
    try:
        state = path.stat()
        return _home_in(path, state.st_mtime_ns, state.st_size)
    except OSError:
        return None


@lru_cache(maxsize=64)  # a scrape each minute need not read the headers of all files again
def _home_in(path: Path, _changed_ns: int, _size: int) -> str | None:
    try:
        with tarfile.open(path, "r:") as archive:
            content = archive.extractfile(MANIFEST)
            return None if content is None else str(json.loads(content.read())["home"])
    except (tarfile.TarError, KeyError, TypeError, ValueError):
        return None
