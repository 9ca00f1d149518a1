"""Generate docs/sql.md from the views and the cookbook, and the script of the newest schema from the migrations.

`python -m tickercast.storage.docs` writes both; tests compare them with the code.
"""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from tickercast.storage import query_process
from tickercast.storage.cookbook import COOKBOOK
from tickercast.storage.database import migrate
from tickercast.storage.newest_schema import SCRIPT, script_of
from tickercast.storage.sql_guard import ANY_FORMAT, TABLE
from tickercast.storage.versions import known_revisions
from tickercast.storage.views import VIEWS

PATH = Path(__file__).resolve().parent.parent / "docs" / "sql.md"
HEAD = """# SQL views

Generated from `storage/views/` by `python -m tickercast.storage.docs`. These views are the contract: columns may be added, never
renamed. Sessions are ISO dates of the exchange; instants are UTC text `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Returns, location, scale,
errors and CRPS are natural-log returns (0.01 = 1 %). "Latest" means the active config: the one that the settings name.
The types are those of DataFrames and of exported files ([python.md](python.md)). In SQL a date and an instant are text, and a
bool is 0 or 1.

Open the database read-only with any SQLite client (`sqlite3 'file:tickercast.db?mode=ro'`), or use
`tickercast sql "SELECT ..."`. A reader never waits for a writer and delays none. Queries between `BEGIN` and `COMMIT` see one
record: what is committed meanwhile appears in the next transaction. A forecast appears with all of its horizons, its model and
the scores that became due with it.
"""

LIMITS = """## Limits of `tickercast sql`

One statement that only reads. It runs in a process of its own, which is killed at a limit and at Ctrl-C. The error names the
limit (exit code 8), and a wrong name gets the nearest known one. `sql -` reads the query from stdin.

| limit | value |
|---|---|
| time | `--seconds`, default 10; the time that a pager takes does not count |
| memory of the query | {memory} MB, and {temporary} MB for each temporary file |
| one value, one row | {value} MB, {row} MB |
| the query | {query} characters, {columns} columns, {depth} levels of an expression, {compound} terms of UNION |
| the result | {rows} rows and {megabytes} MB; as a table {table_rows} rows and {table_megabytes} MB |

Rows are written as they come, so a result of any length needs little memory. A query that fails half-way has written some rows
to stdout; with `--out FILE` it leaves no file, and an older file stays. The extension says the format unless `--format` does.

| value | table, CSV | JSON, NDJSON | Parquet |
|---|---|---|---|
| NULL | empty | null | null |
| bytes | hexadecimal text | hexadecimal text | binary |
| text that is not UTF-8 | its bytes escaped: `\\xff` | the same | the same |
| infinity | `inf` | null | infinity |
| values of several types in a column | as they are | as they are | numbers: float where exact; else text |
| two columns named `n` | `n`, `n_2` | `n`, `n_2` | `n`, `n_2` |
| no rows | the header | `[]`, or nothing | the columns, of type null |
"""

COOKBOOK_HEAD = """## Cookbook

Questions that users ask, each with one query. Put your ticker in the place of AAPL, and your day in the place of 2013-01-15.
"""


def sql_page() -> str:
    """Return the page as Markdown: the cookbook, each view with its purpose and its columns, then the limits."""
    parts = [HEAD, COOKBOOK_HEAD]
    parts += [f"**{recipe.question}**\n\n```sql\n{recipe.query}\n```\n" for recipe in COOKBOOK]
    for view in VIEWS:
        rows = "\n".join(f"| {c.name} | {c.kind} | {c.meaning.replace('|', chr(92) + '|')} |" for c in view.columns)
        parts.append(f"## {view.name}\n\n{view.purpose}\n\n| column | type | meaning and unit |\n|---|---|---|\n{rows}\n")
    return "\n".join([*parts, _limits()])


def _limits() -> str:
    """Return the section about the limits of a query, with their values."""
    limit = query_process.SQLITE_LIMITS
    return LIMITS.format(
        memory=_megabytes(query_process.ADDRESS_BYTES),
        temporary=_megabytes(query_process.TEMPORARY_BYTES),
        value=_megabytes(limit[sqlite3.SQLITE_LIMIT_LENGTH]),
        row=_megabytes(query_process.ANSWER_BYTES),
        query=f"{limit[sqlite3.SQLITE_LIMIT_SQL_LENGTH]:,}",
        columns=limit[sqlite3.SQLITE_LIMIT_COLUMN],
        depth=limit[sqlite3.SQLITE_LIMIT_EXPR_DEPTH],
        compound=limit[sqlite3.SQLITE_LIMIT_COMPOUND_SELECT],
        rows=f"{ANY_FORMAT.rows:,}",
        megabytes=_megabytes(ANY_FORMAT.bytes),
        table_rows=f"{TABLE.rows:,}",
        table_megabytes=_megabytes(TABLE.bytes),
    )


def _megabytes(count: int) -> str:
    return f"{count // 1_000_000:,}"


def schema_script() -> str:
    """Return the script of the newest schema, from a database that the migrations make."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.db"
        migrate(path)
        return script_of(path, known_revisions()[0])


def main() -> None:
    """Write the page and the script."""
    PATH.write_text(sql_page(), encoding="utf-8")
    SCRIPT.write_text(schema_script(), encoding="utf-8")


if __name__ == "__main__":
    main()
