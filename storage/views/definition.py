"""What a public view is made of: columns, each with its meaning and its SQL, and the tables that they are read from.

Columns that several views share are functions of the table alias they are read from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "float", "int", "bool", "date", "instant"]

# Forecasts with what those of one origin share.
FORECASTS = "forecasts f JOIN origins o ON o.id = f.origin_id"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a view: its name, its meaning with the unit, the SQL expression of its value, and its type outside of SQL.

    kind: SQL stores dates and instants as text and truth as 0 and 1. optional: whether an int or a bool may be NULL; any other
    value may be.
    """

    name: str
    meaning: str
    sql: str
    kind: Kind = "text"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One view. source: the SQL from FROM on. ctes: common table expressions that the source reads."""

    name: str
    purpose: str
    columns: tuple[Column, ...]
    source: str
    ctes: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in contract order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return a column by its name. Raises KeyError."""
        return {column.name: column for column in self.columns}[name]

    @property
    def create_statement(self) -> str:
        """Return the CREATE VIEW statement."""
        expressions = ",\n    ".join(column.sql for column in self.columns)
        query = f"SELECT {expressions}\n{self.source}"
        return f"CREATE VIEW {self.name} ({', '.join(self.names)}) AS\n" + (f"WITH {self.ctes}\n{query}" if self.ctes else query)


def ticker(tickers: str = "t") -> Column:
    """Return the column of a ticker's symbol."""
    return Column("ticker", "current symbol", f"{tickers}.symbol")


def origin(table: str) -> Column:
    """Return the column of a forecast's or a model's origin."""
    return Column("origin", "last session the forecast may use, ISO date", f"{table}.origin", "date")


def target(forecasts: str = "f") -> Column:
    """Return the column of a forecast's target."""
    return Column("target", "session that is forecast, ISO date", f"{forecasts}.target", "date")


def horizon(table: str) -> Column:
    """Return the column of a forecast's horizon."""
    return Column("horizon", "sessions from origin to target", f"{table}.horizon", "int")


def mode(table: str) -> Column:
    """Return the column that says when a forecast was made."""
    meaning = "live = made before the first target session opened; otherwise catchup or backfill"
    return Column("mode", meaning, f"{table}.mode")


def context(table: str) -> Column:
    """Return the column that says what a forecast knew of the company's reports."""
    meaning = (
        "company events known at the origin: recorded = recorded by then; assumed = dates a few sessions ahead, which nobody "
        "recorded at the time; none; NULL = made by an earlier version"
    )
    return Column("context", meaning, f"{table}.context")


def sha256_text(column: str) -> str:
    """Return the SQL of a hash as hexadecimal digits."""
    return f"lower(hex({column}))"


def model_by_number(column: str) -> str:
    """Return the SQL of a model's id by its number, NULL where that is."""
    return f"(SELECT n.id FROM models n WHERE n.number = {column})"


def model_id(sql: str) -> Column:
    """Return the column of a model's id."""
    return Column("model_id", "the training that produced it; see model_lineage", sql)


def config(configs: str = "c", *, id_from: str, field_from: str = "c") -> tuple[Column, ...]:
    """Return the columns of a config: its id, its preset and the price it forecasts."""
    return (
        Column("config", "id of the model and training settings: the start of their sha256", f"{id_from}.config_id"),
        Column("preset", "density or article", f"{configs}.preset"),
        Column("field", "price that is forecast: close or open", f"{field_from}.field"),
    )
