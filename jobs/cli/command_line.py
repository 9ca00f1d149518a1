"""The command line before Typer sees it: --home may stand anywhere. And how a user calls the program, for lines to copy."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAM = "tickercast"
HOME = "--home"
END_OF_OPTIONS = "--"


def home_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with each `--home DIR` and `--home=DIR` moved before the command. After `--` nothing is moved.

    A last `--home` without a folder is returned alone, for Typer to complain about.
    """
    moved: list[str] = []
    others: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        if argument == END_OF_OPTIONS:
            return [*moved, *others, argument, *rest]
        if argument == HOME:
            folder = next(rest, None)
            if folder is None:
                return [HOME]
            moved += [HOME, folder]
        elif argument.startswith(f"{HOME}="):
            moved.append(argument)
        else:
            others.append(argument)
    return [*moved, *others]


def called_program() -> str:
    """Return how the user called the program: by its name, or by a path where the shell does not find it by name."""
    called = Path(sys.argv[0])
    found = shutil.which(PROGRAM)
    if called.name != PROGRAM or (found and Path(found).resolve() == called.resolve()):
        return PROGRAM
    return shlex.quote(os.path.relpath(called))


def command_for(folder: Path, environment: Mapping[str, str]) -> str:
    """Return how the program is called for a home: with --home, unless that home is the one without the option."""
    from tickercast.jobs.workspace.place import home_folder

    if home_folder(None, environment) == folder:
        return called_program()
    return f"{called_program()} {HOME} {shlex.quote(str(folder))}"
