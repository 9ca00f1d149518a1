"""Whether a lock of the home is held, without waiting and without keeping anybody waiting. Not here: holding one (locks)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.connection import Reader


def is_held(folder: Path, name: str, database: Database, connection: Reader) -> bool | None:
    """Return whether a process holds the lock `daemon` or `writer` of a record; None where that cannot be seen.

    connection: reads the record, which is where a server's locks are.

    A record in a file has the locks of its home. Such a lock is taken as one of many readers for an instant. Who starts at that
    very instant tries again (locks.daemon_lock).
    """
    if isinstance(database, PostgresServer):
        from tickercast.storage.postgres.locks import is_held as is_held_on

        return is_held_on(connection, name)
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


def has_note(folder: Path, name: str) -> bool:
    """Return whether the note of a lock's holder is there: while it is held, and after its holder was killed."""
    return (folder / f"{name}.holder").exists()
