"""Digests: sums of row hashes, kept with every insert into a table whose rows hardly change, and compared by `verify --deep`.

A digest is the sum, modulo 2**256, of the sha256 of each row of one table, ticker and config. It is the same in any order of
rows, so it is updated by the new rows alone. One changed bit changes it.

Not here: when a record is verified (storage.verify).
"""

from __future__ import annotations

import hashlib
import struct
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage.dialects import POSTGRES, upsert_rows
from tickercast.storage.instants import instant_text
from tickercast.storage.schema import Base, Digest
from tickercast.storage.types import Instant, SessionDate, Sha256

MODULUS, NAN = 1 << 256, float("nan")
ROWS_AT_ONCE = 20_000
STREAMED = {"stream_results": True}  # a server sends some rows at a time; SQLite always does
FEW = 1_000  # tickers, whose digests are found one by one; those of more are read with all others
OF_TICKERS = {"id", "key", "symbol", "exchange", "currency", "time_zone"}
# Tables whose rows never change, or that are counted anew with each change; and the columns of each that change by themselves.
DIGESTED: dict[str, frozenset[str]] = {
    "tickers": frozenset(column.name for column in Base.metadata.tables["tickers"].columns) - OF_TICKERS,
    "symbols": frozenset(),
    "sessions": frozenset(),
    "price_files": frozenset({"id", "superseded_at"}),
    "restatements": frozenset({"id"}),
    "skill_tests": frozenset({"id"}),
    "risk_tests": frozenset({"id"}),
    "configs": frozenset({"active"}),
    "feature_sets": frozenset(),
    "models": frozenset(),
    "losses": frozenset(),
    "priors": frozenset(),
    "prior_members": frozenset(),
    "origins": frozenset(),
    "forecasts": frozenset(),
    "baseline_forecasts": frozenset({"crps"}),
    "recalibrations": frozenset(),
    "scores": frozenset(),
    "company_events": frozenset(),
}
SCHEMA = "sqlite_master"  # digested too: a changed view would give wrong answers
RowsSeen = Callable[[int], None]  # is told how many rows were read since it was told last
Row = Mapping[str, Any]
OF_DIGEST = ("table_name", "ticker_id", "config_id")
Owner = tuple[int, str]  # the ticker's id and the config's, 0 and "" where a table has none


@dataclass(frozen=True, slots=True)
class RowSum:
    """The number of some rows and the sum of their hashes, modulo 2**256."""

    rows: int = 0
    total: int = 0

    @property
    def sha256(self) -> str:
        """Return the sum as 64 hexadecimal digits."""
        return f"{self.total:064x}"


@dataclass(frozen=True, slots=True)
class TableForm:
    """How the rows of a table become bytes. A row is its digested columns' values as the database stores them, in their order.

    numbers, others: the positions of its numbers with a fraction, and of its other columns. owner: the positions of the ticker's
    id and of the config's, None where the table has no such column.
    """

    columns: tuple[str, ...]
    converters: tuple[Callable[[Any], Any], ...]
    numbers: tuple[int, ...]
    others: tuple[int, ...]
    owner: tuple[int | None, int | None]

    def sums(self, rows: Iterable[Sequence[Any]]) -> dict[Owner, RowSum]:
        """Return the sums of some rows by owner."""
        counts: dict[Owner, int] = defaultdict(int)
        totals: dict[Owner, int] = defaultdict(int)
        pack, numbers_of, others_of = struct.Struct(f"<{len(self.numbers)}d").pack, _getter(self.numbers), _getter(self.others)
        for row in rows:
            numbers = numbers_of(row)
            if None in numbers:
                numbers = tuple(NAN if number is None else number for number in numbers)
            owner = self._owner(row)
            counts[owner] += 1
            try:
                packed = pack(*numbers)
            except struct.error:  # no number in a column of numbers: a damaged row, whose hash is none of a sound one
                packed = repr(numbers).encode()
            content = packed + repr(others_of(row)).encode()
            totals[owner] += int.from_bytes(hashlib.sha256(content).digest(), "big")
        return {owner: RowSum(count, totals[owner] % MODULUS) for owner, count in counts.items()}

    def stored(self, row: Row) -> tuple[Any, ...]:
        """Return the values of a row that is about to be inserted, as the database stores them."""
        return tuple(convert(row.get(name)) for name, convert in zip(self.columns, self.converters, strict=True))

    def _owner(self, row: Sequence[Any]) -> Owner:
        ticker, config = self.owner
        return 0 if ticker is None else row[ticker] or 0, "" if config is None else row[config]


