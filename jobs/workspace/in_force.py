"""The settings that were valid last. They serve the daemon while its settings file is not valid, so a typing error stops nothing.

Only the processes of the daemon say `serve_last_valid`: other commands, and a daemon that starts, refuse wrong settings. They
are kept in memory alone, since they may hold passwords: the daemon hands them to each of its processes.
"""

from __future__ import annotations

from pathlib import Path

from tickercast.jobs.errors import SettingsError
from tickercast.jobs.workspace.place import SETTINGS_FILE, settings_bytes
from tickercast.jobs.workspace.settings import Settings, read_settings

_valid: dict[Path, bytes | None] = {}  # by home; None = none were valid yet


def serve_last_valid(folder: Path, content: bytes | None) -> None:
    """Let the settings of a home that were valid last serve this process while its file is not valid. content: of that file."""
    _valid[folder] = content if content is not None else _valid.get(folder)


def last_valid(folder: Path) -> bytes | None:
    """Return the content of the settings file that was valid last, None where none was or none is kept."""
    return _valid.get(folder)


def settings_in_force(folder: Path) -> tuple[Settings, bytes | None, str]:
    """Return the settings of a home, and where its file is not valid the content that serves and why the file does not.

    Raises SettingsError where the file is not valid and no other content serves.
    """
    path = folder / SETTINGS_FILE
    if folder not in _valid:
        return read_settings(path), None, ""
    try:
        content = _content_of(path)
        settings = read_settings(path, content=content)
        settings.config()  # refuses contradictions
    except SettingsError as error:
        if (kept := _valid[folder]) is None:
            raise
        return read_settings(path, content=kept), kept, str(error)
    _valid[folder] = content
    return settings, None, ""


def _content_of(path: Path) -> bytes:
    """Return the content of a settings file, b"" without one: all defaults. Raises SettingsError."""
    try:
        return settings_bytes(path)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
