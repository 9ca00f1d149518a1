"""The home: one folder with the settings file, the database, the prices and the locks.

`init` creates a home, and so do the commands that backfill, when it is missing. Every other command needs an existing one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tickercast.jobs.errors import HomeUnwritable, UsageError
from tickercast.jobs.terminal.log_file import LogFile
from tickercast.jobs.workspace.in_force import settings_in_force
from tickercast.jobs.workspace.place import SETTINGS_FILE, Place, refuse_store, require_home
from tickercast.jobs.workspace.replacement import finish_replacement
from tickercast.jobs.workspace.setting_values import RETIRED_KEYS
from tickercast.jobs.workspace.settings import Settings, read_settings, retired_keys
from tickercast.jobs.workspace.settings_template import settings_template
from tickercast.storage.address import Database
from tickercast.storage.files import make_folder
from tickercast.storage.paths import real_path, user_path
from tickercast.storage.price_store import PriceAddress, price_store


@dataclass(frozen=True, slots=True)
class Home:
    """One home: its paths and its settings.

    settings_content: what they were read from, None = the settings file. refused: why that one is not valid, "" where it is.
    """

    folder: Path
    settings: Settings
    settings_content: bytes | None = field(default=None, repr=False)
    refused: str = ""

    @property
    def place(self) -> Place:
        """Return the home's paths."""
        store = self.settings.store
        return Place(self.folder, store.url.get_secret_value(), store.prices, store.reader_url.get_secret_value())

    @property
    def database(self) -> Database:
        """Return the path of the SQLite file, or the server. Raises SettingsError for a URL of another kind of database."""
        return self.place.database

    @property
    def prices(self) -> PriceAddress:
        """Return where the Parquet files are: a folder, or a bucket. Raises SettingsError."""
        return self.place.prices

    @property
    def cache(self) -> Path:
        """Return the folder of files that can be deleted at any time."""
        return self.place.cache

    def log_file(self) -> LogFile | None:
        """Return the file for log lines that the settings name, None without one. Raises UsageError for a file of a store."""
        log = self.settings.log
        if not log.file:
            return None
        path = self.folder / user_path(log.file)
        refuse_store(path)
        return LogFile(path, most_bytes=log.max_megabytes * 1_000_000, keep=log.keep)

    def settings_changed_at(self) -> datetime:
        """Return when the settings file was last written; the earliest instant without one."""
        try:
            return datetime.fromtimestamp((self.folder / SETTINGS_FILE).stat().st_mtime, UTC)
        except OSError:
            return datetime.min.replace(tzinfo=UTC)

    def retired_settings(self) -> list[str]:
        """Return a line for each key of the settings file that no longer has an effect."""
        keys = retired_keys(self.folder / SETTINGS_FILE, self.settings_content)
        return [f"{key} in {SETTINGS_FILE} has no effect any more; see {RETIRED_KEYS[key]}" for key in keys]


def open_home(folder: Path) -> Home:
    """Return an existing home. Raises what require_home raises, and SettingsError."""
    require_home(folder)
    return Home(folder, *settings_in_force(folder))


def create_home(folder: Path, preset: str = "density", settings: Mapping[str, Any] | None = None) -> Home:
    """Return the home, created with a commented settings file if it is missing. An existing settings file is not changed.

    settings: values of a new file by `section.key`, beside the defaults.

    Raises UsageError when a file is in the way, HomeUnwritable when the folder cannot be made.
    """
    try:
        finish_replacement(real_path(folder))
        make_folder(folder)
        settings_file = folder / SETTINGS_FILE
        if not settings_file.exists():
            settings_file.write_text(settings_template(preset, settings), encoding="utf-8")
            settings_file.chmod(0o600)
        home = Home(folder, read_settings(settings_file))
        price_store(home.prices).prepare()
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder}: a file is in the way of the home") from error
    except OSError as error:
        raise HomeUnwritable(f"{folder}: {error.strerror}; nothing was changed") from error
    return home


def require_writable(home: Home) -> None:
    """Raise HomeUnwritable before any work when the home's folder cannot be written."""
    if not os.access(home.folder, os.W_OK | os.X_OK):
        raise HomeUnwritable(f"{home.folder}: permission denied for writing; nothing was changed")
