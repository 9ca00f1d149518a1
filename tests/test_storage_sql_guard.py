"""A user's SQL reads and does nothing else, for no longer, and with no more memory, than allowed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from tests.builders import Record
from tests.conftest import REPOSITORY
from tickercast.storage.errors import Corrupt, QueryOverLimit, QueryRefused, StorageError
from tickercast.storage.reader import Rows
from tickercast.storage.sql_guard import ResultLimit, selecting

pytestmark = pytest.mark.slow

HOSTILE = (
    "DELETE FROM forecasts",
    "INSERT INTO events (at, kind, message) VALUES ('a', 'b', 'c')",
    "UPDATE tickers SET symbol = 'X'",
    "DROP TABLE forecasts",
    "CREATE TABLE x (a)",
    "CREATE TEMP TABLE x (a)",
    "ATTACH 'new.db' AS n",
    "ATTACH 'file:a.db?mode=rw' AS n",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "PRAGMA hard_heap_limit = 0",
    "BEGIN IMMEDIATE",
    "SAVEPOINT a",
    "REINDEX",
    "ANALYZE",
    "SELECT load_extension('x')",
    "SELECT 1; DELETE FROM forecasts",
    "EXPLAIN DELETE FROM forecasts",
    "SELECT writefile('x', 'y')",
    "SELECT zeroblob(1000000000)",
    "SELECT * FROM pragma_table_info('forecasts')",
    "UPDATE sqlite_master SET sql = ''",
    "SELECT ?",
    "SELECT 'a\0b'",
    "SELECT '\udcff'",
    "not SQL at all",
    "",
)
LONG = "printf('%.*c', 4000000, 'a')"  # 4 MB of text
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
# Each needs more time or memory than a query gets, and most of it inside one call of a function, which nothing interrupts.
HEAVY = (
    f"{COUNT} count(*) FROM n",
    "SELECT count(*) FROM sqlite_master a, sqlite_master b, sqlite_master c, sqlite_master d, sqlite_master e, sqlite_master f",
    f"SELECT instr({LONG}, printf('%.*c', 2000000, 'a') || 'b')",
    f"SELECT replace({LONG}, printf('%.*c', 2000000, 'a') || 'b', 'c')",
    f"SELECT {LONG} LIKE '%a%a%a%a%a%a%a%a%b'",
    f"SELECT {LONG} GLOB '*a*a*a*a*a*a*a*a*b'",
    f"SELECT {LONG} LIKE printf('%.*c', 2000000, '%') || 'b'",
    f"SELECT replace({LONG}, 'a', {LONG})",
    f"SELECT hex({LONG} || {LONG} || {LONG})",
    "SELECT printf('%.*c', 2000000000, 'a')",
    "SELECT printf('%2000000000d', 1)",
    "SELECT printf('%.2000000000f', 1.0)",
    f"{COUNT} group_concat(printf('%.*c', 100000, 'a')) FROM n",
    f"{COUNT} json_group_array(printf('%.*c', 100000, 'a')) FROM n",
    f"{COUNT} json_group_object(i, {LONG}) FROM n",
    f"{COUNT} {LONG} || i FROM n",
    f"{COUNT} hex({LONG}) FROM n",
    f"{COUNT} i FROM n",
    f"{COUNT} i FROM n ORDER BY i DESC",
    f"{COUNT} {LONG} || i AS t FROM n ORDER BY t",
    f"{COUNT} count(DISTINCT {LONG} || i) FROM n",
    f"{COUNT} sum(length({LONG})) FROM n",
    f"{COUNT} max(i) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM n",
    "WITH RECURSIVE n(t) AS (SELECT 'a' UNION ALL SELECT t || t FROM n) SELECT length(t) FROM n",
    "WITH RECURSIVE n(t) AS (SELECT 'a' UNION SELECT t || 'a' FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n(t) AS (SELECT '[' UNION ALL SELECT t || t FROM n) SELECT json_valid(t) FROM n",
    f"SELECT {', '.join([LONG] * 100)}",
    f"SELECT {', '.join(['1'] * 501)}",
    f"SELECT {'+'.join(['1'] * 5000)}",
    f"SELECT {'(' * 5000}1{')' * 5000}",
    f"SELECT {'NOT ' * 5000}1",
    " UNION ALL ".join(["SELECT 1"] * 1000),
    f"SELECT 1 WHERE 1 IN ({', '.join(map(str, range(18_000)))})",
    "SELECT " + "a" * 110_000,
    "SELECT max(" + ", ".join(["1"] * 200) + ")",
    f"SELECT trim({LONG} || 'b', {LONG})",
    f"SELECT json_extract('[' || replace({LONG}, 'a', '[],') || '1]', '$[1000000]')",
    f"SELECT upper({LONG}) = lower({LONG}) FROM ({COUNT} i FROM n)",
    f"SELECT * FROM json_each('[' || replace({LONG}, 'a', '1,') || '1]') a, json_each('[1,2,3]') b, ({COUNT} i FROM n)",
    f"SELECT count(*) FROM ({COUNT} i FROM n) a JOIN ({COUNT} i FROM n) b ON a.i = b.i",
)  # fmt: skip
SECONDS, GRACE_SECONDS, MOST_MEGABYTES = 0.5, 0.3, 500


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    path.write_bytes(empty_database.read_bytes())
    return path


def rows_of(database: Path, query: str, *, seconds: float = 20, most: ResultLimit | None = None) -> Rows:
    limit = {"most": most} if most else {}
    with selecting(database, query, seconds=seconds, **limit) as found:
        return Rows(found.columns, list(found.rows))


@pytest.mark.parametrize("query", HOSTILE)
def test_a_statement_that_would_do_more_than_read_is_refused(database: Path, query: str) -> None:
    before = database.read_bytes()
    with pytest.raises(QueryRefused):
        rows_of(database, query)
    # A reader of a WAL database may make the two files beside it, and nothing else.
    others = {p.name for p in database.parent.iterdir()} - {"a.db", "a.db-wal", "a.db-shm"}
    assert (database.read_bytes() == before, others) == (True, set())


# Takes the rows as a command does. Prints how it ended, after how long, and the highest memory of both processes in MB.
TAKER = """
import resource, sys, time
from pathlib import Path
from tickercast.storage.errors import QueryOverLimit, QueryRefused
from tickercast.storage.sql_guard import selecting
outcome, began = "answered", time.monotonic()
try:
    with selecting(Path(sys.argv[1]), sys.argv[2], seconds=float(sys.argv[3])) as found:
        for row in found.rows:
            pass
