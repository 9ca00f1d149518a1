"""Restore: put a backup in the place of a home. Everything in it is checked first, and the home before stays beside it.

The new home is made beside the other and takes its place in one step (jobs.workspace.replacement), so a restore that is killed
is repeated from its beginning.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from tickercast.jobs.errors import JobError, UsageError
from tickercast.jobs.monitoring.backups import MANIFEST
from tickercast.jobs.runs.backup import PRICES, Manifest, read_manifest, refuse_outside
from tickercast.jobs.terminal.progress import ShowMore, counted_progress
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.locks import daemon_lock, writer_lock
from tickercast.jobs.workspace.ownership import keep_access
from tickercast.jobs.workspace.place import DATABASE_FILE, SETTINGS_FILE, Place, view_place
from tickercast.jobs.workspace.replacement import new_home_beside, replace_home
from tickercast.jobs.workspace.settings import read_settings
from tickercast.storage import verify
from tickercast.storage.address import PostgresServer
from tickercast.storage.database import Connection, reading
from tickercast.storage.errors import Corrupt, StorageError, StoreUnwritable
from tickercast.storage.files import HashedReader, sync_folder
from tickercast.storage.paths import real_path
from tickercast.storage.price_registry import register_database
from tickercast.storage.price_store import PriceAddress, price_store
from tickercast.storage.versions import check_revision, known_revisions, stored_revision

FILE_MODE, SETTINGS_MODE = 0o640, 0o600  # where no home is replaced; the settings, which may hold a password, in any case
HOME_FILES = (DATABASE_FILE, SETTINGS_FILE)


def restore(folder: Path, source: Path, *, now: datetime, wait_seconds: float) -> str:
    """Put a backup in the place of a home's folder and return a closing line.

    It keeps the owner, group and mode of the home that it replaces. Raises UsageError for a file that is missing and for settings
    that put the store elsewhere, Corrupt for a damaged backup, LockHeld while another process writes, HomeUnwritable where it
    cannot keep the owner, StoreUnwritable. The home is unchanged then.
    """
    if not source.is_file():
        fault = "not a file" if source.exists() else "no such file"
        raise UsageError(f"{source}: {fault}; name the file that `tickercast backup` wrote")
    folder = real_path(folder)
    try:
        with _locked(folder, wait_seconds), new_home_beside(folder, now) as staging:
            manifest = _extracted(source, staging)
            _verify(staging, manifest)
            register_database(_place(staging).prices, replace(_place(staging), folder=folder).database)
            keep_access(staging, folder, refuse_outside(_place(staging)))
            kept = replace_home(folder, staging, now)
            _remove_notes(kept)
    except tarfile.TarError as error:
        raise Corrupt(f"{source}: not a backup of Tickercast, or a damaged one; nothing was restored") from error
    except OSError as error:
        where = error.filename or folder
        raise StoreUnwritable(f"{where}: {error.strerror}; a home that was there is whole; repeat the command") from error
    before = f"; the home before is in {kept}" if kept else ""
    upgrade = "" if manifest.revision == known_revisions()[0] else "; its schema is older: run `tickercast db upgrade`"
    return f"{counted(len(manifest.sha256), 'file')} of {manifest.made_at[:19]}Z are back in {folder}{before}{upgrade}"


def _extracted(source: Path, staging: Path) -> Manifest:
    """Write the members of a backup into a new folder, each checked and flushed to disk. Raises Corrupt."""
    with tarfile.open(source, "r:") as archive:
        manifest = read_manifest(archive)
        names = [member.name for member in archive.getmembers()]
        if sorted(names) != sorted([*manifest.sha256, MANIFEST]) or not all(map(_is_ours, manifest.sha256)):
            raise Corrupt(f"{source}: its members are not those of its manifest; nothing was restored")
        place = _place(staging, _member_bytes(archive, SETTINGS_FILE) if SETTINGS_FILE in manifest.sha256 else b"")
        with counted_progress("reading the backup", source.stat().st_size) as read:
            for name, sha256 in manifest.sha256.items():
                if _extract(archive, name, place, read) != sha256:
                    raise Corrupt(f"{source}: {name} is damaged; nothing was restored")
        for inner, _, _ in os.walk(staging):
            sync_folder(Path(inner))
    return manifest


def _extract(archive: tarfile.TarFile, name: str, place: Place, read: ShowMore) -> str:
    """Write one member, flushed to disk or put into its bucket, and return its hash."""
    member = archive.extractfile(name)
    if member is None:
        raise Corrupt(f"{name} of the backup is no file; nothing was restored")
    reader = HashedReader(member, read)
    if name in HOME_FILES:
        path = place.folder / name if name == SETTINGS_FILE else refuse_outside(place)
    elif isinstance(place.prices, Path):
        path = place.prices / _price_path(name)
    else:
        return _put(name, reader, place.prices)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), SETTINGS_MODE if name == SETTINGS_FILE else FILE_MODE)
        shutil.copyfileobj(reader, file)
        file.flush()
        os.fsync(file.fileno())
    return reader.sha256


def _put(name: str, reader: HashedReader, prices: PriceAddress) -> str:
    """Put a price file into a bucket and return its hash. One whose name is not of its content is not put: others may use it."""
    content = reader.read()
    if reader.sha256.startswith(PurePosixPath(name).stem):
        price_store(prices).write(_price_path(name), content)
        return reader.sha256
    raise Corrupt(f"{name} of the backup has another content than its name says; nothing was restored")


def _verify(staging: Path, manifest: Manifest) -> None:
    """Raise Corrupt unless the extracted record is sound and the one that was backed up. An older schema is not looked into."""
    read_settings(staging / SETTINGS_FILE)
    place = _place(staging)
    if stored_revision(place.database) != manifest.revision:
        raise Corrupt("the database of the backup has another schema than its manifest says; nothing was restored")
    if manifest.revision in known_revisions()[1:]:
        return
    check_revision(place.database)
    with reading(place.database) as connection, counted_progress("checking rows", _rows_to_read(connection)) as seen:
        problems = verify.all_problems(connection, place.prices, seen)
        if not problems and verify.content_hash(connection, seen) != manifest.content_hash:
            problems = ["the record has another content hash than its manifest"]
    if problems:
        raise Corrupt(f"the backup is damaged: {problems[0]}; nothing was restored")


def _rows_to_read(connection: Connection) -> int:
    return verify.rows_to_check(connection) + verify.rows_to_hash(connection)


@contextmanager
def _locked(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Hold both locks of a home that exists, and the writer lock of its record on a server that answers. Raises LockHeld."""
    with ExitStack() as stack:
        if folder.is_dir():
            stack.enter_context(daemon_lock(folder))
            stack.enter_context(writer_lock(folder, command="restore", wait_seconds=wait_seconds))
        if (server := _server_of(folder)) is not None:
            with suppress(StorageError):  # a backup can be restored while the server is away
                stack.enter_context(writer_lock(folder, command="restore", wait_seconds=wait_seconds, database=server))
        yield


