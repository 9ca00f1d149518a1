"""Rows as Parquet, one row group at a time. Those of a view have the types that it states (typed_columns).

In rows of a query a column's type comes from its values: it widens when later rows need it. Whole numbers and floats together
become floats where they stay exact, and any other mixture becomes text. A column without any value has the type null.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tickercast.jobs.terminal.arrow_columns import column_of, column_type
from tickercast.jobs.terminal.typed_columns import schema_of, typed
from tickercast.storage.views import Column

VALUES_IN_GROUP = 60_000
BYTES_IN_GROUP = 8_000_000
Columns = list[list[Any]]


def write_parquet(columns: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[bytes]) -> None:
    """Write rows to a stream when all of them are known: a later row may change the type of a column.

    Memory holds one row group. The others are in a temporary file without a name.
    """
    spool = _Spool(columns)
    for group in _groups(rows):
        spool.add([list(values) for values in zip(*group, strict=True)])
    with spool.finished() as file:
        shutil.copyfileobj(file, stream)


def write_typed_parquet(columns: Sequence[Column], rows: Iterable[Sequence[Any]], stream: IO[bytes]) -> None:
    """Write rows of a view in the types that it states, one row group at a time."""
    schema = schema_of(columns)
    with pq.ParquetWriter(stream, schema) as writer:
        for group in _groups(rows):
            values = zip(*group, strict=True)
            arrays = [typed(column, cells) for column, cells in zip(columns, values, strict=True)]
            writer.write_table(pa.table(arrays, schema=schema))


class _Spool:
    """A Parquet file that is written again with wider types when a group does not fit."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._kinds: list[set[type]] = [set() for _ in columns]
        self._start()

    def add(self, values: Columns) -> None:
        """Write one group."""
        for kinds, column in zip(self._kinds, values, strict=True):
            kinds |= set(map(type, column)) - {type(None)}
        table = self._fitting(values)
        if table.schema != self._schema:
            self._widen()
            table = self._fitting(values)
        self._writer.write_table(table)

    def finished(self) -> IO[bytes]:
        """Return the file, whole and at its beginning."""
        self._writer.close()
        self._file.seek(0)
        return self._file

    def _start(self) -> None:
        self._schema = self._wanted_schema()
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - it is open for as long as the spool
        self._writer = pq.ParquetWriter(self._file, self._schema)

    def _widen(self) -> None:
        """Write the groups so far again, in the types that all values known now need."""
        with self.finished() as old:
            groups = pq.ParquetFile(old)
            for values in _values(groups):
                self._fitting(values)
            self._start()
            for values in _values(groups):
                self._writer.write_table(self._fitting(values))

    def _fitting(self, values: Columns) -> pa.Table:
        """Return values in the types wanted now, which widen until they fit."""
        while (table := self._table(values)) is None:
            pass
        return table

    def _table(self, values: Columns) -> pa.Table | None:
        """Return values in the types wanted now. None: one column did not fit, and is text from now on."""
        schema = self._wanted_schema()
        arrays = []
        for field, kinds, column in zip(schema, self._kinds, values, strict=True):
            try:
                arrays.append(column_of(column, field.type))
            except OverflowError:
                kinds.add(str)
                return None
        return pa.table(arrays, schema=schema)

    def _wanted_schema(self) -> pa.Schema:
        return pa.schema([pa.field(name, column_type(kinds)) for name, kinds in zip(self._columns, self._kinds, strict=True)])


def _values(groups: pq.ParquetFile) -> Iterator[Columns]:
    for number in range(groups.num_row_groups):
        yield [column.to_pylist() for column in groups.read_row_group(number).columns]


def _groups(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    """Yield rows by groups that are bounded in rows and in bytes."""
    group: list[Sequence[Any]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(group) * len(row) >= VALUES_IN_GROUP or size > BYTES_IN_GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group
