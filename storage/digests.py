"""Digests: sums of row hashes, kept with every insert into a table whose rows never change, and compared by `verify --deep`.

A digest is the sum, modulo 2**256, of the sha256 of each row of one table, ticker and config. It is the same in any order of
rows, so it is updated by the new rows alone. One changed bit changes it.

Not here: when a record is verified (storage.verify).
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from storage.schema import Base, Digest
from storage.types import Instant, SessionDate, instant_text

MODULUS = 1 << 256
ROWS_AT_ONCE = 20_000
# Tables whose rows never change, and the columns of each that may.
DIGESTED: dict[str, frozenset[str]] = {
    "tickers": frozenset(column.name for column in Base.metadata.tables["tickers"].columns) - {"id", "key"},
    "configs": frozenset({"active"}),
    "models": frozenset(),
    "losses": frozenset(),
    "priors": frozenset(),
    "prior_members": frozenset(),
    "forecasts": frozenset(),
    "baseline_forecasts": frozenset({"crps"}),
    "recalibrations": frozenset(),
    "scores": frozenset(),
    "company_events": frozenset(),
}
SCHEMA = "sqlite_master"  # digested too: a changed view would give wrong answers
Owner = tuple[int, str]  # the ticker's id and the config's, 0 and "" where a table has none


@dataclass(slots=True)
class RowSum:
    """The number of some rows and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def add(self, content: bytes) -> None:
        """Count one more row."""
        self.rows += 1
        self.total = (self.total + int.from_bytes(hashlib.sha256(content).digest(), "big")) % MODULUS

    @property
    def sha256(self) -> str:
        """Return the sum as 64 hexadecimal digits."""
        return f"{self.total:064x}"


@dataclass(frozen=True, slots=True)
class TableForm:
    """How the rows of a table become bytes: the names of its numbers with a fraction, and of its other columns."""

    numbers: tuple[str, ...]
    others: tuple[str, ...]
    converters: tuple[Callable[[Any], Any], ...]
    pack: struct.Struct

    def content(self, row: Mapping[str, Any]) -> bytes:
        """Return the bytes of a row that is about to be inserted, the same as those of the row when it is read."""
        numbers = [float("nan") if row.get(name) is None else row[name] for name in self.numbers]
        others = [convert(row.get(name)) for name, convert in zip(self.others, self.converters, strict=True)]
        return self.pack.pack(*numbers) + repr(others).encode()

    def stored_content(self, values: Sequence[Any]) -> bytes:
        """Return the bytes of a stored row, read as numbers first and others after, in the database's own types."""
        count = len(self.numbers)
        numbers = [float("nan") if value is None else value for value in values[:count]]
        return self.pack.pack(*numbers) + repr(list(values[count:])).encode()


