"""Forecasts without a score, forecasts with their scores, and the scores of cold twins."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from tickercast.storage.queries.shared import same_forecast
from tickercast.storage.rows import TWIN, BaselineForecastRow
from tickercast.storage.schema import BaselineForecast, Origin, Score

ROWS_AT_ONCE, VALUES_AT_ONCE = 50_000, 10_000


class ScorableForecast(NamedTuple):
    """The columns of a forecast that its score is computed from. origin_id: of its origin's row. dof is None for a normal."""

    origin_id: int
    ticker_id: int
    config_id: str
    origin: date
    horizon: int
    target: date
    field: str
    location: float
    scale: float
    dof: float | None
    last_price: float
    baseline_location: float
    baseline_scale: float
    baseline_dof: float | None
    mode: str


@dataclass(frozen=True, slots=True)
class NewestScore:
    """A forecast with the revision and the realised return of its newest score."""

    forecast: ScorableForecast
    revision: int
    realised_return: float


class NewestForecast(NamedTuple):
    """A forecast of a ticker's newest origin. dof is None for a normal distribution."""

    ticker_id: int
    horizon: int
    origin: date
    target: date
    location: float
    scale: float
    dof: float | None


@dataclass(frozen=True, slots=True)
class ScoreColumns:
    """Scores of n forecasts by column, each (n,). Errors are natural-log returns.

    origin, target: datetime64[D]. mode: ASCII. dof: NaN for a normal distribution.
    """

    ticker_id: NDArray[np.int32]
    horizon: NDArray[np.int16]
    mode: NDArray[np.bytes_]
    origin: NDArray[np.datetime64]
    target: NDArray[np.datetime64]
    location: NDArray[np.float64]
    scale: NDArray[np.float64]
    dof: NDArray[np.float64]
    realised_return: NDArray[np.float64]
    abs_error: NDArray[np.float64]
    baseline_abs_error: NDArray[np.float64]
    crps: NDArray[np.float64]
    baseline_crps: NDArray[np.float64]
    pit: NDArray[np.float64]
    inside_50: NDArray[np.int8]
    inside_80: NDArray[np.int8]
    inside_90: NDArray[np.int8]

    def select(self, which: NDArray[np.intp]) -> ScoreColumns:
        """Return the scores at some positions, in their order."""
        return ScoreColumns(*(getattr(self, field.name)[which] for field in fields(self)))


SCORABLE = """SELECT f.origin_id, o.ticker_id, o.config_id, o.origin, f.horizon, f.target, o.field, f.location, f.scale, f.dof,
    o.last_price, f.baseline_location, f.baseline_scale, f.baseline_dof, o.mode"""
# CROSS JOIN and + have SQLite begin with what has no score, which is little, not with all origins of the tickers.
UNSCORED = f"""{SCORABLE} FROM unscored u CROSS JOIN origins o CROSS JOIN forecasts f
WHERE o.id = u.origin_id AND f.origin_id = u.origin_id AND %s
AND NOT EXISTS (SELECT 1 FROM scores s WHERE s.origin_id = f.origin_id AND s.horizon = f.horizon)"""
# Of each forecast the newest score.
NEWEST = f"""{SCORABLE}, s.revision, s.realised_return FROM origins o JOIN forecasts f ON f.origin_id = o.id
JOIN scores s ON s.origin_id = f.origin_id AND s.horizon = f.horizon
WHERE o.ticker_id = ? AND f.target >= ? AND s.revision = (
    SELECT max(r.revision) FROM scores r WHERE r.origin_id = f.origin_id AND r.horizon = f.horizon)"""

