"""Whether a lock of the home is held, without waiting and without keeping anybody waiting. Not here: holding one (locks)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_held(folder: Path, name: str) -> bool | None:
    """Return whether a process holds the lock `daemon` or `writer` of a home; None where the lock cannot be opened.

    The lock is taken as one of many readers for an instant. Who starts at that very instant tries again (locks.daemon_lock).
    """
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
