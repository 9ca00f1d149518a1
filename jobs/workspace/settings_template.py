"""The text of a new settings file: every key with its meaning, at its default."""

from __future__ import annotations

from tickercast.jobs.workspace.config import PRESETS
from tickercast.jobs.workspace.setting_values import without_secret
from tickercast.jobs.workspace.settings import Settings, fields_of

COMMENT_COLUMN = 44


def settings_template(preset: str = "density") -> str:
    """Return the text of a new settings file: every key with its meaning, commented out and at its default."""
    lines = ["# Tickercast settings. Uncomment a line to change it; TICKERCAST_SECTION__KEY overrides it.", ""]
    for section, field in Settings.model_fields.items():
        lines.append(f"[{section}]")
        for key, info in fields_of(field.annotation).items():
            value = _toml(_default_of(key, info.default, preset))
            mark = "" if key == "preset" and preset != "density" else "# "
            lines.append(f"{mark}{key} = {value}".ljust(COMMENT_COLUMN) + f"# {info.description}")
        lines.append("")
    return "\n".join(lines)


def _default_of(key: str, default: object, preset: str) -> object:
    if key == "preset":
        return preset
    if default is None:
        return getattr(PRESETS[preset], key)
    return without_secret(default)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