# Where each of ScoreColumns comes from, and its type.
SCORE_COLUMNS: dict[str, tuple[str, str]] = {
    "ticker_id": ("o.ticker_id", "i4"),
    "horizon": ("s.horizon", "i2"),
    "mode": ("o.mode", "S8"),  # ASCII: a character of U takes four bytes
    "origin": ("o.origin", "M8[D]"),
    "target": ("f.target", "M8[D]"),
    "location": ("f.location", "f8"),
    "scale": ("f.scale", "f8"),
    "dof": ("f.dof", "f8"),  # NumPy reads None as NaN
    "realised_return": ("s.realised_return", "f8"),
    "abs_error": ("abs(s.realised_return - f.location)", "f8"),
    "baseline_abs_error": ("abs(s.realised_return - f.baseline_location)", "f8"),
    "crps": ("s.crps", "f8"),
    "baseline_crps": ("s.baseline_crps", "f8"),
    "pit": ("s.pit", "f8"),
    "inside_50": ("s.inside_50", "i1"),
    "inside_80": ("s.inside_80", "i1"),
    "inside_90": ("s.inside_90", "i1"),
}
SCORED = """FROM origins o JOIN scores s ON s.origin_id = o.id
JOIN forecasts f ON f.origin_id = s.origin_id AND f.horizon = s.horizon
WHERE s.revision = 0 AND o.config_id = ? AND o.ticker_id IN (%s)"""
# CROSS JOIN has SQLite begin with the tickers, each with one look into the index, not with all origins.
NEWEST_FORECASTS = """SELECT o.ticker_id, f.horizon, o.origin, f.target, f.location, f.scale, f.dof FROM (
    SELECT t.id, (SELECT max(m.origin) FROM origins m WHERE m.ticker_id = t.id AND m.config_id = ?) AS newest FROM tickers t) n
CROSS JOIN origins o CROSS JOIN forecasts f
WHERE o.ticker_id = n.id AND o.config_id = ? AND o.origin = n.newest AND f.origin_id = o.id ORDER BY o.ticker_id, f.horizon"""


def unscored_forecasts(
    connection: Connection, before: Mapping[int, date], origins: Sequence[int] | None = None
) -> list[ScorableForecast]:
    """Return the forecasts without a score, under any config, whose target is before a session. before: by ticker id.

    origins: the ids of those whose forecasts are looked at, None for all.
    """
    column, values = ("+o.ticker_id", list(before)) if origins is None else ("u.origin_id", origins)
    until = {ticker_id: session.isoformat() for ticker_id, session in before.items()}
    found = []
    for part in _parts(values):
        rows = connection.exec_driver_sql(UNSCORED % f"{column} IN ({_marks(part)})", part)
        # The sixth and the second column are the target and the ticker's id.
        found += [_scorable(*row) for row in rows if row[5] < until.get(row[1], "")]
    return found


def unscored_origins(connection: Connection, after: int) -> list[tuple[int, int]]:
    """Return (origin's id, ticker's id) of the origins with an id after another that have a forecast without a score."""
    query = "SELECT u.origin_id, o.ticker_id FROM unscored u CROSS JOIN origins o WHERE u.origin_id > ? AND o.id = u.origin_id"
    return [(row[0], row[1]) for row in connection.exec_driver_sql(f"{query} ORDER BY u.origin_id", (after,))]


def still_unscored(connection: Connection, origins: Sequence[int]) -> set[int]:
    """Return those of some origins that have a forecast without a score."""
    query = "SELECT origin_id FROM unscored WHERE origin_id IN (%s)"
    found: set[int] = set()
    for part in _parts(origins):
        found.update(connection.exec_driver_sql(query % _marks(part), part).scalars())
    return found


