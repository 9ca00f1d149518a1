"""Copy a record whole to another database, SQLite or PostgreSQL, and prove that the copy is the record.

Rows go over as they are, with their ids, instants and digests. The copy is one transaction, or a file that gets its name when it
is finished: a copy that is killed leaves nothing, and the source is only read. Not here: locks, and what a home is told then
(jobs.runs.move).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage import digests, verify
from tickercast.storage.address import Database, PostgresServer
from tickercast.storage.database import reading
from tickercast.storage.digests import ROWS_AT_ONCE, SCHEMA, STREAMED, RowsSeen, RowSum, TableForm
from tickercast.storage.errors import Corrupt, NotADatabase
from tickercast.storage.price_store import PriceAddress
from tickercast.storage.schema import Base
from tickercast.storage.versions import database_id, is_blank, stored_revision

Stage = Callable[[str, int], AbstractContextManager[RowsSeen]]  # shows a stage of so many rows, and is told of those done
Sums = dict[str, RowSum]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: rows of all tables, the content hash of both records. is_new: whether it was done now."""

    rows: int
    content_hash: str
    is_new: bool


class Load(Protocol):
    """An unfinished record that takes rows."""

    connection: Connection

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""

    def finish(self, revision: str, record_id: str) -> None:
        """Make what is left of the schema."""


def copy_record(source: Database, target: Database, prices: PriceAddress, stage: Stage) -> Copied:
    """Copy a record to a place that holds none. The caller holds the writer locks of both.

    A target that holds the same record already is compared. Raises NotADatabase where it holds another one, Corrupt where the
    source is damaged or the copy differs; then there is no copy.
    """
    with reading(source) as original:
        if not is_blank(target):
            return _compared(source, original, target, stage)
        rows = sum(digests.stored_counts(original).values())
        with _loading(target, stored_revision(source) or "") as load:
            with stage("copying rows", rows) as seen:
                sums = {table.name: _copy(original, load, table, seen) for table in Base.metadata.sorted_tables}
            load.finish(stored_revision(source) or "", database_id(source))
            digests.recount(load.connection, SCHEMA)
            with stage("checking rows", 2 * rows) as seen:
                _refuse_problems(verify.all_problems(load.connection, prices, seen))
                _refuse_other(sums, _sums_of_all(load.connection, seen))
            found = _same_hash(original, load.connection, stage)
    return Copied(sum(each.rows for each in sums.values()), found, is_new=True)


def _loading(target: Database, revision: str) -> AbstractContextManager[Load]:
    if isinstance(target, PostgresServer):
        from tickercast.storage.postgres.load import loading as loading_server

        return loading_server(target)
    from tickercast.storage.file_load import loading as loading_file

    return loading_file(target, revision)


def _copy(source: Connection, load: Load, table: sa.Table, seen: RowsSeen) -> RowSum:
    """Copy the rows of a table, but the digest of a schema, which each kind of database has its own of; return their sum."""
    form, total = _whole_form(table), RowSum()
    for rows in _parts(source, table):
        load.insert(table.name, form.columns, rows)
        total = _added(total, form, rows)
        seen(len(rows))
    return total


def _parts(connection: Connection, table: sa.Table) -> Any:
    columns = ", ".join(f'"{name}"' for name in _whole_form(table).columns)
    where = f" WHERE table_name <> '{SCHEMA}'" if table.name == "digests" else ""
    answer = connection.exec_driver_sql(f"SELECT {columns} FROM {table.name}{where}", execution_options=STREAMED)
    return answer.partitions(ROWS_AT_ONCE)


def _sums_of_all(connection: Connection, seen: RowsSeen) -> Sums:
    sums = {}
    for table in Base.metadata.sorted_tables:
        form, total = _whole_form(table), RowSum()
        for rows in _parts(connection, table):
            total = _added(total, form, rows)
            seen(len(rows))
        sums[table.name] = total
    return sums


def _whole_form(table: sa.Table) -> TableForm:
    """Return how rows become bytes with every column, also those that digests leave out."""
    columns = table.columns.values()
    numbers = tuple(i for i, column in enumerate(columns) if isinstance(column.type, sa.Double))
    others = tuple(i for i in range(len(columns)) if i not in numbers)
    return TableForm(tuple(column.name for column in columns), (), numbers, others, (None, None))


def _added(total: RowSum, form: TableForm, rows: Sequence[Sequence[Any]]) -> RowSum:
    found = form.sums(rows).get((0, ""), RowSum())
    return RowSum(total.rows + found.rows, (total.total + found.total) % digests.MODULUS)


def _refuse_problems(problems: Sequence[str]) -> None:
    if problems:
        raise Corrupt(f"{problems[0]}; nothing was moved; `tickercast verify --deep` lists what is wrong with the record")


def _refuse_other(sums: Sums, copied: Sums) -> None:
    for table, expected in sums.items():
        if copied[table] != expected:
            raise Corrupt(f"{table}: {copied[table].rows} rows of the copy are not the {expected.rows} copied; nothing was moved")


def _same_hash(source: Connection, target: Connection, stage: Stage) -> str:
    """Return the content hash of both records. Raises Corrupt where they differ."""
    with stage("hashing rows", 2 * verify.rows_to_hash(source)) as seen:
        expected, found = verify.content_hash(source, seen), verify.content_hash(target, seen)
    if found != expected:
        raise Corrupt(f"the content hash of the copy is {found}, not {expected}; nothing was moved")
    return found


def _compared(source: Database, original: Connection, target: Database, stage: Stage) -> Copied:
    """Return what a move before this one has copied. Raises NotADatabase where it is not this record as it is now."""
    held = f"{target}: holds a record already"
    if stored_revision(target) is None or database_id(target) != database_id(source):
        raise NotADatabase(f"{held}, not this one; nothing was changed; name a database that is empty")
    with reading(target) as copy, stage("comparing rows", 2 * sum(digests.stored_counts(original).values())) as seen:
        sums = _sums_of_all(original, seen)
        if sums != _sums_of_all(copy, seen):
            raise NotADatabase(f"{held}: this one, as it was or became elsewhere; nothing was changed; name another place")
        return Copied(sum(each.rows for each in sums.values()), _same_hash(original, copy, stage), is_new=False)
