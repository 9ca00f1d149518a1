"""The marks of values in a statement: our SQL has `?` or `:name` for each value, psycopg wants `%s` or `%(name)s`."""

from __future__ import annotations

import re
from functools import lru_cache

# A text, a quoted name or a comment, in which nothing is a mark; a mark; a cast, which is none; or a percent sign.
TOKEN = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\?|::|:[A-Za-z_]\w*|%", re.DOTALL)


@lru_cache(maxsize=2000)
def with_percent_marks(statement: str, *, named: bool = False) -> str:
    """Return a statement with psycopg's marks and each percent sign doubled. named: its marks are `:name`."""
    return TOKEN.sub(_by_name if named else _by_place, statement)


def _by_place(match: re.Match[str]) -> str:
    token = match.group()
    return "%s" if token == "?" else token.replace("%", "%%")


def _by_name(match: re.Match[str]) -> str:
    token = match.group()
    return f"%({token[1:]})s" if token[0] == ":" and token != "::" else token.replace("%", "%%")
