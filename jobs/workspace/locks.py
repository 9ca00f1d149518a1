"""The two locks of a home: a daemon holds daemon.lock while it runs, a writing command holds writer.lock while it writes.

The system frees a lock when its process ends, so a lock is never stale. A file next to the lock names its holder.
Only this module imports filelock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tickercast.jobs.errors import HomeUnwritable, LockHeld
from tickercast.storage.address import Database, PostgresServer

# `status` holds the lock for an instant, to see whether a daemon has it (lock_state).
LOOKED_AT_SECONDS = 0.5


@contextmanager
def writer_lock(folder: Path, *, command: str, wait_seconds: float, database: Database | None = None) -> Iterator[None]:
    """Hold the writer lock. Raises LockHeld, which names the holder, when it is not free within wait_seconds.

    database: the home's record. Where it is on a server, the lock there is held instead of the home's.
    """
    advice = "retry when it ends, or with a longer --wait"
    with _lock(folder, "writer", database, command=command, wait_seconds=wait_seconds, advice=advice):
        yield


@contextmanager
def daemon_lock(folder: Path, database: Database | None = None) -> Iterator[Callable[[], str | None]]:
    """Hold the daemon lock of a home, and of its record where that is on a server. Raises LockHeld when another daemon runs.

    Yields what renews the lock on the server, whose connection may be lost: it returns who else has taken it, None where it is
    held. Raises StorageError where the server is away.
    """
    advice = "stop it first"
    with _file_lock(folder, "daemon", command="daemon", wait_seconds=LOOKED_AT_SECONDS, advice=advice):
        if not isinstance(database, PostgresServer):
            yield lambda: None
            return
        from tickercast.storage.postgres.locks import KeptLock

        lock = KeptLock(database, "daemon", "daemon")
        try:
            if holder := lock.renew(LOOKED_AT_SECONDS):
                raise LockHeld(lock_taken("daemon", database, holder, advice))
            yield lock.renew
        finally:
            lock.release()


def lock_taken(name: str, place: object, holder: str, advice: str) -> str:
    """Return the message that somebody else holds a lock."""
    return f"the {name} lock of {place} is held by {holder}; nothing was changed; {advice}"


@contextmanager
def _lock(
    folder: Path, name: str, database: Database | None, *, command: str, wait_seconds: float, advice: str
) -> Iterator[None]:
    if not isinstance(database, PostgresServer):
        with _file_lock(folder, name, command=command, wait_seconds=wait_seconds, advice=advice):
            yield
        return
    from tickercast.storage.postgres.locks import advisory_lock

    with advisory_lock(database, name, command=command, wait_seconds=wait_seconds) as holder:
        if holder is not None:
            raise LockHeld(lock_taken(name, database, holder, advice))
        yield


@contextmanager
def _file_lock(folder: Path, name: str, *, command: str, wait_seconds: float, advice: str) -> Iterator[None]:
    note = folder / f"{name}.holder"
    lock = FileLock(folder / f"{name}.lock", mode=0o600)
    try:
        _acquire_here(lock, folder, wait_seconds)
    except Timeout as error:
        raise LockHeld(lock_taken(name, folder, _holder(note), advice)) from error
    except OSError as error:
        raise HomeUnwritable(f"{folder}: {error.strerror}; nothing was changed") from error
    try:
        _write_note(note, f"`tickercast {command}`, process {os.getpid()}")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _write_note(note: Path, text: str) -> None:
    try:
        note.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HomeUnwritable(f"{note}: {error.strerror}; what is stored stays; free space or mend permissions") from error


def _acquire_here(lock: FileLock, folder: Path, wait_seconds: float) -> None:
    """Acquire a lock in the folder that has the name now: a restore may have put another one in its place while we waited."""
    while True:
        inode = folder.stat().st_ino
        lock.acquire(timeout=wait_seconds, poll_interval=0.1)
        if folder.stat().st_ino == inode:
            return
        lock.release()


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Yield whether a file's lock is free; if so, hold it. Raises OSError when the file cannot be opened."""
    lock = FileLock(path, mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _holder(note: Path) -> str:
    try:
        return note.read_text(encoding="utf-8")
    except OSError:
        return "another process"
