"""Name the view or column that a query with a wrong name probably means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from tickercast.storage.views import VIEWS, View

# As SQLite says it, and as PostgreSQL does.
WRONG_NAME = re.compile(r"no such (table|column): (\S+)|(relation|column) (\S+) does not exist")
LEAST_LIKENESS = 0.6
LISTED = "`tickercast sql --list` lists the views and their columns"


def with_hint(text: str, query: str) -> str:
    """Return an error of the database, with the nearest known name where it is about a name that does not exist."""
    found = WRONG_NAME.match(text)
    if found is None:
        return text
    kind, wrong = (part for part in found.groups() if part)
    name = wrong.rpartition(".")[2].strip("\"'`[];").lower()
    return f"{text}; {nearest_name(name, _columns(query) if kind == 'column' else [view.name for view in VIEWS])}"


def nearest_name(name: str, known: Sequence[str]) -> str:
    """Return a question with the known name that is most like a wrong one, or where the known ones are listed."""
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=LEAST_LIKENESS)
    return f"did you mean {nearest[0]}?" if nearest else LISTED


def _columns(query: str) -> list[str]:
    """Return the columns of the views that a query names, or of all views."""
    words = set(re.findall(r"\w+", query.lower()))
    views: list[View] = [view for view in VIEWS if view.name in words]
    return list(dict.fromkeys(name for view in views or VIEWS for name in view.names))
