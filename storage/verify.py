"""Check the record: integrity, references, checksums, and that no forecast used a later bar. Also compute its content hash."""

from __future__ import annotations

import hashlib
import sqlite3
import struct
from collections.abc import Iterator
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from tickercast.storage import digests
from tickercast.storage.bar_files import read_bars
from tickercast.storage.bars import Bars, as_known
from tickercast.storage.digests import STREAMED, RowsSeen, ignore_rows
from tickercast.storage.errors import Corrupt
from tickercast.storage.files import sha256_of
from tickercast.storage.price_store import PriceAddress, price_store, read_ahead
from tickercast.storage.schema import Base
from tickercast.storage.writes.prices import BAR_COLUMNS, bar_rows

SQLITE = "sqlite"
STRUCTURE = "integrity_check"
HAS_NO_SCORE = "NOT EXISTS (SELECT 1 FROM scores s WHERE s.origin_id = f.origin_id AND s.horizon = f.horizon)"
# Each query counts rows that must not exist.
FORBIDDEN = {
    "forecasts whose target is not after their origin": (
        "SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id WHERE f.target <= o.origin"
    ),
    "forecasts made before their origin had closed": (
        "SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id JOIN tickers t ON t.id = o.ticker_id "
        "JOIN sessions s ON s.exchange = t.exchange AND s.session = o.origin WHERE o.made_at < s.close_at"
    ),
    "forecasts that used a bar recorded after they were made": (
        "SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id WHERE o.known_at > o.made_at"
    ),
    "models trained on a later origin than the forecast they made": (
        "SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id "
        "JOIN models m ON m.number = o.model_number WHERE m.origin > o.origin"
    ),
    "warm starts from a later model": (
        "SELECT count(*) FROM models m JOIN models p ON p.number = m.parent_number WHERE p.origin >= m.origin"
    ),
    "origins with a horizon missing": (
        "SELECT count(*) FROM (SELECT o.config_id, count(f.horizon) AS n, max(f.horizon) AS last FROM origins o "
        "LEFT JOIN forecasts f ON f.origin_id = o.id GROUP BY o.id) o JOIN configs c ON c.id = o.config_id "
        "WHERE o.n <> o.last OR o.n < json_extract(c.settings, '$.horizons')"
    ),
    "forecasts that are neither scored nor known to be unscored, or both": (
        f"SELECT (SELECT count(*) FROM forecasts f WHERE {HAS_NO_SCORE} AND NOT EXISTS ("
        "SELECT 1 FROM unscored u WHERE u.origin_id = f.origin_id)) + (SELECT count(*) FROM unscored u WHERE NOT EXISTS ("
        f"SELECT 1 FROM forecasts f WHERE f.origin_id = u.origin_id AND {HAS_NO_SCORE}))"
    ),
    "rows recorded later than the present": (
        "SELECT (SELECT count(*) FROM forecasts f JOIN origins o ON o.id = f.origin_id WHERE o.made_at > n.at) "
        "+ (SELECT count(*) FROM price_files WHERE recorded_at > n.at) + (SELECT count(*) FROM runs WHERE started_at > n.at) "
        "+ (SELECT count(*) FROM company_events WHERE recorded_at > n.at) "
        "FROM (SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+5 minutes') AS at) n"
    ),
    "chains whose cold start has no checkpoint": (
        "SELECT count(*) FROM models m LEFT JOIN checkpoints c ON c.model_id = m.id LEFT JOIN priors p ON p.model_id = m.id "
        "WHERE m.start = 'cold' AND m.role <> 'twin' AND c.model_id IS NULL AND coalesce(p.diverged, 0) = 0"
    ),
    "priors fitted on bars of the session they serve from, or of a later one": (
        "SELECT count(*) FROM prior_members p JOIN models m ON m.id = p.model_id WHERE p.last_session >= m.origin"
    ),
    "checkpoints other than the one their model names": (
        "SELECT count(*) FROM checkpoints c JOIN models m ON m.id = c.model_id WHERE c.sha256 <> lower(hex(m.checkpoint_sha256))"
    ),
}

CURRENT_FILES = (
    "SELECT p.path, p.sha256, p.rows, p.first_session, p.last_session, p.ticker_id, t.symbol FROM price_files p "
    "JOIN tickers t ON t.id = p.ticker_id WHERE p.superseded_at IS NULL ORDER BY p.path"
)
STORED_BARS = f"SELECT {', '.join(BAR_COLUMNS)} FROM bars WHERE ticker_id = ?"
CHECKPOINTS = "SELECT model_id, sha256, content FROM checkpoints"

