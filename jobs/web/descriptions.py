"""What Datasette shows beside the rows: the views with the meanings of their columns, and the cookbook as named queries.

Everything comes from storage.views and storage.cookbook, so the pages say what docs/sql.md says.
"""

from __future__ import annotations

import re
from typing import Any

from tickercast.storage.cookbook import COOKBOOK, Recipe
from tickercast.storage.views import VIEWS, View

DATABASE = "record"  # its name in the addresses of Datasette's pages
OTHERS = {"Data": DATABASE}  # of our navigation: its title and its path
# Columns of few values, by which a page offers to count its rows.
COUNTABLE = {
    "ticker", "horizon", "mode", "state", "verdict", "status", "kind", "start", "reason", "role", "code", "month", "preset",
    "field", "context", "currency", "price_basis",
}  # fmt: skip
# What a recipe names as an example becomes a parameter of its page.
EXAMPLE_TICKER, EXAMPLE_DAY = "'AAPL'", "'2013-01-15'"
PARAMETER = re.compile(r":(ticker|day)\b")
# The default of each parameter: the first ticker with forecasts, and the newest day that has forecasts.
DEFAULTS = {
    "ticker": "SELECT min(ticker) FROM latest_forecast",
    "day": "SELECT max(origin) FROM latest_forecast",
}
NAMES = frozenset({view.name for view in VIEWS} | {recipe.name for recipe in COOKBOOK})


def record_metadata() -> dict[str, Any]:
    """Return Datasette's metadata of the record."""
    return {
        "title": "Tickercast",
        "databases": {
            DATABASE: {
                "title": "The record",
                "description": "Every forecast, score and price as rows. The views below are stable; each column says its unit.",
                "tables": {view.name: _described(view) for view in VIEWS},
                "queries": {recipe.name: _named_query(recipe) for recipe in COOKBOOK},
            }
        },
    }


def parameters_of(name: str) -> tuple[str, ...]:
    """Return the parameters of a named query, () for one without and for any other name."""
    recipe = next((recipe for recipe in COOKBOOK if recipe.name == name), None)
    return tuple(dict.fromkeys(PARAMETER.findall(_with_parameters(recipe.query)))) if recipe else ()


def _described(view: View) -> dict[str, Any]:
    return {
        "description": view.purpose,
        "columns": {column.name: column.meaning for column in view.columns},
        "countable": [name for name in view.names if name in COUNTABLE],
    }


def _named_query(recipe: Recipe) -> dict[str, Any]:
    query = _with_parameters(recipe.query)
    return {"title": recipe.question, "sql": query, "params": list(parameters_of(recipe.name))}


def _with_parameters(query: str) -> str:
    return query.replace(EXAMPLE_TICKER, ":ticker").replace(EXAMPLE_DAY, ":day")
