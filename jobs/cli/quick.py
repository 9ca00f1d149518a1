"""Convert the parameters of a command line without pydantic, which Typer loads for it and which takes longer than most commands.

Only values that are plainly right are converted here. Typer converts all others, and words the errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import typer


def convert_quickly(command: Any) -> None:
    """Let a command, or each command of a group, convert the plain values of its parameters itself."""
    for param in command.get_params(typer.Context(command)):  # --help is among them
        if hasattr(param, "type_descriptor"):
            # The one place of Typer's conversion. With a version that has none, commands only start more slowly.
            param._runtime_param = _PlainValue()
    for child in getattr(command, "commands", {}).values():
        convert_quickly(child)


class _PlainValue:
    """Stands before Typer's own conversion of one parameter."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the converted value of a parameter."""
        described = param.type_descriptor
        is_many = param.multiple or param.nargs == -1
        if value is None or (is_many and not value):
            return () if is_many else None
        converted = _plain(value, described.annotation, described.parameter_info)
        if converted is not None:
            return converted
        param._runtime_param = None  # so that Typer makes its own
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _plain(value: Any, annotation: Any, limits: Any) -> Any:
    """Return a value of a type, None where Typer must decide."""
    if annotation == list[str]:
        return list(value) if all(isinstance(item, str) for item in value) else None
    if isinstance(value, str) and annotation in (str, Path):
        return annotation(value)
    if annotation in (int, float):
        return _number(value, annotation, limits)
    return value if value in get_args(annotation) or annotation is type(value) else None


def _number(value: Any, kind: type[int] | type[float], limits: Any) -> Any:
    try:
        number = kind(value)
    except ValueError:
        return None
    is_low = limits.min is not None and not number >= limits.min
    is_high = limits.max is not None and not number <= limits.max
    return None if is_low or is_high else number
