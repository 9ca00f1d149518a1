"""The home: one folder with the settings file, the database, the prices and the locks.

`init` creates a home, and so do the commands that backfill, when it is missing. Every other command needs an existing one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobs.errors import HomeUnwritable, SettingsError, UsageError
from jobs.workspace.settings import Settings, read_settings, settings_template

SETTINGS_FILE = "tickercast.toml"
DATABASE_FILE = "tickercast.db"
SQLITE_PREFIX = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one home and its settings."""

    folder: Path
    settings: Settings

    @property
    def database(self) -> Path:
        """Return the path of the SQLite file. Raises SettingsError for a URL of another kind of database."""
        url = self.settings.store.url.get_secret_value()
        if not url:
            return self.folder / DATABASE_FILE
        if not url.startswith(SQLITE_PREFIX):
            # Only the part before :// is shown: whatever else was written may be a password.
            kind, found, _ = url.partition("://")
            given = f", not {kind!r}" if found else ""
            raise SettingsError(f"store.url: only {SQLITE_PREFIX}PATH is supported{given}")
        return self.folder / url.removeprefix(SQLITE_PREFIX)

    @property
    def prices(self) -> Path:
        """Return the folder of the Parquet files."""
        return self.folder / (self.settings.store.prices or "prices")

    @property
    def cache(self) -> Path:
        """Return the folder of files that can be deleted at any time."""
        return self.folder / "cache"

    def settings_changed_at(self) -> datetime:
        """Return when the settings file was last written; the earliest instant without one."""
        try:
            return datetime.fromtimestamp((self.folder / SETTINGS_FILE).stat().st_mtime, UTC)
        except OSError:
            return datetime.min.replace(tzinfo=UTC)


def home_folder(option: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the absolute path of the home: the option, else TICKERCAST_HOME, else ./tickercast-home."""
    return (option or Path(environment.get("TICKERCAST_HOME") or "tickercast-home")).expanduser().absolute()


def open_home(folder: Path) -> Home:
    """Return an existing home. Raises UsageError when there is none, HomeUnwritable when it cannot be read."""
    try:
        exists = (folder / SETTINGS_FILE).exists() or (folder / DATABASE_FILE).exists()
    except OSError as error:
        raise HomeUnwritable(f"{folder}: {error.strerror}; nothing was changed") from error
    if not exists:
        raise UsageError(f"{folder} is not a Tickercast home; create one with `tickercast --home {folder} init`")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise HomeUnwritable(f"{folder}: permission denied; nothing was changed")
    return Home(folder, read_settings(folder / SETTINGS_FILE))


def create_home(folder: Path, preset: str = "density") -> Home:
    """Return the home, created with a commented settings file if it is missing. An existing settings file is not changed.

    Raises UsageError when a file is in the way, HomeUnwritable when the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        settings_file = folder / SETTINGS_FILE
        if not settings_file.exists():
            settings_file.write_text(settings_template(preset), encoding="utf-8")
            settings_file.chmod(0o600)
        home = Home(folder, read_settings(settings_file))
        home.prices.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder}: a file is in the way of the home") from error
    except OSError as error:
        raise HomeUnwritable(f"{folder}: {error.strerror}; nothing was changed") from error
    return home


def require_writable(home: Home) -> None:
    """Raise HomeUnwritable before any work when the home's folder cannot be written."""
    if not os.access(home.folder, os.W_OK | os.X_OK):
        raise HomeUnwritable(f"{home.folder}: permission denied for writing; nothing was changed")
