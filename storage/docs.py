"""docs/sql.md, made from the views. `python -m storage.docs` writes it; a test holds it to the code."""

from __future__ import annotations

from pathlib import Path

from storage.views import VIEWS

PATH = Path(__file__).parent.parent / "docs" / "sql.md"
HEAD = """# The record in SQL

Generated from `storage/views.py` by `python -m storage.docs`. These views are the contract: columns may be added, never
renamed. Sessions are ISO dates of the exchange; instants are UTC text `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Returns, location, scale,
errors and CRPS are natural-log returns (0.01 = 1 %). "Latest" means the active config: the one that the settings name.

Open the database read-only with any SQLite client (`sqlite3 'file:tickercast.db?mode=ro'`), or ask
`tickercast sql "SELECT ..."`, which reads, never writes, and stops at a time limit.
"""


def sql_page() -> str:
    """Return the page: each view with what it answers and its columns."""
    parts = [HEAD]
    for view in VIEWS:
        rows = "\n".join(f"| {name} | {meaning.replace('|', chr(92) + '|')} |" for name, meaning in view.columns)
        parts.append(f"## {view.name}\n\n{view.answers}\n\n| column | meaning and unit |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def main() -> None:
    PATH.write_text(sql_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
