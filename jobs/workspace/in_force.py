"""The settings that were valid last. They serve the daemon while its settings file is not valid, so a typing error stops nothing.

Only the daemon's own processes say `serve_last_valid`: every other command, and a daemon that starts, refuses wrong settings. The
copy is a file of the cache, readable by its owner alone.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from jobs.errors import SettingsError
from jobs.workspace.place import SETTINGS_FILE
from jobs.workspace.settings import Settings, read_settings

COPY = "settings-in-force.toml"

_served: set[Path] = set()


def serve_last_valid(folder: Path) -> None:
    """Let the settings of a home that were valid last serve this process while its file is not valid."""
    _served.add(folder)


def settings_in_force(folder: Path) -> tuple[Settings, Path, str]:
    """Return the settings of a home, their file, and why it is not the home's own: "" where it is.

    Raises SettingsError where the file is not valid and no other serves.
    """
    own, copy = folder / SETTINGS_FILE, folder / "cache" / COPY
    if folder not in _served:
        return read_settings(own), own, ""
    try:
        settings = read_settings(own)
        settings.config()  # refuses contradictions
    except SettingsError as error:
        if not copy.exists():
            raise
        return read_settings(copy), copy, str(error)
    _keep(own, copy)
    return settings, own, ""


def _keep(own: Path, copy: Path) -> None:
    """Copy a valid settings file; a home without one has no copy. What cannot be written serves nobody, and does no harm."""
    part = copy.with_suffix(".part")
    with suppress(OSError):
        if not own.exists():
            copy.unlink(missing_ok=True)
            return
        content = own.read_bytes()
        if copy.exists() and copy.read_bytes() == content:
            return
        copy.parent.mkdir(exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        part.replace(copy)
