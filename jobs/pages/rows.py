"""Rows of the public views as the pages take them: values by the name of their column."""

from __future__ import annotations

from typing import Any

from tickercast.storage.connection import Reader
from tickercast.storage.reader import select_rows

Row = dict[str, Any]


def records(connection: Reader, query: str, *values: object) -> list[Row]:
    """Return the rows of a query. values: of its `?`, in order."""
    return select_rows(connection, query, values).records()