def add_rows(connection: Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    """Add rows that were all just inserted to the digests of their table: values of all its columns, as the database has them."""
    if DIGESTED[table]:
        names = Base.metadata.tables[table].columns.keys()
        kept = [names.index(name) for name in form_of(table).columns]
        rows = ([row[i] for i in kept] for row in rows)
    _add(connection, table, rows)


def add_mappings(connection: Connection, table: str, rows: Iterable[Row]) -> None:
    """Add rows that were all just inserted to the digests of their table: values by column, as SQLAlchemy takes them."""
    form = form_of(table)
    _add(connection, table, (form.stored(row) for row in rows))


def exchange_mappings(connection: Connection, table: str, before: Iterable[Row], after: Iterable[Row]) -> None:
    """Take rows from the digests of their table as they were, and add them as they are now: values as in add_mappings."""
    form = form_of(table)
    old, new = (form.sums(form.stored(row) for row in rows) for rows in (before, after))
    stored = _stored(connection, table, {ticker_id for ticker_id, _ in old.keys() | new.keys()})
    left = stored | {owner: _sum_of(stored.get(owner), RowSum(-removed.rows, -removed.total)) for owner, removed in old.items()}
    _write(connection, table, {owner: _sum_of(left.get(owner), new.get(owner, RowSum())) for owner in old.keys() | new.keys()})


def recount(connection: Connection, table: str) -> None:
    """Compute the digests of a table from all its rows: after rows that were stored already, or removed, and for old homes."""
    if table not in DIGESTED and table != SCHEMA:
        return
    connection.execute(sa.delete(Digest).where(Digest.table_name == table))
    _write(connection, table, sums_of(connection, table))


def forget(connection: Connection, table: str, config_id: str) -> None:
    """Remove the digests of a config's rows, all of which were removed."""
    connection.execute(sa.delete(Digest).filter_by(table_name=table, config_id=config_id))


def seal(connection: Connection) -> None:
    """Compute the digests of the tables that have none, as they are new or changed by an upgrade.

    Those of rows that an upgrade left alone stay, so a damage older than it is still found.
    """
    sealed = set(connection.scalars(sa.select(Digest.table_name).distinct()))
    for table in (SCHEMA, *DIGESTED):
        if table not in sealed:
            recount(connection, table)


def ignore_rows(_rows: int) -> None:
    """Be told of rows that nobody counts."""


def stored_counts(connection: Connection) -> dict[str, int]:
    """Return how many rows of each table the digests speak of, for progress: none where the database is too damaged to tell."""
    try:
        counted = connection.exec_driver_sql("SELECT table_name, sum(rows) FROM digests GROUP BY table_name").fetchall()
    except sa.exc.DatabaseError:
        return {}
    return {str(table): int(rows or 0) for table, rows in counted if table in DIGESTED}


def changed_tables(connection: Connection, seen: RowsSeen = ignore_rows) -> Iterator[str]:
    """Yield a line for each table and ticker whose rows are not those that were inserted."""
    names = {row[0]: row[1] for row in connection.exec_driver_sql("SELECT id, symbol FROM tickers")}
    for table in (SCHEMA, *DIGESTED):
        stored, found = _stored(connection, table), sums_of(connection, table, seen)
        for owner in sorted(stored.keys() | found.keys()):
            expected, counted = stored.get(owner, RowSum()), found.get(owner, RowSum())
            if expected == counted:
                continue
            ticker_id, config_id = owner
            of = f" of {names.get(ticker_id, f'ticker {ticker_id}')}" if ticker_id else ""
            under = f" under config {config_id}" if config_id else ""
            yield f"{table}{of}{under}: {counted.rows} rows, not the {expected.rows} that were stored, or other values (digest)"


def sums_of(connection: Connection, table: str, seen: RowsSeen = ignore_rows) -> dict[Owner, RowSum]:
    """Return the sums of a table's rows by owner."""
    if table == SCHEMA:
        rows = connection.exec_driver_sql(_schema_query(connection))
        return SCHEMA_FORM.sums(tuple(row) for row in rows)
    form = form_of(table)
    wanted = ", ".join(f'"{name}"' for name in form.columns)
    answer = connection.exec_driver_sql(f"SELECT {wanted} FROM {table}", execution_options=STREAMED)
    return form.sums(row for rows in seen_parts(answer, seen) for row in rows)


def _schema_query(connection: Connection) -> str:
    if connection.dialect.name != POSTGRES:
        return "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    from tickercast.storage.postgres.catalog import SCHEMA_QUERY

    return SCHEMA_QUERY


def seen_parts(answer: sa.CursorResult[Any], seen: RowsSeen) -> Iterator[Sequence[Any]]:
    """Yield the rows of an answer, many at once, and tell of each part once the next one is wanted."""
    for rows in answer.partitions(ROWS_AT_ONCE):
        yield rows
        seen(len(rows))


@cache
def form_of(table: str) -> TableForm:
    """Return how the rows of a table become bytes."""
    columns = [column for column in Base.metadata.tables[table].columns if column.name not in DIGESTED[table]]
    names = tuple(column.name for column in columns)
    numbers = tuple(i for i, column in enumerate(columns) if isinstance(column.type, sa.Double))
    others = tuple(i for i in range(len(columns)) if i not in numbers)
    ticker, config = (names.index(name) if name in names else None for name in ("ticker_id", "config_id"))
    return TableForm(names, tuple(converter_of(column.type) for column in columns), numbers, others, (ticker, config))


def _getter(positions: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """Return what gives the values of a row at some positions, as a tuple."""
    if len(positions) < 2:
        return lambda row: tuple(row[i] for i in positions)
    return itemgetter(*positions)


def converter_of(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any]:
    """Return what makes a column's value as SQLAlchemy takes it the one that the database stores."""
    if isinstance(kind, SessionDate):
        return _date_text
    if isinstance(kind, Sha256):
        return _hash_bytes
    return _instant_text if isinstance(kind, Instant) else _unchanged


SCHEMA_FORM = TableForm(("type", "name", "tbl_name", "sql"), (), (), (0, 1, 2, 3), (None, None))


def _date_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _instant_text(value: datetime | None) -> str | None:
    return None if value is None else instant_text(value)


def _hash_bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def _unchanged(value: Any) -> Any:
    return value


def _add(connection: Connection, table: str, rows: Iterable[Sequence[Any]]) -> None:
    found = form_of(table).sums(rows)
    stored = _stored(connection, table, {ticker_id for ticker_id, _ in found})
    _write(connection, table, {owner: _sum_of(stored.get(owner), added) for owner, added in found.items()})


def _stored(connection: Connection, table: str, tickers: Collection[int] | None = None) -> dict[Owner, RowSum]:
    """Return the stored digests of a table. tickers: those wanted at least, where they are few; None for all."""
    query = sa.select(Digest.ticker_id, Digest.config_id, Digest.rows, Digest.sha256).where(Digest.table_name == table)
    if tickers is not None and len(tickers) <= FEW:
        query = query.where(Digest.ticker_id.in_(tickers))
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
    rows = [(table, ticker_id, config_id, found.rows, found.sha256) for (ticker_id, config_id), found in sums.items()]
    upsert_rows(connection, Digest.__tablename__, OF_DIGEST, (*OF_DIGEST, "rows", "sha256"), rows)
