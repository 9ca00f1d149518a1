"""Where a home's database and prices are. Commands that only read take this instead of the whole settings, which load slowly.

Wrong settings are reported all the same: they are checked as a whole until they are found valid, and the cache keeps their hash.
Not here: the settings (settings), or the home of commands that write (home).
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tickercast.jobs.errors import HomeUnwritable, SettingsError, UsageError
from tickercast.jobs.terminal.secrets import learn_settings
from tickercast.storage.address import POSTGRES_PREFIXES, Database, PostgresServer
from tickercast.storage.object_address import AddressRefused, is_url, object_address
from tickercast.storage.paths import real_path, user_path
from tickercast.storage.price_store import PriceAddress

SETTINGS_FILE = "tickercast.toml"
DATABASE_FILE = "tickercast.db"
SQLITE_PREFIX = "sqlite:///"
WRITTEN_LIKE = "write it like postgresql://HOST:5432/DATABASE, with USER@ before HOST"  # a user there would be hidden
ENVIRONMENT_PREFIX = "TICKERCAST_"
NOT_SETTINGS = {"TICKERCAST_HOME"}
CHECKED_FILE = "checked-settings"
STORE_KEYS = ("url", "prices", "reader_url")  # in the order of Place
STORE_FOLDERS = ("prices", "cache")
SQLITE_HEADER = b"SQLite format 3\0"
MOST_CHECKED = 20  # texts that the cache remembers, the newest last
# What decides whether settings are valid. Another version of the program checks them again.
CHECKING_MODULES = ("settings.py", "sections.py", "setting_values.py", "config.py", "choices.py")


@dataclass(frozen=True, slots=True)
class Place:
    """The paths of one home. store_url, store_prices, reader_url: the settings of section [store]."""

    folder: Path
    store_url: str
    store_prices: str
    reader_url: str = ""

    @property
    def database(self) -> Database:
        """Return the path of the SQLite file, or the server. Raises SettingsError for a URL of another kind of database."""
        if not self.store_url:
            return self.folder / DATABASE_FILE
        if self.store_url.startswith(POSTGRES_PREFIXES):
            return _server(self.store_url)
        if not self.store_url.startswith(SQLITE_PREFIX):
            # Only the part before :// is shown: whatever else was written may be a password.
            kind, found, _ = self.store_url.partition("://")
            given = f", not {kind!r}" if found else ""
            raise SettingsError(f"store.url: only {SQLITE_PREFIX}PATH and {POSTGRES_PREFIXES[0]}... are supported{given}")
        if "?" in self.store_url:  # else the options, which may hold a key, would become part of the file's name
            raise SettingsError(f"store.url: options after ? are not supported; write {SQLITE_PREFIX}PATH")
        return self.folder / self.store_url.removeprefix(SQLITE_PREFIX)

    @property
    def database_file(self) -> Path | None:
        """Return the path of the SQLite file, None where the record is on a server."""
        database = self.database
        return database if isinstance(database, Path) else None

    @property
    def reader(self) -> PostgresServer | None:
        """Return the server by the login that may only read, None where the settings name none. Raises SettingsError."""
        if not self.reader_url:
            return None
        if not isinstance(self.database, PostgresServer):
            raise SettingsError("store.reader_url: store.url names no server; remove it: a SQLite file needs no login")
        if not self.reader_url.startswith(POSTGRES_PREFIXES):  # what was written is not shown
            raise SettingsError(f"store.reader_url: {WRITTEN_LIKE}")
        return _server(self.reader_url, "reader_url")

    @property
    def prices(self) -> PriceAddress:
        """Return where the Parquet files are: a folder, or a bucket. Raises SettingsError."""
        if not is_url(self.store_prices):
            return self.folder / (self.store_prices or "prices")
        try:
            return object_address(self.store_prices)
        except AddressRefused as error:
            raise SettingsError(f"store.prices: {error}") from error

    @property
    def cache(self) -> Path:
        """Return the folder of files that can be deleted at any time."""
        return self.folder / "cache"


def _server(url: str, key: str = "url") -> PostgresServer:
    """Return the server that a URL names. Raises SettingsError for one without a database, or that is none."""
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.path.strip("/")) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole:  # what was written is not shown: it may hold a password
        raise SettingsError(f"store.{key}: {WRITTEN_LIKE}")
    return PostgresServer(url)


def settings_bytes(path: Path) -> bytes:
    """Return the bytes of a settings file. Raises OSError where there is none, or a pipe or a device in its place."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read()


