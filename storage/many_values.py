"""Marks of many values in a statement of ours, which takes so many and no more: 32,766 on SQLite, 65,535 on PostgreSQL.

For SQLAlchemy's statements storage.queries.shared has the condition.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

MOST_MARKS = 30_000


def marks_of(texts: Sequence[str]) -> tuple[str, list[str]]:
    """Return what stands in `IN (...)` for some texts, however many they are, and the values of its marks."""
    if len(texts) <= MOST_MARKS:
        return ", ".join("?" * len(texts)), [*texts]
    return "SELECT value FROM json_each(?)", [as_document(texts)]


def as_document(values: Collection[int] | Collection[str]) -> str:
    """Return values as JSON of which json_each gives each: an object, since that of PostgreSQL takes no array."""
    return json.dumps(dict(enumerate(values)))