def add_rows(connection: Connection, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows that were all just inserted to the digests of their table. Other tables are left out."""
    if table not in DIGESTED:
        return
    form, owner_of = form_of(table), _owner_getter(table)
    sums: dict[Owner, RowSum] = defaultdict(RowSum)
    for row in rows:
        sums[owner_of(row)].add(form.content(row))
    stored = _stored(connection, table)
    _write(connection, table, {owner: _sum_of(stored.get(owner), found) for owner, found in sums.items()})


def recount(connection: Connection, table: str) -> None:
    """Compute the digests of a table from all its rows: after rows that were stored already, or removed, and for old homes."""
    if table not in DIGESTED and table != SCHEMA:
        return
    connection.execute(sa.delete(Digest).where(Digest.table_name == table))
    _write(connection, table, sums_of(connection, table))


def recount_all(connection: Connection) -> None:
    """Compute all digests from the rows: of a new database, and of one that an older program wrote."""
    for table in (SCHEMA, *DIGESTED):
        recount(connection, table)


def is_sealed(connection: Connection) -> bool:
    """Return whether digests were computed. A new or upgraded database without them was left half done."""
    return connection.execute(sa.select(Digest.rows).where(Digest.table_name == SCHEMA)).first() is not None


def changed_tables(connection: Connection) -> Iterator[str]:
    """Yield a line for each table and ticker whose rows are not those that were inserted."""
    names = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, symbol FROM tickers")}
    for table in (SCHEMA, *DIGESTED):
        stored, found = _stored(connection, table), sums_of(connection, table)
        for owner in sorted(stored.keys() | found.keys()):
            expected, counted = stored.get(owner, RowSum()), found.get(owner, RowSum())
            if expected == counted:
                continue
            ticker_id, config_id = owner
            of = f" of {names.get(ticker_id, f'ticker {ticker_id}')}" if ticker_id else ""
            under = f" under config {config_id}" if config_id else ""
            yield f"{table}{of}{under}: {counted.rows} rows, not the {expected.rows} that were stored, or other values (digest)"


def sums_of(connection: Connection, table: str) -> dict[Owner, RowSum]:
    """Return the sums of a table's rows by owner."""
    sums: dict[Owner, RowSum] = defaultdict(RowSum)
    if table == SCHEMA:
        for row in connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"):
            sums[0, ""].add(repr(tuple(row)).encode())
        return sums
    form, columns = form_of(table), Base.metadata.tables[table].columns
    owners = [f"coalesce({name}, 0)" if name in columns else "0" for name in ("ticker_id",)]
    owners += ["config_id" if "config_id" in columns else "''"]
    wanted = ", ".join((*owners, *(f'"{name}"' for name in (*form.numbers, *form.others))))
    answer = connection.execution_options(stream_results=True).exec_driver_sql(f"SELECT {wanted} FROM {table}")
    for rows in answer.partitions(ROWS_AT_ONCE):
        for row in rows:
            sums[row[0], row[1]].add(form.stored_content(row[2:]))
    return sums


@cache
def form_of(table: str) -> TableForm:
    """Return how the rows of a table become bytes."""
    columns = [column for column in Base.metadata.tables[table].columns if column.name not in DIGESTED[table]]
    numbers = tuple(column.name for column in columns if isinstance(column.type, sa.Double))
    others = [column for column in columns if column.name not in numbers]
    converters = tuple(_converter(column.type) for column in others)
    return TableForm(numbers, tuple(column.name for column in others), converters, struct.Struct(f"<{len(numbers)}d"))


def _converter(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any]:
    if isinstance(kind, SessionDate):
        return _date_text
    return _instant_text if isinstance(kind, Instant) else _unchanged


def _date_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant_text(value: datetime | None) -> str | None:
    return None if value is None else instant_text(value)


def _unchanged(value: Any) -> Any:
    return value


def _owner_getter(table: str) -> Callable[[Mapping[str, Any]], Owner]:
    columns = Base.metadata.tables[table].columns
    if "ticker_id" not in columns:
        return lambda _row: (0, "")
    if "config_id" not in columns:
        return lambda row: (row["ticker_id"], "")
    both = itemgetter("ticker_id", "config_id")

    def owner(row: Mapping[str, Any]) -> Owner:
        ticker_id, config_id = both(row)
        return ticker_id or 0, config_id

    return owner


def _stored(connection: Connection, table: str) -> dict[Owner, RowSum]:
    query = sa.select(Digest.ticker_id, Digest.config_id, Digest.rows, Digest.sha256).where(Digest.table_name == table)
    return {(ticker_id, config): RowSum(rows, _number(sha256)) for ticker_id, config, rows, sha256 in connection.execute(query)}


def _number(sha256: str) -> int:
    """Return the number of a stored sum, -1 for a text that is none."""
    try:
        return int(sha256, 16)
    except ValueError:
        return -1


def _sum_of(stored: RowSum | None, added: RowSum) -> RowSum:
    before = stored or RowSum()
    return RowSum(before.rows + added.rows, (before.total + added.total) % MODULUS)


def _write(connection: Connection, table: str, sums: Mapping[Owner, RowSum]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    insert = dialect.insert(Digest.__table__)
    changed = {"rows": insert.excluded.rows, "sha256": insert.excluded.sha256}
    upsert = insert.on_conflict_do_update(index_elements=["table_name", "ticker_id", "config_id"], set_=changed)
    rows = list(_digest_rows(table, sums))
    if rows:
        connection.execute(upsert, rows)


def _digest_rows(table: str, sums: Mapping[Owner, RowSum]) -> Iterable[dict[str, Any]]:
    for (ticker_id, config_id), found in sums.items():
        yield {
            "table_name": table, "ticker_id": ticker_id, "config_id": config_id, "rows": found.rows, "sha256": found.sha256,
        }  # fmt: skip