def home_folder(option: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the absolute path of the home: the option, else TICKERCAST_HOME, else ./tickercast-home."""
    return user_path(option or environment.get("TICKERCAST_HOME") or "tickercast-home").absolute()


def open_place(folder: Path, environment: Mapping[str, str] | None = None) -> Place:
    """Return the paths of an existing home. Raises what require_home raises, and SettingsError for wrong settings.

    A home that a killed `restore` has left in pieces is put together, and what was found valid is noted in the cache.
    """
    require_home(folder)
    content, variables = _given(folder, os.environ if environment is None else environment)
    digest = _digest(content, variables)
    if digest not in _checked(folder):
        _check(folder, environment)
        _note_checked(folder, digest)
    return _place(folder, content, variables)


def view_place(folder: Path, environment: Mapping[str, str] | None = None) -> Place:
    """Return the paths of an existing home, and write nothing at all. Raises UsageError, HomeUnwritable and SettingsError."""
    _require(folder, lambda: is_home(folder))
    content, variables = _given(folder, os.environ if environment is None else environment)
    if _digest(content, variables) not in _checked(folder):
        _check(folder, environment)
    return _place(folder, content, variables)


def require_home(folder: Path) -> None:
    """Raise UsageError when there is no home in a folder, HomeUnwritable when it cannot be read."""
    _require(folder, lambda: is_home(folder) or _was_replaced(folder))


def _require(folder: Path, exists: Callable[[], bool]) -> None:
    try:
        found = exists()
    except OSError as error:
        raise HomeUnwritable(f"{folder}: {error.strerror}; nothing was changed") from error
    if not found:
        if folder.is_file():
            raise UsageError(f"{folder} is a file; give the folder of the home")
        raise UsageError(f"{folder} is not a Tickercast home; create one with `tickercast --home {folder} init`")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise HomeUnwritable(f"{folder}: permission denied; nothing was changed")


def is_home(folder: Path) -> bool:
    """Return whether there is a home in a folder. Raises OSError."""
    return (folder / SETTINGS_FILE).exists() or (folder / DATABASE_FILE).exists()


def _was_replaced(folder: Path) -> bool:
    """Put a restored home in its place where a kill has left it without one, and return whether there is a home now."""
    from tickercast.jobs.workspace.replacement import finish_replacement

    finish_replacement(real_path(folder))
    return is_home(folder)


def ignored_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that begin like ours and are no settings, since they name no key of a section."""
    names = (name for name in environment if name.upper().startswith(ENVIRONMENT_PREFIX) and "__" not in name)
    return sorted(name for name in names if name not in NOT_SETTINGS)


def _given(folder: Path, environment: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    """Return the settings file of a home, b"" without one, and the variables that may be settings."""
    given = {name.upper(): value for name, value in environment.items()}
    try:
        content = settings_bytes(folder / SETTINGS_FILE)
    except OSError:  # no file, or one that the full check will report
        content = b""
    learn_settings(content.decode(errors="replace"))
    return content, {name: value for name, value in given.items() if name.startswith(ENVIRONMENT_PREFIX)}


def _place(folder: Path, content: bytes, variables: Mapping[str, str]) -> Place:
    store: dict[str, Any] = tomllib.loads(content.decode()).get("store", {})
    return Place(folder, *(variables.get(f"{ENVIRONMENT_PREFIX}STORE__{key.upper()}", store.get(key, "")) for key in STORE_KEYS))


def _check(folder: Path, environment: Mapping[str, str] | None) -> None:
    """Raise SettingsError unless the settings are valid."""
    from tickercast.jobs.workspace.settings import read_settings  # takes 0.2 s to load

    read_settings(folder / SETTINGS_FILE, environment)


def _checked(folder: Path) -> list[str]:
    """Return the hashes of settings that were found valid."""
    try:
        return (folder / "cache" / CHECKED_FILE).read_text().split()
    except OSError:
        return []


def _note_checked(folder: Path, digest: str) -> None:
    checked = folder / "cache" / CHECKED_FILE
    with suppress(OSError):  # a home that may only be read
        checked.parent.mkdir(exist_ok=True)
        checked.touch(mode=0o600)
        checked.write_text("\n".join([*_checked(folder), digest][-MOST_CHECKED:]) + "\n")


def _digest(content: bytes, variables: Mapping[str, str]) -> str:
    """Return a hash of the settings and of what checks them."""
    states = [(Path(__file__).with_name(name)).stat() for name in CHECKING_MODULES]
    code = [(state.st_mtime_ns, state.st_size) for state in states]
    settings = sorted((name, value) for name, value in variables.items() if name not in NOT_SETTINGS)
    return hashlib.sha256(repr((content, settings, code)).encode()).hexdigest()


def refuse_store(target: Path) -> None:
    """Raise UsageError for a file to write that is part of a home's store, or any SQLite database."""
    refuse_part_of_store(target)
    with suppress(OSError):
        if is_sqlite(target):
            raise UsageError(f"{target} is a SQLite database; nothing was written; name another file")


def refuse_part_of_store(target: Path) -> None:
    """Raise UsageError for a file to write that is part of a home's store."""
    path = real_path(target)
    for folder in path.parents:
        found = (folder / SETTINGS_FILE).is_file() or (folder / DATABASE_FILE).is_file()
        if found and _is_of_store(path.relative_to(folder)):
            raise UsageError(f"{target} is a file of the home {folder}; nothing was written; name another file")


def is_sqlite(path: Path) -> bool:
    """Return whether a file is a SQLite database. Raises OSError."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(SQLITE_HEADER)) == SQLITE_HEADER


def _is_of_store(path: Path) -> bool:
    """Return whether a path below a home is one that the program keeps there."""
    first = path.parts[0]
    return first in STORE_FOLDERS or first == SETTINGS_FILE or first.startswith(DATABASE_FILE) or first.endswith(".lock")