ORIGIN = "t.key, o.config_id, o.origin"
OF_ORIGIN = "JOIN origins o ON o.id = {}.origin_id JOIN tickers t ON t.id = o.ticker_id"
# What the content hash covers. Equal records may differ in instants, modes, runs, seconds and fingerprints, which are left out.
HASHED = (
    "SELECT id, preset, field, settings FROM configs WHERE id IN (SELECT config_id FROM origins) ORDER BY id",
    """SELECT m.id, t.key, m.config_id, m.origin, m.role, m.start, m.reason, p.id, r.id, m.depth,
    a.id, m.epochs, m.updates, m.seed, lower(hex(m.input_sha256)), s.names, lower(hex(m.checkpoint_sha256))
    FROM models m LEFT JOIN tickers t ON t.id = m.ticker_id LEFT JOIN models p ON p.number = m.parent_number
    LEFT JOIN models r ON r.number = m.prior_number LEFT JOIN models a ON a.number = m.cold_ancestor_number
    LEFT JOIN feature_sets s ON s.id = m.feature_set_id ORDER BY m.id""",
    "SELECT model_id, sha256 FROM checkpoints ORDER BY model_id",
    "SELECT model_id, member, bars, last_session, input_sha256 FROM prior_members ORDER BY model_id, member",
    """SELECT m.id, l.epoch, l.train_loss, l.validation_loss, l.gradient_norm, l.learning_rate
    FROM losses l JOIN models m ON m.number = l.model_number ORDER BY m.id, l.epoch""",
    f"""SELECT {ORIGIN}, f.horizon, f.target, o.field, f.location, f.scale, f.dof, o.last_price,
    f.q05, f.q10, f.q25, f.q50, f.q75, f.q90, f.q95, f.baseline_location, f.baseline_scale, f.baseline_dof,
    lower(hex(o.input_sha256)), o.price_basis, m.id
    FROM forecasts f {OF_ORIGIN.format("f")} LEFT JOIN models m ON m.number = o.model_number ORDER BY {ORIGIN}, f.horizon""",
    f"""SELECT {ORIGIN}, b.horizon, b.name, b.location, b.scale, b.dof, b.crps
    FROM baseline_forecasts b {OF_ORIGIN.format("b")} ORDER BY {ORIGIN}, b.horizon, b.name""",
    f"""SELECT {ORIGIN}, r.horizon, r.scale_factor, r.raw_scale
    FROM recalibrations r {OF_ORIGIN.format("r")} ORDER BY {ORIGIN}, r.horizon""",
    f"""SELECT {ORIGIN}, s.horizon, s.revision, s.realised_return, s.realised_price,
    abs(s.realised_return - f.location), abs(s.realised_return - f.baseline_location), s.crps, s.baseline_crps, s.pit,
    s.inside_50, s.inside_80, s.inside_90
    FROM scores s JOIN forecasts f ON f.origin_id = s.origin_id AND f.horizon = s.horizon {OF_ORIGIN.format("s")}
    ORDER BY {ORIGIN}, s.horizon, s.revision""",
)

HASHED_TABLES = ("configs", "models", "prior_members", "losses", "forecasts", "baseline_forecasts", "recalibrations", "scores")


def find_problems(connection: Connection, prices: PriceAddress) -> list[str]:
    """Return the problems found, one line each, in order: SQLite's checks, forbidden rows, price files, checkpoints.

    SQLite's integrity_check covers CHECK constraints only on a connection that may write. Where it finds something, values may
    have any form, and no further check is made; nor is one where the schema itself is damaged.
    """
    problems = list(_broken_structure(connection))
    if problems:
        return problems
    checks = (
        _broken_references(connection), _forbidden_rows(connection), _damaged_files(connection, prices),
        _damaged_checkpoints(connection),
    )  # fmt: skip
    return _found_by(chain(*checks))


def rows_to_check(connection: Connection) -> int:
    """Return how many rows find_deep_problems reads: those with digests, and the bars of the price files. 0 = not known."""
    counts = digests.stored_counts(connection)
    bars = _number(connection, "SELECT sum(rows) FROM price_files WHERE superseded_at IS NULL") if counts else 0
    return sum(counts.values()) + int(bars or 0)


def all_problems(connection: Connection, prices: PriceAddress, seen: RowsSeen = ignore_rows) -> list[str]:
    """Return what find_problems finds and, where the database's structure is sound, what find_deep_problems finds."""
    problems = find_problems(connection, prices)
    if problems and problems[0].startswith(STRUCTURE):
        return problems
    return problems + find_deep_problems(connection, prices, seen)


def find_deep_problems(connection: Connection, prices: PriceAddress, seen: RowsSeen = ignore_rows) -> list[str]:
    """Return the problems that only reading every row shows, one line each.

    Rows whose digests differ, rows that a check of their table forbids, price files with other rows or sessions than the
    database states, and bars that differ from their price file. seen: is told of each row, rows_to_check in all.
    """
    checks = (
        digests.changed_tables(connection, seen), _forbidden_by_checks(connection), _other_prices(connection, prices, seen)
    )  # fmt: skip
    return _found_by(chain(*checks))


def _found_by(checks: Iterator[str]) -> list[str]:
    """Return what checks find, up to one that the damage of the schema keeps from being made. Raises storage errors."""
    problems = []
    try:
        for problem in checks:
            problems.append(problem)
    except sa.exc.OperationalError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code != sqlite3.SQLITE_ERROR:
            raise
        problems.append(f"schema: {error.orig}; restore the database from a backup")
    return problems


