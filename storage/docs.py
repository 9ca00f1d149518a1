"""Generate docs/sql.md from the views and the cookbook. `python -m storage.docs` writes it; a test compares it with the code."""

from __future__ import annotations

from pathlib import Path

from storage.cookbook import COOKBOOK
from storage.views import VIEWS

PATH = Path(__file__).parent.parent / "docs" / "sql.md"
HEAD = """# SQL views

Generated from `storage/views/` by `python -m storage.docs`. These views are the contract: columns may be added, never
renamed. Sessions are ISO dates of the exchange; instants are UTC text `YYYY-MM-DDTHH:MM:SS.ffffffZ`. Returns, location, scale,
errors and CRPS are natural-log returns (0.01 = 1 %). "Latest" means the active config: the one that the settings name.

Open the database read-only with any SQLite client (`sqlite3 'file:tickercast.db?mode=ro'`), or use
`tickercast sql "SELECT ..."`, which can only read and stops at a time limit.
"""

COOKBOOK_HEAD = """## Cookbook

Questions that users ask, each with one query. Put your ticker in the place of AAPL, and your day in the place of 2013-01-15.
"""


def sql_page() -> str:
    """Return the page as Markdown: the cookbook, then each view with its purpose and its columns."""
    parts = [HEAD, COOKBOOK_HEAD]
    parts += [f"**{recipe.question}**\n\n```sql\n{recipe.query}\n```\n" for recipe in COOKBOOK]
    for view in VIEWS:
        rows = "\n".join(f"| {column.name} | {column.meaning.replace('|', chr(92) + '|')} |" for column in view.columns)
        parts.append(f"## {view.name}\n\n{view.purpose}\n\n| column | meaning and unit |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page."""
    PATH.write_text(sql_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