def _parts(values: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield values a part at a time: a statement takes 32,766 of them."""
    yield from (tuple(values[begin : begin + VALUES_AT_ONCE]) for begin in range(0, len(values), VALUES_AT_ONCE))


def _marks(values: Sequence[int]) -> str:
    return ", ".join("?" * len(values))


def unscored_twins(connection: Connection, config_id: str, first: date, last: date) -> dict[tuple[int, int], BaselineForecastRow]:
    """Return the cold twins without a score whose origins lie between two sessions, inclusive, by origin's id and horizon."""
    twin = BaselineForecast
    columns: tuple[Any, ...] = (
        Origin.ticker_id,
        Origin.config_id,
        Origin.origin,
        twin.horizon,
        twin.name,
        twin.location,
        twin.scale,
        twin.dof,
    )
    query = (
        sa.select(twin.origin_id, *columns, twin.crps)
        .join(Origin, Origin.id == twin.origin_id)
        .where(Origin.config_id == config_id, Origin.origin.between(first, last), twin.crps.is_(None), twin.name == TWIN)
    )
    return {(row[0], row.horizon): BaselineForecastRow(*row[1:]) for row in connection.execute(query)}


def newest_scores(connection: Connection, ticker_id: int, first: date) -> list[NewestScore]:
    """Return a ticker's forecasts, under any config, with their newest scores, whose target is a session or a later one."""
    rows = connection.exec_driver_sql(NEWEST, (ticker_id, first.isoformat()))
    return [NewestScore(_scorable(*row[:-2]), *row[-2:]) for row in rows]


def crps_against_twins(connection: Connection, config_id: str) -> tuple[float, float] | None:
    """Return the mean CRPS one session ahead of the forecasts that have a scored cold twin, and that of the twins."""
    row = connection.execute(
        sa.select(sa.func.avg(Score.crps), sa.func.avg(BaselineForecast.crps))
        .join(Score, same_forecast(Score, BaselineForecast) & (Score.revision == 0))
        .join(Origin, Origin.id == BaselineForecast.origin_id)
        .where(Origin.config_id == config_id, BaselineForecast.horizon == 1, BaselineForecast.name == TWIN)
    ).one()
    return (row[0], row[1]) if row[0] is not None else None


def newest_forecasts(connection: Connection, config_id: str) -> list[NewestForecast]:
    """Return the forecasts of each ticker's newest origin under a config, by ticker and horizon."""
    rows = connection.exec_driver_sql(NEWEST_FORECASTS, (config_id, config_id))
    return [NewestForecast(row[0], row[1], _day(row[2]), _day(row[3]), *row[4:]) for row in rows]


def configs_without_risk(connection: Connection) -> list[str]:
    """Return the ids of the configs that have forecasts and no row of risk."""
    has, lacks = "SELECT 1 FROM origins o WHERE o.config_id = c.id", "SELECT 1 FROM risk_tests r WHERE r.config_id = c.id"
    query = f"SELECT c.id FROM configs c WHERE EXISTS ({has}) AND NOT EXISTS ({lacks}) ORDER BY c.id"
    return list(connection.exec_driver_sql(query).scalars())


def scored_forecasts(connection: Connection, config_id: str, tickers: Collection[int]) -> ScoreColumns:
    """Return all scores of revision 0 of some tickers under a config: what skill and risk are computed from."""
    types = {name: np.dtype(kind) for name, (_, kind) in SCORE_COLUMNS.items()}
    scored, values = SCORED % ", ".join("?" * len(tickers)), (config_id, *tickers)
    count = int(connection.exec_driver_sql(f"SELECT count(*) {scored}", values).scalar_one())
    query = f"SELECT {', '.join(sql for sql, _ in SCORE_COLUMNS.values())} {scored}"
    return ScoreColumns(**_as_arrays(connection, query, values, types, count))


def _scorable(
    origin_id: int, ticker_id: int, config_id: str, origin: str, horizon: int, target: str, *rest: Any
) -> ScorableForecast:
    """Return a row of the columns SCORABLE, whose dates are text."""
    return ScorableForecast(origin_id, ticker_id, config_id, _day(origin), horizon, _day(target), *rest)


@cache
def _day(text: str) -> date:
    return date.fromisoformat(text)


def _as_arrays(
    connection: Connection, query: str, values: tuple[Any, ...], types: dict[str, np.dtype[Any]], count: int
) -> dict[str, NDArray[Any]]:
    """Return a query's columns as arrays (count,). Reads in parts: all rows as Python objects would take gigabytes."""
    arrays = {name: np.empty(count, kind) for name, kind in types.items()}
    answer = connection.exec_driver_sql(query, values, execution_options={"stream_results": True})
    begin = 0
    for rows in answer.partitions(ROWS_AT_ONCE):
        for (name, kind), column in zip(types.items(), zip(*rows, strict=True), strict=True):
            arrays[name][begin : begin + len(rows)] = np.array(column, kind)
        begin += len(rows)
    return arrays
