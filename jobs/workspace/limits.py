"""The few settings that monitoring needs, read without pydantic: `status` must start quickly, and the idle daemon stay small.

Wrong values are reported elsewhere, where all settings are checked; here the default stands in for them.
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

from jobs.workspace.place import ENVIRONMENT_PREFIX, SETTINGS_FILE, settings_bytes

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


NUMBERS = {
    "after_close_minutes": "schedule",
    "grace_minutes": "monitor",
    "late_hours": "notices",
    "failures": "notices",
    "disk_free_megabytes": "notices",
    "port": "monitor",
}
TEXTS = {"backup_folder": ("backup", "folder"), "host": ("monitor", "host"), "textfile": ("monitor", "textfile")}


def is_address(host: str) -> bool:
    """Return whether a host is an IP address or localhost. Other names would have to be looked up, which may take long."""
    with suppress(ValueError):
        return host == "localhost" or bool(ip_address(host))
    return False


def read_limits(folder: Path, environment: Mapping[str, str] | None = None, *, last: Limits | None = None) -> Limits:
    """Return the limits that a home's settings file and the environment name; `last` while the file is there and is not TOML."""
    given = {name.upper(): value for name, value in (os.environ if environment is None else environment).items()}
    try:
        file = tomllib.loads(settings_bytes(folder / SETTINGS_FILE).decode())
    except (OSError, ValueError) as error:  # no file, or one that the full check reports
        if last is not None and not isinstance(error, FileNotFoundError):
            return last
        file = {}

    def value_of(section: str, key: str) -> Any:
        of_section = file.get(section)
        in_file = of_section.get(key) if isinstance(of_section, dict) else None
        return given.get(f"{ENVIRONMENT_PREFIX}{section}__{key}".upper(), in_file)

    found: dict[str, Any] = {}
    for name, (section, key) in TEXTS.items():
        if isinstance(value := value_of(section, key), str):
            found[name] = value
    for name, section in NUMBERS.items():
        with suppress(TypeError, ValueError):
            found[name] = float(value_of(section, name))
    return Limits(**found)
