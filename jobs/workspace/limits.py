"""The few settings that monitoring needs, read without pydantic: `status` must start quickly, and the idle daemon stay small.

Wrong values are reported elsewhere, where all settings are checked. Here the limits before, or the default, stand in for them.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tickercast.jobs.workspace.place import ENVIRONMENT_PREFIX, SETTINGS_FILE, settings_bytes

AFTER_CLOSE_MINUTES = 45
GRACE_MINUTES = 60
LATE_HOURS = 6.0
FAILURES = 3
DISK_FREE_MEGABYTES = 500
MONITOR_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What monitoring needs to know.

    When a session counts as closed, when as late, when a failure is told, when the disk is short; where backups are; where
    metrics are served and written. port 0, backup_folder "", textfile "": none.
    """

    after_close_minutes: float = AFTER_CLOSE_MINUTES
    grace_minutes: float = GRACE_MINUTES
    late_hours: float = LATE_HOURS
    failures: float = FAILURES
    disk_free_megabytes: float = DISK_FREE_MEGABYTES
    backup_folder: str = ""
    host: str = MONITOR_HOST
    port: float = 0
    textfile: str = ""

    @property
    def grace(self) -> timedelta:
        """Return how long after its close a session without forecasts is late."""
        return timedelta(minutes=self.after_close_minutes + self.grace_minutes)

    @property
    def told_late(self) -> timedelta:
        """Return how long after its close a session without forecasts is told about."""
        return timedelta(minutes=self.after_close_minutes, hours=self.late_hours)


# The setting of each limit: its section and its key.
SETTINGS = {
    "after_close_minutes": ("schedule", "after_close_minutes"),
    "grace_minutes": ("monitor", "grace_minutes"),
    "late_hours": ("notices", "late_hours"),
    "failures": ("notices", "failures"),
    "disk_free_megabytes": ("notices", "disk_free_megabytes"),
    "backup_folder": ("backup", "folder"),
    "host": ("monitor", "host"),
    "port": ("monitor", "port"),
    "textfile": ("monitor", "textfile"),
}
TEXTS = ("backup_folder", "host", "textfile")
LARGEST = 1e7  # number of any setting: with more minutes an instant would be beyond the years that Python knows


def is_address(host: str) -> bool:
    """Return whether a host is an IP address or localhost. Other names would have to be looked up, which may take long."""
    with suppress(ValueError):
        return host == "localhost" or bool(ip_address(host))
    return False


def read_limits(folder: Path, environment: Mapping[str, str] | None = None, *, last: Limits | None = None) -> Limits:
    """Return the limits that a home's settings file and the environment name.

    last: returned in their place while the file is there and cannot be read, or one of these values is wrong.
    """
    given = {name.upper(): value for name, value in (os.environ if environment is None else environment).items()}
    try:
        file = tomllib.loads(settings_bytes(folder / SETTINGS_FILE).decode())
    except (OSError, ValueError) as error:  # no file, or one that the full check reports
        if last is not None and not isinstance(error, FileNotFoundError):
            return last
        file = {}

    found: dict[str, Any] = {}
    for name, (section, key) in SETTINGS.items():
        of_section = file.get(section)
        in_file = of_section.get(key) if isinstance(of_section, dict) else None
        value = given.get(f"{ENVIRONMENT_PREFIX}{section}__{key}".upper(), in_file)
        if value is None:
            continue
        try:
            found[name] = _text(name, value) if name in TEXTS else _number(value)
        except (TypeError, ValueError, OverflowError):
            if last is not None:
                return last
    return Limits(**found)


def _text(name: str, value: object) -> str:
    """Return a value that is a text, of the host an address. Raises ValueError for another one."""
    if not isinstance(value, str) or (name == "host" and not is_address(value)):
        raise ValueError(f"{name}: {value!r}")
    return value


def _number(value: Any) -> float:
    """Return a value as a number. Raises TypeError, ValueError or OverflowError for another one, and for one out of bounds."""
    number = float(value)
    if isinstance(value, bool) or not 0 <= number <= LARGEST:  # also what is not a number
        raise ValueError(f"{value!r} is out of bounds")
    return number
