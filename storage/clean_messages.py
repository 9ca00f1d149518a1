"""What a statement writes to a column of messages passes a function first: it may quote a library, which may quote a setting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, event

MESSAGES = ("message", "last_error")


def clean_messages(engine: Engine, clean: Callable[[str], str]) -> None:
    """Pass each text through a function that a statement is about to write to a column of messages."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def clean_parameters(_c: Any, _cursor: Any, statement: str, rows: Any, context: Any, many: bool) -> tuple[str, Any]:
        compiled: Any = context.compiled if context is not None else None
        names = (compiled.positiontup or compiled.bind_names.values()) if compiled is not None else ()
        if not any(name.startswith(MESSAGES) for name in names):
            return statement, rows
        marks = compiled.positiontup
        return statement, [_cleaned(row, marks, clean) for row in rows] if many else _cleaned(rows, marks, clean)


def _cleaned(row: Any, names: Sequence[str] | None, clean: Callable[[str], str]) -> Any:
    """Return the parameters of one row, by name or in the order of names, with the texts of messages cleaned."""
    values = row.items() if names is None else zip(names, row, strict=True)
    found = {
        name: clean(value) if name.startswith(MESSAGES) and isinstance(value, str) else value for name, value in values
    }  # fmt: skip
    return found if names is None else tuple(found.values())
