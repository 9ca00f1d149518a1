"""The text of a new settings file: every key with its meaning, at its default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tickercast.jobs.workspace.config import PRESETS
from tickercast.jobs.workspace.setting_values import without_secret
from tickercast.jobs.workspace.settings import Settings, fields_of

COMMENT_COLUMN = 44


def settings_template(preset: str = "density", settings: Mapping[str, Any] | None = None) -> str:
    """Return the text of a new settings file: every key with its meaning, commented out and at its default.

    settings: values by `section.key` that stand there instead, not commented out.
    """
    chosen = {**({} if preset == "density" else {"model.preset": preset}), **(settings or {})}
    lines = ["# Tickercast settings. Uncomment a line to change it; TICKERCAST_SECTION__KEY overrides it.", ""]
    for section, field in Settings.model_fields.items():
        lines.append(f"[{section}]")
        for key, info in fields_of(field.annotation).items():
            name = f"{section}.{key}"
            value = _toml(chosen[name] if name in chosen else _default_of(key, info.default, preset))
            mark = "" if name in chosen else "# "
            lines.append(f"{mark}{key} = {value} ".ljust(COMMENT_COLUMN) + f"# {info.description}")
        lines.append("")
    return "\n".join(lines)


def _default_of(key: str, default: object, preset: str) -> object:
    if default is None:
        return getattr(PRESETS[preset], key)
    return without_secret(default)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return toml_text(value) if isinstance(value, str) else str(value)


def toml_text(text: str) -> str:
    """Return a text as a TOML string."""
    # JSON's escapes are TOML's, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
