"""Backup: one tar file with the database as of one instant, the price files that it names, the settings and a manifest.

It needs no lock, so a daemon may write meanwhile: SQLite's online API copies the database, and a price file never changes. The
file gets its name after everything in it was checked. Not here: putting it back (restore).
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from tickercast.jobs.errors import UsageError
from tickercast.jobs.monitoring.backups import MANIFEST
from tickercast.jobs.terminal.progress import ShowMore, counted_progress, progress_bar
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.home import Home
from tickercast.jobs.workspace.place import DATABASE_FILE, SETTINGS_FILE, Place, refuse_store
from tickercast.storage import queries, verify
from tickercast.storage.copies import copy_database
from tickercast.storage.database import reading
from tickercast.storage.errors import Corrupt, StoreUnwritable
from tickercast.storage.files import HashedReader, make_folder, open_regular, rename_durably, sha256_of, sha256_of_file
from tickercast.storage.paths import real_path
from tickercast.storage.price_store import PriceAddress, price_store, read_ahead
from tickercast.storage.versions import check_revision, database_id, stored_revision

FORMAT = 1
PRICES = "prices"
PARTIAL = ".partial"
MODE, SECRET_MODE = 0o640, 0o600  # the settings may hold a password


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. sha256: of each member, by its name. revision: of the database's schema.

    home, database_id: whose it is, if told.
    """

    format: int
    made_at: str
    program: str
    revision: str
    content_hash: str
    sha256: dict[str, str]
    home: str = ""
    database_id: str = ""


FIELDS = {field.name for field in fields(Manifest)}
OPTIONAL = {"home", "database_id"}  # earlier versions wrote none


def back_up(home: Home, target: Path, *, now: datetime) -> str:
    """Write a home into a tar file and return a closing line.

    An older backup of that name is replaced by the finished one. Raises UsageError for a target that is something else or lies in
    the home, and for a store outside of the home, what check_revision raises, Corrupt where the database or a price file is
    damaged, StoreUnwritable where the target cannot be written; then there is no new file.
    """
    _refuse_target(target)
    refuse_inside(home.folder, target, "the backup")
    database = refuse_outside(home.place)
    check_revision(database)  # so that an error names this file and not its copy
    partial, copy = target.with_name(f"{target.name}{PARTIAL}"), target.with_name(f"{target.name}.db{PARTIAL}")
    try:
        make_folder(target.parent)
        _remove(partial, copy)  # of a backup that was killed
        try:
            with progress_bar("copying the database"):
                copy_database(database, copy)
        except StoreUnwritable as error:
            raise StoreUnwritable(f"{target}: the database cannot be copied beside it; no backup was made ({error})") from error
        with _named_in_errors(database, copy):
            manifest = _written(home, copy, partial, now)
        _refuse_other_content(partial, manifest)
        rename_durably(partial, target)
    except OSError as error:
        raise StoreUnwritable(f"{target}: {error.strerror}; no backup was made, and an older one stays") from error
    finally:
        _remove(partial, copy)
    size = target.stat().st_size / 1e6
    return f"{counted(len(manifest.sha256), 'file')}, {size:.1f} MB, are in {target}; each was read again and is sound"


def read_manifest(archive: tarfile.TarFile) -> Manifest:
    """Return the manifest of a backup. Raises Corrupt for a file that is none, or that a later version made."""
    name = str(archive.name)
    try:
        member = archive.extractfile(MANIFEST)
        values = json.loads(member.read()) if member else {}
    except (KeyError, ValueError, tarfile.TarError):
        values = {}
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise Corrupt(f"{name}: not a backup of Tickercast")
    if values["format"] != FORMAT:
        raise Corrupt(f"{name}: made by a later version of Tickercast, which this one cannot read")
    texts = [values.get(key, "") for key in FIELDS - {"format", "sha256"}]
    is_whole = FIELDS - OPTIONAL <= set(values) <= FIELDS and isinstance(values["sha256"], dict)
    if not is_whole or not all(isinstance(text, str) for text in texts):
        raise Corrupt(f"{name}: its manifest is damaged")
    return Manifest(**values)


def refuse_outside(place: Place) -> Path:
    """Return the path of a home's database. Raises UsageError where that or the prices lie in a folder outside of its own.

    Prices in a bucket are no folder: a backup has copies of them, and a restore puts them there again.
    """
    database = place.database_file
    if database is None:
        raise UsageError("store.url names a server; back it up with its own tools (docs/guides/backups.md); nothing was written")
    for name, path in (("store.url", database), ("store.prices", place.prices)):
        if isinstance(path, Path) and not real_path(path).is_relative_to(real_path(place.folder)):
            raise UsageError(f"{name} lies outside of the home ({path}); such a home cannot be backed up or restored as one file")
    return database