except (QueryOverLimit, QueryRefused) as error:
    outcome = type(error).__name__
took = time.monotonic() - began
# ru_maxrss of this process would begin with the size of the test's own process; VmHWM begins with this program.
own = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(outcome, took, max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024)
"""


@pytest.mark.parametrize("query", HEAVY, ids=lambda query: query[:60])
def test_a_heavy_query_ends_within_its_limit_of_time_and_memory(database: Path, query: str) -> None:
    outcome, took, megabytes = quickest_taken(database, query)
    assert outcome in ("QueryOverLimit", "QueryTooLong", "QueryRefused", "answered")
    assert took < SECONDS + GRACE_SECONDS
    assert megabytes < MOST_MEGABYTES


@pytest.mark.parametrize(
    ("query", "limit"),
    [
        (HEAVY[0], "longer than its limit of 0.3 s"),
        (f"SELECT {LONG} || {LONG} || {LONG}", "string or blob too big"),
        (f"SELECT {', '.join([LONG] * 100)}", "MB of memory"),
        ("SELECT " + "+".join(["1"] * 5000), "Expression tree is too large"),
        ("SELECT " + ", ".join(["1"] * 501), "too many columns"),
        (" UNION ALL ".join(["SELECT 1"] * 200), "too many terms"),
        ("SELECT 'a' LIKE printf('%.*c', 2000, '%')", "pattern too complex"),
        ("SELECT " + "a" * 200_000, "query string is too large"),
    ],
    ids=lambda text: text[:30],
)
def test_the_error_of_a_query_over_a_limit_names_the_limit(database: Path, query: str, limit: str) -> None:
    with pytest.raises(QueryOverLimit, match=limit):
        rows_of(database, query, seconds=0.3 if query == HEAVY[0] else 20)


@pytest.mark.parametrize(("most", "error"), [((10, 1000), "more than 10 rows; add a"), ((100, 300), "more than 0 MB; add a")])
def test_too_many_rows_or_bytes_are_refused(database: Path, most: tuple[int, int], error: str) -> None:
    query = f"{COUNT} i, 'text' FROM n LIMIT 50"
    assert len(rows_of(database, query, most=ResultLimit(50, 10_000, "")).rows) == 50
    with pytest.raises(QueryOverLimit, match=error):
        rows_of(database, query, most=ResultLimit(*most, cure="add a LIMIT"))


def test_time_that_the_reader_of_the_rows_takes_does_not_count(database: Path) -> None:
    with selecting(database, f"{COUNT} i FROM n LIMIT 1000", seconds=0.5) as found:
        next(found.rows)
        time.sleep(0.8)
        assert len(list(found.rows)) == 999


def test_a_reading_query_is_answered_with_its_columns(database: Path) -> None:
    assert rows_of(database, "SELECT 1 AS one, 'a' AS letter WHERE 0") == Rows(("one", "letter"), [])


def test_every_type_of_value_arrives_as_it_is(database: Path) -> None:
    query = "SELECT 1, -9223372036854775808, 0.1, 9e999, 'é', x'00ff', NULL, CAST(x'61ff62' AS TEXT)"
    assert rows_of(database, query).rows == [(1, -(2**63), 0.1, float("inf"), "é", b"\x00\xff", None, "a\\xffb")]


def test_functions_of_json_can_be_used(database: Path) -> None:
    assert rows_of(database, "SELECT sum(value) FROM json_each('[1, 2]')").rows == [(3,)]


def test_long_rows_arrive_one_by_one(database: Path) -> None:
    query = f"{COUNT} {LONG} FROM n LIMIT 12"
    assert {len(row[0]) for row in rows_of(database, query).rows} == {4_000_000}


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("SELECT tickr FROM freshness", "no such column: tickr; did you mean ticker"),
        ("SELECT f.tickers FROM freshness f", "did you mean ticker"),
        ("SELECT * FROM forcast_history", "no such table: forcast_history; did you mean forecast_history"),
        ("SELECT * FROM Scored", "tickercast sql --list"),
        ("SELECT crps_skil FROM skill", "did you mean crps_skill"),
        ("SELECT qqqqqqqqqq FROM skill", "tickercast sql --list"),
        ("SELECT full_locked_readonly FROM skill", "no such column"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_known_one(database: Path, query: str, hint: str) -> None:
    with pytest.raises(QueryRefused, match=hint):
        rows_of(database, query)


def test_the_process_of_a_query_ends_with_its_parent(database: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import tickercast.storage.sql_guard as guard\n"
        "with guard.selecting(Path(sys.argv[1]), sys.argv[2], seconds=60) as found: next(found.rows)\n"
    )
    started = subprocess.Popen([sys.executable, "-c", code, database, HEAVY[2]], cwd=REPOSITORY)
    child = wait_for_child(started.pid)
    started.kill()
    started.wait()
    assert ends(child)


def test_a_damaged_database_is_an_integrity_error(database: Path) -> None:
    content = bytearray(database.read_bytes())
    with closing(sqlite3.connect(database)) as connection:
        page, size = connection.execute("SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master "
                                        "WHERE name = 'sessions'").fetchone()  # fmt: skip
    content[(page - 1) * size : page * size] = b"\xa5" * size
    database.write_bytes(content)
    with pytest.raises(Corrupt, match="malformed"):
        rows_of(database, "SELECT count(*) FROM sessions NOT INDEXED")


def test_a_database_that_cannot_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="unable to open"):
        rows_of(tmp_path / "none.db", "SELECT 1")


def quickest_taken(database: Path, query: str) -> tuple[str, float, int]:
    """Return what the taker printed. Where other programs kept the processors busy, it runs up to three times."""
    for _ in range(3):
        taker = [sys.executable, "-c", TAKER, database, query, str(SECONDS)]
        done = subprocess.run(taker, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        outcome, took, megabytes = done.stdout.split()
        if float(took) < SECONDS + GRACE_SECONDS:
            break
    return outcome, float(took), int(megabytes)


def wait_for_child(pid: int) -> int:
    """Return the first child of a process, once it has one that reads its database."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for _ in range(500):
        found = children.read_text().split()
        if found and "query_process" in Path(f"/proc/{found[0]}/cmdline").read_text():
            return int(found[0])
        time.sleep(0.01)
    raise AssertionError("no child")


def ends(pid: int) -> bool:
    """Return whether a process is gone within two seconds."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    return False


def test_the_work_of_other_threads_takes_no_time_of_a_query(sound_record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "process_time", count(0, 1000).__next__)  # seconds, more with each look
    with selecting(sound_record.database, "SELECT 1", seconds=10) as found:
        assert list(found.rows) == [(1,)]