def _broken_structure(connection: Connection) -> Iterator[str]:
    """Yield what is wrong with a file's pages and indexes. A server looks after its own, and after references."""
    if connection.dialect.name == SQLITE:
        for (found,) in _rows(connection, "PRAGMA integrity_check"):
            if found != "ok":
                yield f"{STRUCTURE}: {found}"


def _broken_references(connection: Connection) -> Iterator[str]:
    if connection.dialect.name != SQLITE:
        return
    for row in _rows(connection, "PRAGMA foreign_key_check"):
        yield f"foreign_key_check: a row of {row[0]} refers to a missing row of {row[2]}"


def _forbidden_rows(connection: Connection) -> Iterator[str]:
    for what, query in FORBIDDEN.items():
        count = _number(connection, query)
        if count:
            yield f"{what}: {count}"


def _other_prices(connection: Connection, prices: PriceAddress, seen: RowsSeen) -> Iterator[str]:
    """Yield a line for each current price file with other rows than the database states, or than its copy there."""
    store = price_store(prices)
    for path, sha256, rows, first, last, ticker_id, symbol in _current_files(connection, prices):
        try:
            history = read_bars(prices, path, sha256)
        except Corrupt as error:
            yield str(error)
            continue
        days = history.bars.session
        found = f"{len(days)} rows {days[0]}..{days[-1]}" if len(days) else "no rows"
        if found != f"{rows} rows {first}..{last}":
            yield f"{store.name(path)}: {found}, the database states {rows} rows {first}..{last}"
        elif different := _different_bars(connection, ticker_id, as_known(history)):
            yield f"{symbol}: {different} rows of bars differ from {store.name(path)}"
        seen(rows)


def rows_to_hash(connection: Connection) -> int:
    """Return how many rows content_hash reads, without the checkpoints: those have no digests."""
    counts = digests.stored_counts(connection)
    return sum(counts.get(table, 0) for table in HASHED_TABLES)


def content_hash(connection: Connection, seen: RowsSeen = ignore_rows) -> str:
    """Return the sha256 of the record's content: the same for equal records, whenever and by whichever runs they were made.

    seen: is told of each row.
    """
    digest = hashlib.sha256()
    for query in HASHED:
        answer = connection.execute(sa.text(query), execution_options=STREAMED)
        for row in chain.from_iterable(digests.seen_parts(answer, seen)):
            for value in row:
                digest.update(_canonical(value))
            digest.update(b"\n")
        digest.update(b"\f")
    return digest.hexdigest()


def _different_bars(connection: Connection, ticker_id: int, bars: Bars) -> int:
    """Return how many rows of the table of bars are not a bar of the price file, or are missing."""
    stored = {tuple(row) for row in connection.exec_driver_sql(STORED_BARS, (ticker_id,))}
    return len({row[0] for row in set(bar_rows(bars)) ^ stored})


def _forbidden_by_checks(connection: Connection) -> Iterator[str]:
    """Yield a line for each CHECK that some rows break. SQLite itself looks at them only where it may write."""
    for table in Base.metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, sa.CheckConstraint):
                count = _number(connection, f"SELECT count(*) FROM {table.name} WHERE NOT ({constraint.sqltext})")
                if count:
                    yield f"rows of {table.name} that its check {constraint.name} forbids: {count}"


def _damaged_files(connection: Connection, prices: PriceAddress) -> Iterator[str]:
    store = price_store(prices)
    for path, sha256, *_ in _current_files(connection, prices):
        try:
            if sha256_of(store.read(path)) != sha256:
                yield f"{store.name(path)}: its bytes are not what was written (sha256 differs)"
        except Corrupt as error:
            yield str(error)


def _current_files(connection: Connection, prices: PriceAddress) -> Iterator[Any]:
    """Yield the row of each current price file, while the files of the next ones are read."""
    return read_ahead(prices, _rows(connection, CURRENT_FILES), lambda row: row[0])


def _damaged_checkpoints(connection: Connection) -> Iterator[str]:
    for model_id, sha256, content in _rows(connection, CHECKPOINTS):
        if not isinstance(content, bytes) or sha256_of(content) != sha256:
            yield f"checkpoint of model {model_id}: its bytes are not what was written (sha256 differs)"


def _number(connection: Connection, query: str) -> Any:
    return connection.execute(sa.text(query)).scalar_one()


def _rows(connection: Connection, query: str) -> Iterator[Any]:
    """Return the rows of a query, all of which the caller takes."""
    return iter(connection.execute(sa.text(query), execution_options=STREAMED))


def _canonical(value: Any) -> bytes:
    """Return bytes that differ for different values of a column. An integer and its text are the same: columns are STRICT."""
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    text = b"" if value is None else str(value).encode()
    return (b"n" if value is None else b"t") + struct.pack("<q", len(text)) + text
