"""What the quick reading commands show: public views, the tickers, and the result of a user's query. sqlite3 alone reads them.

Not here: what needs NumPy, such as bars, the report and the checks (answers).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from tickercast.jobs.errors import UsageError
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.scoring.terms import ALL_TICKERS
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.place import Place
from tickercast.storage.address import Database
from tickercast.storage.errors import not_stored
from tickercast.storage.many_values import marks_of
from tickercast.storage.paths import open_at_once
from tickercast.storage.reader import Rows, select_rows, snapshot, unknown_symbols, view_named, view_query
from tickercast.storage.sql_guard import ANY_FORMAT, TABLE, Parameters, ResultLimit, Selected, selecting
from tickercast.storage.versions import check_revision
from tickercast.storage.views import VIEWS
from tickercast.storage.widths import usual_widths

__all__ = [
    "ANY_FORMAT",
    "TABLE",
    "answer",
    "context_notices",
    "database_for_queries",
    "prior_notices",
    "query_text",
    "ticker_rows",
    "upgrade_notices",
    "usual_widths_of",
    "view_list",
    "view_rows",
]

STDIN = "-"
LONGEST_QUERY = 1_000_000  # bytes; the limit of SQLite (storage.query_process) is lower
UPGRADE_QUERY = "SELECT message FROM event WHERE kind = 'upgrade' AND run_id = (SELECT max(run_id) FROM run_summary)"
# Of a ticker that is no longer followed nothing is requested, so an old failure says nothing.
FAILING_CONTEXT = """SELECT r.kind = 'reference', count(DISTINCT r.subject), min(r.failing_since), min(r.subject), max(r.message)
FROM context_requests r LEFT JOIN tickers t ON t.key = r.subject
WHERE r.failing_since IS NOT NULL AND (r.kind = 'reference' OR t.tracked = 1) GROUP BY 1 ORDER BY 1"""
# Of the active config: the newest prior of each family that its forecasts began from, where it is older than a year. A chain
# keeps its prior until its next cold start, which may be three months after a newer one.
OLD_PRIORS = """SELECT p.family, max(p.cutoff) FROM prior p JOIN config c ON c.id = p.config
WHERE c.active = 1 AND p.diverged = 0 GROUP BY p.family
HAVING max(p.cutoff) < (
    SELECT date(max(o.origin), '-15 months') FROM origins o JOIN configs a ON a.id = o.config_id AND a.active = 1
) ORDER BY 1"""
TICKERS_QUERY = """SELECT symbol AS ticker, tracked, status, source, exchange, currency, price_basis, last_error, kind
FROM tickers ORDER BY symbol"""


def view_rows(database: Database, view: str, tickers: Sequence[str] | None, **equal: object) -> Rows:
    """Return a public view's rows, of some tickers or of all. Raises UnknownStoredTicker for a ticker that is not stored.

    equal: columns with the value that their rows must have; None = any.
    """
    given = {column: value for column, value in equal.items() if value is not None}
    wanted = [ticker if ticker == ALL_TICKERS else parse_symbol(ticker) for ticker in tickers or []]
    with snapshot(database) as connection:
        for symbol in unknown_symbols(connection, wanted):
            if symbol != ALL_TICKERS:
                raise not_stored(symbol)
        values = [*marks_of(wanted)[1], *given.values()]
        found = select_rows(connection, view_query(view_named(view), wanted, tuple(given)), values)
        return replace(found, types=view_named(view).columns)


def usual_widths_of(database: Database, forecasts: Rows) -> dict[tuple[str, int], float]:
    """Return, by ticker and horizon, the usual width in percent of the forecasts whose newest are rows of latest_forecast."""
    newest = [(row["ticker"], row["config"], row["origin"], row["horizon"]) for row in forecasts.records()]
    with snapshot(database) as connection:
        return usual_widths(connection, newest)


def ticker_rows(database: Database) -> Rows:
    """Return the stored tickers."""
    with snapshot(database) as connection:
        return select_rows(connection, TICKERS_QUERY)


def upgrade_notices(database: Database) -> list[str]:
    """Return what the newest run says of an upgrade of the record."""
    with snapshot(database) as connection:
        return [row[0] for row in select_rows(connection, UPGRADE_QUERY).rows]


def context_notices(database: Database) -> list[str]:
    """Return one line about the context that could not be fetched, and since when; none where everything was."""
    with snapshot(database) as connection:
        rows = select_rows(connection, FAILING_CONTEXT).rows
    parts = []
    for is_reference, count, since, subject, message in rows:
        what = f"reference {subject}" if is_reference else f"company events of {counted(count, 'tracked ticker')}"
        parts.append(f"{what} not fetched since {since[:10]} ({message})")
    return ["; ".join(parts) + "; what is stored serves"] if parts else []


def prior_notices(database: Database) -> list[str]:
    """Return one line about priors that are a year older than the newest forecasts; none where there are no such."""
    with snapshot(database) as connection:
        rows = select_rows(connection, OLD_PRIORS).rows
    if not rows:
        return []
    named = ", ".join(f"{family} {cutoff}" for family, cutoff in rows)
    return [
        f"the newest prior is older than a year ({named}); forecasts lose little by that. A newer version may bring a newer one, "
        'or set model.prior to "universe" and name its members (docs/forecasts.md)'
    ]


def view_list() -> Rows:
    """Return the public views with their columns and meanings."""
    return Rows(("view", "column", "meaning"), [(v.name, c.name, c.meaning) for v in VIEWS for c in v.columns])


def query_text(query: str | None, file: Path | None, *, list_views: bool) -> str:
    """Return the query of a command line, empty for a list of the views; `-` is stdin.

    Raises UsageError unless exactly one is given, and for a text that cannot be read.
    """
    if sum((query is not None, file is not None, list_views)) != 1:
        raise UsageError("give one of: a query, --file QUERY.sql, --list")
    if STDIN not in (query, str(file)) and file is None:
        return query or ""
    try:
        with sys.stdin.buffer if file is None or str(file) == STDIN else open_at_once(file) as stream:
            content = stream.read(LONGEST_QUERY + 1)
        if len(content) > LONGEST_QUERY:
            raise UsageError(f"{file or 'stdin'}: longer than {LONGEST_QUERY:,} bytes; no query is")
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file or 'stdin'}: cannot be read: {error}") from error


def database_for_queries(place: Place) -> Database:
    """Return the record that users' queries read: on a server by the login that may only read, where the settings name one.

    Raises SettingsError, and LoginMayWrite where that login may do more.
    """
    if (reader := place.reader) is None:
        return place.database
    check_revision(reader)
    from tickercast.storage.postgres.logins import require_reader

    require_reader(reader)
    return reader


def answer(
    database: Database,
    query: str,
    parameters: Parameters = (),
    *,
    seconds: float,
    most: ResultLimit = ANY_FORMAT,
) -> AbstractContextManager[Selected]:
    """Return a context manager that yields the result of one SELECT. parameters: the values of `?`, or of `:name` by name.

    Raises QueryRefused for anything else, and QueryOverLimit, which names the limit of time, memory, rows or bytes.
    """
    check_revision(database)
    return selecting(database, query, parameters, seconds=seconds, most=most)
