"""docs/commands.md, generated from the command line and the settings by `python -m jobs.cli.reference`."""

from __future__ import annotations

from pathlib import Path

import typer

from jobs.cli.app import app
from jobs.workspace.settings import settings_template

PATH = Path(__file__).parent.parent.parent / "docs" / "commands.md"
HEAD = """# Commands and settings

Generated from the code by `python -m jobs.cli.reference`. Results go to stdout, everything else to stderr.
Options follow the command.

Exit codes: 0 done or nothing to do, 1 our bug, 2 usage or settings, 3 some tickers failed and the rest is committed, 4 source
unavailable and nothing new, 5 storage (disk full, read-only, busy), 6 integrity, 7 the lock is held, 8 query refused or over
its limit, 130 and 143 interrupted.
"""


def commands_page() -> str:
    """Return the page: every command with its arguments and options, then the settings file."""
    group = typer.main.get_command(app)
    parts = [HEAD, *_sections(group, "tickercast", typer.Context(group, info_name="tickercast"))]
    parts.append(f"## Settings\n\n`tickercast.toml` in the home:\n\n```toml\n{settings_template()}```\n")
    return "\n".join(parts)


def _sections(command: object, name: str, parent: typer.Context) -> list[str]:
    children = getattr(command, "commands", None)
    if children is not None:
        return [part for key in sorted(children) for part in _sections(children[key], f"{name} {key}", parent)]
    lines = [f"## {name}\n", f"{command.help}\n"]  # type: ignore[attr-defined]
    for param in command.params:  # type: ignore[attr-defined]
        names = ", ".join(param.opts) if param.param_type_name == "option" else (param.metavar or param.name)
        lines.append(f"- `{names}` {getattr(param, 'help', None) or ''}".rstrip())
    return ["\n".join(lines) + "\n"]


def main() -> None:
    PATH.write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
