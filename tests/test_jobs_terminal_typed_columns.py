"""Stored values in the types that the views state: to the microsecond, with missing ones, and damage told as such."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from tickercast.jobs.terminal.typed_columns import typed, typed_table
from tickercast.storage.errors import Corrupt
from tickercast.storage.views import Column, Kind

AT = datetime(2026, 3, 6, 22, 15, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "stored", "read"),
    [
        ("date", ["0001-01-01", None, "2026-03-06"], [date(1, 1, 1), None, date(2026, 3, 6)]),
        ("instant", [None, "2026-03-06T22:15:00.123456Z"], [None, AT]),
        ("bool", [1, 0, None, 1], [True, False, None, True]),
        ("float", [1, None, 0.5, float("inf")], [1.0, None, 0.5, float("inf")]),
        ("int", [2**62 + 1, None], [2**62 + 1, None]),
        ("text", ["é", "", None], ["é", "", None]),
        ("date", [None, None], [None, None]),
        ("bool", [], []),
    ],
)
def test_values_are_read_as_they_were_stored(kind: Kind, stored: list[Any], read: list[Any]) -> None:
    found = typed(Column("x", "", "", kind), stored)
    found.validate(full=True)
    assert found.to_pylist() == read


@pytest.mark.parametrize(("kind", "value"), [("date", "2026-13-01"), ("instant", "soon"), ("float", "much"), ("int", 2**63)])
def test_a_value_that_is_none_of_its_type_is_damage(kind: Kind, value: Any) -> None:
    with pytest.raises(Corrupt, match=f"column x has a value that is not of type {kind}"):
        typed(Column("x", "", "", kind), [value])


class Pages:
    """Pages of rows, as a cursor gives them."""

    def __init__(self, *pages: list[tuple[Any, ...]]) -> None:
        self._pages = [*pages, []]

    def fetchmany(self, size: int, /) -> list[Any]:
        """Return the next page."""
        return self._pages.pop(0)


def test_rows_come_by_pages_and_keep_their_order() -> None:
    columns = (Column("day", "a day", "", "date"), Column("n", "", "", "int"))
    table = typed_table(Pages([("2026-03-06", 1)], [("2026-03-09", None)]), columns)
    assert table.to_pylist() == [{"day": date(2026, 3, 6), "n": 1}, {"day": date(2026, 3, 9), "n": None}]
    assert typed_table(Pages(), columns).schema == table.schema
    assert table.schema.field("day") == pa.field("day", pa.date32(), metadata={"meaning": "a day"})