def refuse_inside(folder: Path, path: Path, name: str) -> None:
    """Raise UsageError for a place of backups in a home, which a restore would put aside with it. name: what lies there."""
    if real_path(path).is_relative_to(real_path(folder)):
        raise UsageError(
            f"{name} lies in the home ({path}), which a restore replaces; nothing was written; name one outside of it"
        )


@contextmanager
def _named_in_errors(database: Path, copy: Path) -> Iterator[None]:
    """Raise an error about damage in a copy as one about the database, which has it too."""
    try:
        yield
    except Corrupt as error:
        about_copy = f"{copy}: "
        if not str(error).startswith(about_copy):
            raise
        raise Corrupt(f"{database}: {str(error).removeprefix(about_copy)}; no backup was made") from error


def _refuse_target(target: Path) -> None:
    """Raise UsageError unless a backup may be written: there is no file of that name, or it is an older backup."""
    refuse_store(target)
    if not target.exists():
        return
    try:
        with tarfile.open(target, "r:") as archive:
            read_manifest(archive)
    except (OSError, tarfile.TarError, Corrupt) as error:
        raise UsageError(f"{target} exists and is no backup; nothing was written; name another file") from error


def _written(home: Home, copy: Path, partial: Path, now: datetime) -> Manifest:
    """Write the tar file and return its manifest. Raises Corrupt."""
    with reading(copy) as connection:
        problems = verify.find_problems(connection, home.prices)
        if problems:
            of_database = f"{home.database}: " if problems[0].startswith(verify.STRUCTURE) else ""
            raise Corrupt(f"{of_database}{problems[0]}; no backup was made")
        paths = queries.current_paths(connection)
        with counted_progress("hashing rows", verify.rows_to_hash(connection)) as seen:
            content_hash = verify.content_hash(connection, seen)
    members = {DATABASE_FILE: copy}
    if (home.folder / SETTINGS_FILE).exists():
        members[SETTINGS_FILE] = home.folder / SETTINGS_FILE
    size = sum(path.stat().st_size for path in members.values())
    with partial.open("wb") as file, tarfile.open(fileobj=file, mode="w") as archive:
        os.fchmod(file.fileno(), SECRET_MODE)
        with counted_progress("writing the database", size) as read:
            hashes = {name: _add_file(archive, name, path, now, read) for name, path in members.items()}
        hashes |= _add_prices(archive, home.prices, paths, now)
        manifest = Manifest(
            FORMAT,
            now.isoformat(),
            version("tickercast"),
            stored_revision(copy) or "",
            content_hash,
            hashes,
            str(real_path(home.folder)),
            database_id(copy),
        )
        content = json.dumps(asdict(manifest), indent=1).encode()
        archive.addfile(_member(MANIFEST, len(content), now), BytesIO(content))
    return manifest


def _add_file(archive: tarfile.TarFile, name: str, path: Path, now: datetime, read: ShowMore) -> str:
    """Add a file and return the hash of what was added. Raises Corrupt for one that is no regular file."""
    with open_regular(path) as file:
        hashed = HashedReader(file, read)
        archive.addfile(_member(name, os.fstat(file.fileno()).st_size, now), hashed)
    return hashed.sha256


def _add_prices(archive: tarfile.TarFile, address: PriceAddress, paths: Sequence[str], now: datetime) -> dict[str, str]:
    """Add price files and return the hash of each by its member's name."""
    prices, hashes = price_store(address), {}
    with counted_progress("writing price files", len(paths)) as written:
        for path in read_ahead(address, paths, str):
            name, content = f"{PRICES}/{path}", prices.read(path)
            archive.addfile(_member(name, len(content), now), BytesIO(content))
            hashes[name] = sha256_of(content)
            written(1)
    return hashes


def _member(name: str, size: int, now: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    mode = SECRET_MODE if name == SETTINGS_FILE else MODE
    member.size, member.mode, member.mtime = size, mode, int(now.timestamp())
    return member


def _refuse_other_content(partial: Path, manifest: Manifest) -> None:
    """Read a finished file again. Raises Corrupt where a member is not what was written."""
    size = partial.stat().st_size
    with tarfile.open(partial) as archive, counted_progress("reading the backup again", size) as read:
        if read_manifest(archive) != manifest:
            raise Corrupt(f"{partial}: the disk gives back another manifest than was written; no backup was made")
        for name, sha256 in manifest.sha256.items():
            member = archive.extractfile(name)
            if member is None or sha256_of_file(member, read) != sha256:
                raise Corrupt(f"{partial}: the disk gives back another {name} than was written; no backup was made")


def _remove(*paths: Path) -> None:
    for path in paths:
        for each in (path, *(path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm", "-journal"))):
            each.unlink(missing_ok=True)
