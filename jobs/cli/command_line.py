"""The command line before Typer sees it: --home may stand anywhere."""

from __future__ import annotations

from collections.abc import Sequence

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
