"""The URLs of notices, read without the other settings: also while those are wrong, somebody has to be told."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tickercast.jobs.terminal.secrets import learn_settings
from tickercast.jobs.workspace.place import ENVIRONMENT_PREFIX, SETTINGS_FILE

VARIABLE = f"{ENVIRONMENT_PREFIX}NOTICES__URLS"


def read_notice_urls(folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the URLs that a home's settings file and the environment name; none where they cannot be read."""
    given = {name.upper(): value for name, value in (os.environ if environment is None else environment).items()}
    try:
        text = (folder / SETTINGS_FILE).read_text(encoding="utf-8")
        learn_settings(text)
        section: Any = tomllib.loads(text).get("notices", {})
        in_file: Any = section.get("urls", []) if isinstance(section, dict) else []
        urls: Any = json.loads(given[VARIABLE]) if VARIABLE in given else in_file
    except (OSError, ValueError):
        return []
    return [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else []
