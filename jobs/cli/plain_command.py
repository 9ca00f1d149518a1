"""A command whose --help names its arguments as a manual does: TICKER, [TICKER]..., without braces and Python types."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand


class PlainCommand(TyperCommand):
    """A command of ours. Typer makes one for each function that is registered with this class."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for argument in _arguments_of(self):
            vars(argument)["display_type_rich"] = _no_type  # the name of its Python type

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line that follow the command."""
        return ["[OPTIONS]", *map(usage_of_argument, _arguments_of(self))]


def usage_of_argument(argument: Any) -> str:
    """Return how an argument is written: TICKER, or [TICKER]... when there may be none and several."""
    name = argument.metavar if argument.required else f"[{argument.metavar}]"
    return f"{name}..." if argument.nargs == -1 else str(name)


def _arguments_of(command: TyperCommand) -> list[Any]:
    return [param for param in command.params if param.param_type_name == "argument"]


def _no_type(ctx: Any) -> None:
    """Return nothing to show."""
