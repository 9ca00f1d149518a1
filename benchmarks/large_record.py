"""How does a record on PostgreSQL behave as it grows?

    python benchmarks/large_record.py URL [--tickers 10000] [--days 50 150 500]

URL names an empty database of a server that nobody else uses. Its record gets generated rows of `origins` and `forecasts`, day by
day, all tickers a day, by a superuser. At each number of days the script prints the bytes of tables and indexes, the time of
VACUUM and ANALYZE, time and WAL of a further day by all rules of the schema, and the time of the query for one ticker.
docs/scale.md has the figures.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from datetime import date

import psycopg

from tickercast.storage.address import PostgresServer
from tickercast.storage.database import upgrade_database
from tickercast.storage.postgres.locks import advisory_lock

FIRST_DAY = date(2000, 1, 3)
HORIZONS = 5
INSTANT = "2026-11-27T00:00:00.000000Z"
CHUNK_DAYS = 10
LISTED = "'XNYS', 'USD', 'America/New_York', 'folder', 1, 'active'"
BASE = f"""
INSERT INTO configs (id, preset, field, settings, created_at, active)
  VALUES ('c', 'density', 'close', '{{}}', '{INSTANT}', 1);
INSERT INTO models (number, id, config_id, origin, role, start, reason, depth, cold_ancestor_number, epochs, updates, seed,
  input_sha256, feature_set_id, seconds, checkpoint_sha256, run_id)
  VALUES (1, 'm', 'c', '2000-01-01', 'prior', 'cold', '', 0, 1, 1, 1, 1, '', 1, 0, '', 1);
INSERT INTO runs (id, kind, status, started_at, config_id, tickers_ok, tickers_failed, forecasts, fingerprint)
  VALUES (1, 'run', 'done', '{INSTANT}', 'c', 0, 0, 0, '');
INSERT INTO tickers (id, symbol, key, exchange, currency, time_zone, source, tracked, status, added_at)
  SELECT i, 'T' || i, 'k' || i, {LISTED}, '{INSTANT}' FROM generate_series(1, %(tickers)s) i;
"""
ORIGINS = f"""
INSERT INTO origins (id, ticker_id, config_id, origin, field, last_price, price_basis, mode, made_at, known_at, input_sha256,
  model_number, run_id, context)
SELECT d * %(tickers)s + t, t, 'c', to_char(DATE '{FIRST_DAY}' + d, 'YYYY-MM-DD'), 'close', 50 + t %% 17, 'split_adjusted',
  'live', '{INSTANT}', '{INSTANT}', sha256(int8send(d * %(tickers)s::bigint + t)), 1, 1, 'none'
FROM generate_series(%(first)s, %(last)s) d, generate_series(1, %(tickers)s) t ORDER BY 1
"""
FORECASTS = f"""
INSERT INTO forecasts SELECT d * %(tickers)s + t, h, to_char(DATE '{FIRST_DAY}' + d + h, 'YYYY-MM-DD'), 0.0001 * h,
  0.01 + t * 1e-7, 5.5, 47, 48, 49, 50, 51, 52, 53, 0, 0.011, 6.5
FROM generate_series(%(first)s, %(last)s) d, generate_series(1, %(tickers)s) t, generate_series(1, {HORIZONS}) h
ORDER BY 1, 2
"""
SIZES = """
SELECT c.relname, pg_relation_size(c.oid) FROM pg_class c
WHERE c.relname IN ('origins', 'forecasts')
   OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN ('origins'::regclass, 'forecasts'::regclass)) ORDER BY 1
"""
OF_TICKER = """
SELECT o.origin, f.* FROM origins o JOIN forecasts f ON f.origin_id = o.id
WHERE o.ticker_id = %s AND o.config_id = 'c' ORDER BY o.origin DESC LIMIT 5
"""
MAINTENANCE = ("VACUUM (FREEZE) origins", "VACUUM (FREEZE) forecasts", "ANALYZE origins", "ANALYZE forecasts")


def add_days(connection: psycopg.Connection, tickers: int, first: int, last: int) -> None:
    """Add the generated rows of some days, inclusive, below all rules."""
    connection.execute("SET session_replication_role = replica")
    for begin in range(first, last + 1, CHUNK_DAYS):
        given = {"tickers": tickers, "first": begin, "last": min(begin + CHUNK_DAYS - 1, last)}
        connection.execute(ORIGINS, given)
        connection.execute(FORECASTS, given)
    connection.execute("SET session_replication_role = origin")


def one_day(connection: psycopg.Connection, tickers: int, day: int) -> str:
    """Add a day by the rules of the record in one transaction, and return what it cost."""
    given = {"tickers": tickers, "first": day, "last": day}
    connection.execute("CHECKPOINT")
    began, before = time.perf_counter(), wal_bytes(connection)
    with connection.transaction():
        connection.execute(ORIGINS, given)
        connection.execute(FORECASTS, given)
    seconds, written = time.perf_counter() - began, wal_bytes(connection) - before
    return f"a further day: {seconds:.1f} s, WAL {written / 1e6:.0f} MB, {written / tickers:,.0f} bytes a ticker"


def wal_bytes(connection: psycopg.Connection) -> int:
    """Return how many bytes of WAL were written since the server was made."""
    [[written]] = connection.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
    return int(written)


def show(connection: psycopg.Connection, tickers: int, day: int) -> None:
    """Print what the record is like when a number of days is there, and add a further one."""
    print(f"-- {day:,} days, {tickers * day:,} origins, {tickers * day * HORIZONS:,} forecasts, load {os.getloadavg()[0]:.1f}")
    for name, size in connection.execute(SIZES):
        print(f"{name:40} {size / 1e6:9,.1f} MB  {size / (tickers * day):7.1f} bytes a ticker-day")
    for statement in MAINTENANCE:
        began = time.perf_counter()
        connection.execute(statement)
        print(f"{statement:40} {time.perf_counter() - began:9.1f} s")
    print(one_day(connection, tickers, day))
    times = []
    for ticker in range(1, tickers, max(1, tickers // 50)):
        began = time.perf_counter()
        connection.execute(OF_TICKER, (ticker,)).fetchall()
        times.append(1000 * (time.perf_counter() - began))
    print(f"newest forecasts of a ticker: median {statistics.median(times):.2f} ms, longest {max(times):.2f} ms", flush=True)


def main() -> None:
    """Print the figures at each number of days."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--tickers", type=int, default=10_000)
    parser.add_argument("--days", type=int, nargs="+", default=[50, 150, 500])
    given = parser.parse_args()
    server = PostgresServer(given.url)
    with advisory_lock(server, "writer", command="init", wait_seconds=5):
        upgrade_database(server)
    with psycopg.connect(given.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(BASE % {"tickers": given.tickers})
        done = 0
        for days in given.days:
            add_days(connection, given.tickers, done, days - 1)
            show(connection, given.tickers, days)
            done = days + 1


if __name__ == "__main__":
    main()
