"""Run a user's query, which may only read: mode=ro, query_only, an authorizer that allows only reading, and a time limit.

mode=ro alone is not enough: ATTACH and VACUUM INTO write despite it.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from storage.database import storage_error, uri_path
from storage.errors import QueryOverLimit, QueryRefused, StorageError
from storage.queries.views import Rows

ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_FUNCTION}
# Not interruptible, or a way to a file or another library.
DENIED_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "zeroblob", "randomblob"}
LONGEST_VALUE_BYTES = 50_000_000
LONGEST_QUERY_BYTES = 100_000
CHECK_EVERY_STEPS = 2_000
MOST_ROWS = 1_000_000


def run_select(path: Path, query: str, *, seconds: float, most_rows: int = MOST_ROWS) -> Rows:
    """Return the rows of one SELECT.

    Raises QueryRefused for a statement that does more than read or that SQLite does not understand. Raises QueryOverLimit
    when it runs longer than `seconds` or returns more than most_rows rows.
    """
    connection = _guarded(path)
    deadline = time.monotonic() + seconds
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), CHECK_EVERY_STEPS)
    try:
        cursor = connection.execute(query)
        if cursor.description is None:
            raise QueryRefused("that statement reads nothing; only one SELECT is answered")
        rows = cursor.fetchmany(most_rows + 1)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _refusal(path, error, seconds) from error
    finally:
        connection.close()
    if len(rows) > most_rows:
        raise QueryOverLimit(f"the query returns more than {most_rows} rows; add a LIMIT")
    return Rows(tuple(column[0] for column in cursor.description), rows)


def _guarded(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{uri_path(path)}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, LONGEST_QUERY_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, _first: str | None, second: str | None, _database: str | None, _by: str | None) -> int:
    if action not in ALLOWED:
        return sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in DENIED_FUNCTIONS:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def _refusal(path: Path, error: Exception, seconds: float) -> Exception:
    text = str(error)
    if text == "interrupted":
        return QueryOverLimit(f"the query ran longer than its limit of {seconds:g} s; nothing was changed")
    if isinstance(error, sqlite3.DataError) or "too big" in text:
        return QueryOverLimit(f"{text}; nothing was changed")
    typed = storage_error(path, error)
    if isinstance(typed, StorageError):
        return typed
    if "not authorized" in text or "prohibited" in text or "readonly" in text:
        return QueryRefused(f"{text}: only reading is allowed; nothing was changed")
    return QueryRefused(f"SQLite: {text}")
