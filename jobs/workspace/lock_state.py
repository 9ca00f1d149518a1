"""Whether a lock of the home is held, without waiting and without keeping anybody waiting. Not here: holding one (locks)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.errors import StorageError


def is_held(folder: Path, name: str, database: Database) -> bool | None:
    """Return whether a process holds the lock `daemon` or `writer` of a record; None where that cannot be seen.

    A record in a file has the locks of its home. Such a lock is taken as one of many readers for an instant. Who starts at that
    very instant tries again (locks.daemon_lock).
    """
    if isinstance(database, PostgresServer):
        return _is_held_on_server(database, name)
    try:
        file = os.open(folder / f"{name}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(file)


def _is_held_on_server(server: PostgresServer, name: str) -> bool | None:
    from tickercast.storage.postgres.locks import is_held as is_held_on

    try:
        return is_held_on(server, name)
    except StorageError:
        return None


def has_note(folder: Path, name: str) -> bool:
    """Return whether the note of a lock's holder is there: while it is held, and after its holder was killed."""
    return (folder / f"{name}.holder").exists()
