"""What a user's statement may be: one that reads, and that names no function which might do more than read.

The server keeps the rest: the statement is declared as a cursor, which is one SELECT, in a transaction that only reads. But a
SELECT may also call functions that take a lock, end a session, run a text as SQL or read a file. All of those are VOLATILE in the
server's catalog, so a statement is refused that has the name of such a function anywhere, also in a text or a comment: that asks
for no parser that agrees with the server's. A name cannot be spelled otherwise, but for U&"...", which is refused too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tickercast.storage.errors import QueryRefused

BEGINNINGS = {"select", "with", "values", "table", "explain"}
EXPLAIN = re.compile(
    r"(?i)explain\s*(?:\([\w\s,]*\)|(?:\s(?:analyze|analyse|verbose)\b\s*)*)(?=\s*\b(?:select|with|values|table)\b)"
)
WORD = re.compile(r"[^\W\d][\w$]*")
COMMENT = re.compile(r"--[^\n]*|/\*|\*/")
ESCAPED_NAME = re.compile(r'(?i)\bu&\s*"')
# Functions that are volatile because their values differ, and that change nothing.
ALLOWED = {"random", "clock_timestamp", "timeofday", "gen_random_uuid", "system", "bernoulli", "current_query"}
# The names of all others. Two that are not volatile give the transaction a number, of which a server has a limited supply.
VOLATILE = """SELECT DISTINCT lower(proname) FROM pg_catalog.pg_proc
WHERE provolatile = 'v' OR proname IN ('txid_current', 'pg_current_xact_id')"""


def without_comments(query: str) -> str:
    """Return a statement from its first word on: PostgreSQL's comments may be nested."""
    text = query.lstrip("\ufeff \t\r\n\f\v(")
    while text.startswith(("--", "/*")):
        if text.startswith("--"):
            text = text.partition("\n")[2]
        else:
            depth, end = 0, len(text)
            for match in re.finditer(r"/\*|\*/", text):
                depth += 1 if match.group() == "/*" else -1
                if depth == 0:
                    end = match.end()
                    break
            text = text[end:]
        text = text.lstrip(" \t\r\n\f\v(")
    return text


def split_explain(query: str) -> tuple[str, str]:
    """Return the EXPLAIN before a query with its options, "" where there is none, and the query.

    Raises QueryRefused where the statement does not read.
    """
    text = without_comments(query)
    found = WORD.match(text)
    word = found.group().lower() if found else ""
    if word == "explain" and (match := EXPLAIN.match(text)):
        return match.group(), text[match.end() :]
    if word in BEGINNINGS - {"explain"}:
        return "", query
    raise QueryRefused("only reading is allowed: a statement begins with SELECT, WITH, VALUES or EXPLAIN; nothing was changed")


def refuse_functions(query: str, volatile: Iterable[str]) -> None:
    """Raise QueryRefused where a statement has the name of a function that might do more than read. volatile: their names."""
    if ESCAPED_NAME.search(query):
        raise QueryRefused('a name written U&"..." is not allowed; nothing was changed')
    named = {word.lower() for word in WORD.findall(query)} & (set(volatile) - ALLOWED)
    if named:
        raise QueryRefused(f"{min(named)}: only reading is allowed, and this function may do more; nothing was changed")