def _server_of(folder: Path) -> PostgresServer | None:
    """Return the server that has a home's record, None for a record in a file, and for a home that cannot be opened."""
    try:
        database = view_place(folder).database
    except JobError:
        return None
    return database if isinstance(database, PostgresServer) else None


def _remove_notes(kept: Path | None) -> None:
    """Remove the notes about who holds the locks from the home before: it is locked no longer."""
    if kept is not None:
        for note in kept.glob("*.holder"):
            note.unlink(missing_ok=True)


def _place(folder: Path, settings: bytes | None = None) -> Place:
    """Return the paths that a home's own settings give. Raises UsageError where they lie outside of its folder."""
    if settings is None:
        file = folder / SETTINGS_FILE
        settings = file.read_bytes() if file.exists() else b""
    try:
        store = tomllib.loads(settings.decode()).get("store", {})
    except ValueError as error:  # no UTF-8, or no TOML
        raise Corrupt(f"the settings of the backup cannot be read ({error}); nothing was restored") from error
    place = Place(folder, str(store.get("url", "")), str(store.get("prices", "")))
    refuse_outside(place)
    return place


def _price_path(name: str) -> str:
    """Return the path of a price file among the prices, from its member's name."""
    return PurePosixPath(name).relative_to(PRICES).as_posix()


def _is_ours(name: str) -> bool:
    """Return whether a member's name is one that a backup has, and leads nowhere else."""
    return name in HOME_FILES or _is_price_file(name)


def _is_price_file(name: str) -> bool:
    """Return whether a member's name is that of a price file."""
    path = PurePosixPath(name)
    return len(path.parts) == 3 and path.parts[0] == PRICES and path.suffix == ".parquet" and ".." not in path.parts


def _member_bytes(archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.extractfile(name)
    return member.read() if member else b""
