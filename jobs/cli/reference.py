"""Generate docs/commands.md from the commands, the exit codes and the settings: `python -m tickercast.jobs.cli.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from tickercast.jobs.cli.app import app
from tickercast.jobs.cli.command_line import PROGRAM
from tickercast.jobs.cli.examples import EXAMPLES
from tickercast.jobs.cli.plain_command import usage_of_argument
from tickercast.jobs.errors import ExitCode
from tickercast.jobs.workspace.settings_template import settings_template

PATH = Path(__file__).resolve().parent.parent.parent / "docs" / "commands.md"
HEAD = """# Commands and settings

Generated from the code by `python -m tickercast.jobs.cli.reference`. Results go to stdout, everything else to stderr.
Options follow the command; `--home DIR` may stand anywhere. `tickercast --version` shows the versions of program,
schema and Python.
`tickercast --install-completion` installs completion of commands, options and stored tickers for the current shell.
"""


def commands_page() -> str:
    """Return the page as Markdown: exit codes, every command with its arguments and options, the settings file."""
    program = typer.main.get_command(app)
    settings = f"## Settings\n\n`tickercast.toml` in the home:\n\n```toml\n{settings_template()}```\n"
    return "\n".join([HEAD, _exit_codes(), *_sections(program, PROGRAM), settings])


def _exit_codes() -> str:
    rows = "\n".join(f"| {code.value} | {code.meaning} |" for code in ExitCode)
    return f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"


def _sections(command: Any, name: str) -> Iterator[str]:
    """Yield a section for a command, or for each command of a group, by name."""
    children = getattr(command, "commands", None)
    if children is not None:
        for key in sorted(children):
            yield from _sections(children[key], f"{name} {key}")
        return
    parameters = "".join(f"- `{_usage(param)}` {param.help or ''}".rstrip() + "\n" for param in command.params)
    examples = "".join(f"    {example}\n" for example in EXAMPLES[name.removeprefix(f"{PROGRAM} ")])
    yield f"## {name}\n\n{command.help}\n\n{examples}\n{parameters}".rstrip() + "\n"


def _usage(param: Any) -> str:
    """Return how a parameter is written: `--start DATE`, `--format table|csv|json|parquet`, `--cold`, `[TICKER]...`."""
    if param.param_type_name == "option":
        return " ".join([", ".join(param.opts), *([] if param.is_flag else [param.metavar])])
    return usage_of_argument(param)


def main() -> None:
    """Write the page."""
    PATH.write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
