"""What Datasette writes for SQLite, as PostgreSQL takes it: its filters, its sort orders, and its subqueries without a name.

Not here: queries of visitors, who write the server's own dialect. Of those only a subquery without a name is changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tickercast.jobs.web.record_database import BY_NAME
from tickercast.storage.reader import SORTED_BY
from tickercast.storage.views import VIEWS

NAMES = "|".join(sorted({name for view in VIEWS for name in (view.name, *view.names)}, key=len, reverse=True))
# A name that SQLite has a keyword for.
BRACKETED = re.compile(rf"(?<![\w\]])\[({NAMES})\]")
COLUMN = r'("[^"]+"|\b[a-z_]\w*)'
LIKE = re.compile(rf"{COLUMN} (not )?like (:p\d+)")
GLOB = re.compile(rf"{COLUMN} glob (:(p\d+))")
BLANK = re.compile(rf"{COLUMN} (=|!=) ''")
ORDER = re.compile(rf"order by {COLUMN}( desc)?(?=\s+limit \d+|\s*$)", re.IGNORECASE)
# The rows of a view as Datasette and a download read them.
OF_VIEW = re.compile(rf"(?is)\s*select (?!distinct)[^()]* from ({'|'.join(BY_NAME)})\b(?!.*\bgroup by\b)")
TEXT = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|[()]|\bfrom\s*(?=\()", re.DOTALL | re.IGNORECASE)
# What may stand after a subquery that has no name.
NAMELESS = re.compile(r"\s*(?:$|[),;]|where\b|group\b|order\b|limit\b|having\b|union\b|join\b|left\b|inner\b|cross\b|on\b)", re.I)


def for_server(sql: str, values: Mapping[str, Any] | Sequence[Any]) -> tuple[str, dict[str, Any] | tuple[Any, ...]]:
    """Return a query of Datasette and its values as a server takes them.

    A number becomes text: the server then reads it as the type of what it is compared with.
    """
    if not isinstance(values, Mapping):
        return sql, tuple(values)
    given = {name: str(value) if isinstance(value, int | float) else value for name, value in values.items()}
    for match in GLOB.finditer(sql):
        if isinstance(pattern := given.get(match[3]), str):
            given[match[3]] = as_regex(pattern)
    sql = BRACKETED.sub(r'"\1"', sql)
    sql = LIKE.sub(r"CAST(\1 AS text) \2ILIKE \3 ESCAPE ''", sql)
    sql = GLOB.sub(r"CAST(\1 AS text) ~ \2", sql)
    sql = BLANK.sub(r"CAST(\1 AS text) \2 ''", sql)
    return with_names(_whole_order(sql)), given


def _whole_order(sql: str) -> str:
    """Return a query of a view's rows with NULL where SQLite has it, in which no two rows are equal: else pages repeat rows."""
    view, order = OF_VIEW.match(sql), ORDER.search(sql)
    if view is None or order is None:
        return sql
    others = [key for key in SORTED_BY if key in BY_NAME[view[1]].names and key != order[1].strip('"')]
    whole = ", ".join([f"{order[0]} NULLS {'LAST' if order[2] else 'FIRST'}", *others])
    return sql[: order.start()] + whole + sql[order.end() :]


def with_names(sql: str) -> str:
    """Return a query whose subqueries after FROM each have a name, which servers before version 16 want."""
    parts, end, depth, count = [], 0, 0, 0
    begun: list[int] = []
    follows_from = False
    for match in TEXT.finditer(sql):
        token = match.group()
        if token == "(":
            if follows_from:
                begun.append(depth)
            depth += 1
        elif token == ")":
            depth -= 1
            if begun and begun[-1] == depth:
                begun.pop()
                if NAMELESS.match(sql, match.end()):
                    count += 1
                    parts.append(f"{sql[end : match.end()]} AS nameless{count}")
                    end = match.end()
        follows_from = token[0] in "fF"
    return "".join(parts) + sql[end:]


def as_regex(pattern: str) -> str:
    """Return a pattern of GLOB as a regular expression: * is any text, ? any character, [abc] one of some."""
    found, place = ["^"], 0
    while place < len(pattern):
        letter = pattern[place]
        end = pattern.find("]", place + 2)
        if letter == "[" and end > 0:
            inside = pattern[place + 1 : end].replace("\\", r"\\")
            found.append(f"[{inside}]")
            place = end
        else:
            found.append({"*": ".*", "?": "."}.get(letter) or re.escape(letter))
        place += 1
    return "".join([*found, "$"])
