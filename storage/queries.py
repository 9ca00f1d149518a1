"""What the jobs read back: small typed functions over an open connection, and the public views by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy import Connection

from storage.schema import (
    TWIN,
    BaselineForecast,
    Checkpoint,
    Forecast,
    GateVerdict,
    ModelRow,
    PriceFileRow,
    Recalibration,
    RestatementRow,
    Run,
    Score,
    Ticker,
)
from storage.views import VIEWS


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query: column names and rows in order."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class TickerRow:
    id: int
    symbol: str
    first_symbol: str
    exchange: str
    source: str
    price_basis: str | None
    tracked: bool
    status: str
    currency: str
    failures: int
    probe_at: datetime | None


@dataclass(frozen=True, slots=True)
class CurrentFile:
    path: str
    sha256: str
    last_session: date


@dataclass(frozen=True, slots=True)
class ServingModel:
    """The model behind a ticker's forecasts at one origin, with its checkpoint where that is still kept."""

    model_id: str
    depth: int
    cold_ancestor_id: str
    input_sha256: str
    reason: str
    content: bytes | None


def list_tickers(connection: Connection) -> list[TickerRow]:
    """Return all tickers by symbol."""
    return [_ticker(row) for row in connection.execute(_TICKERS.order_by(Ticker.symbol))]


def ticker_by_symbol(connection: Connection, symbol: str) -> TickerRow | None:
    """Return the ticker that has a symbol now."""
    row = connection.execute(_TICKERS.where(Ticker.symbol == symbol)).first()
    return _ticker(row) if row else None


def current_file(connection: Connection, ticker_id: int) -> CurrentFile | None:
    """Return the file that holds a ticker's bars now."""
    row = connection.execute(
        sa.select(PriceFileRow.path, PriceFileRow.sha256, PriceFileRow.last_session).where(
            PriceFileRow.ticker_id == ticker_id, PriceFileRow.superseded_at.is_(None)
        )
    ).first()
    return CurrentFile(*row) if row else None


def verdicts(connection: Connection, ticker_id: int, state: str) -> list[dict[str, Any]]:
    """Return a ticker's gate verdicts of one state, by session."""
    wanted = sa.select(GateVerdict.__table__).where(GateVerdict.ticker_id == ticker_id, GateVerdict.state == state)
    return [dict(row) for row in connection.execute(wanted.order_by(GateVerdict.session, GateVerdict.code)).mappings()]


def judged_sessions(connection: Connection, ticker_id: int) -> set[date]:
    """Return the sessions that some verdict speaks of."""
    return set(connection.scalars(sa.select(GateVerdict.session).where(GateVerdict.ticker_id == ticker_id)))


def committed_origins(connection: Connection, ticker_id: int, config_id: str) -> set[date]:
    """Return the origins that a ticker has forecasts from under a config."""
    return set(
        connection.scalars(
            sa.select(Forecast.origin)
            .where(Forecast.ticker_id == ticker_id, Forecast.config_id == config_id, Forecast.horizon == 1)
        )
    )  # fmt: skip


def last_origins(connection: Connection, config_id: str) -> dict[int, date]:
    """Return each ticker's newest origin under a config."""
    rows = connection.execute(
        sa.select(Forecast.ticker_id, sa.func.max(Forecast.origin, type_=Forecast.origin.type))
        .where(Forecast.config_id == config_id)
        .group_by(Forecast.ticker_id)
    )
    return {row[0]: row[1] for row in rows}


def serving_model(connection: Connection, ticker_id: int, config_id: str, origin: date) -> ServingModel | None:
    """Return the model that made a ticker's forecasts at an origin."""
    row = connection.execute(
        sa.select(
            ModelRow.id, ModelRow.depth, ModelRow.cold_ancestor_id, Forecast.input_sha256, ModelRow.reason, Checkpoint.content
        )
        .join(ModelRow, ModelRow.id == Forecast.model_id)
        .outerjoin(Checkpoint, Checkpoint.model_id == ModelRow.id)
        .where(
            Forecast.ticker_id == ticker_id,
            Forecast.config_id == config_id,
            Forecast.origin == origin,
            Forecast.horizon == 1,
        )
    ).first()
    return ServingModel(*row) if row else None


def past_publications(connection: Connection, ticker_id: int, config_id: str, last: date) -> list[tuple[Any, ...]]:
    """Return (origin, horizon, location, scale, dof, scale_factor) of a ticker's newest origins up to one, in order."""
    near = (Forecast.ticker_id == ticker_id, Forecast.config_id == config_id, Forecast.origin <= last)
    most = sa.select(sa.func.max(Forecast.horizon)).where(*near).scalar_subquery()
    origins = sa.select(Forecast.origin).where(*near, Forecast.horizon == 1).order_by(Forecast.origin.desc()).limit(most)
    columns = (
        Forecast.origin, Forecast.horizon, Forecast.location, Forecast.scale, Forecast.dof, Recalibration.scale_factor
    )  # fmt: skip
    joined = sa.and_(
        Recalibration.ticker_id == Forecast.ticker_id,
        Recalibration.config_id == Forecast.config_id,
        Recalibration.origin == Forecast.origin,
        Recalibration.horizon == Forecast.horizon,
    )
    wanted = sa.select(*columns).join(Recalibration, joined).where(*near, Forecast.origin.in_(origins))
    return [tuple(row) for row in connection.execute(wanted.order_by(Forecast.origin, Forecast.horizon))]


def known_at(connection: Connection, ticker_id: int, config_id: str, origin: date) -> datetime | None:
    """Return when the newest bar was recorded that a ticker's forecasts at an origin used."""
    which = (Forecast.ticker_id == ticker_id, Forecast.config_id == config_id, Forecast.origin == origin)
    return connection.scalars(sa.select(Forecast.known_at).where(*which).limit(1)).first()


def prior_model(connection: Connection, config_id: str, origin: date, reason: str) -> tuple[str, bytes] | None:
    """Return the id and the checkpoint of the first prior that was fitted for a session."""
    row = connection.execute(
        sa.select(ModelRow.id, Checkpoint.content)
        .join(Checkpoint, Checkpoint.model_id == ModelRow.id)
        .where(
            ModelRow.config_id == config_id, ModelRow.origin == origin, ModelRow.role == "prior", ModelRow.reason == reason
        )
        .order_by(ModelRow.run_id, ModelRow.id)
    ).first()  # fmt: skip
    return (row[0], row[1]) if row else None


def unscored_forecasts(
    connection: Connection, ticker_ids: Sequence[int], config_id: str, *, before: date, from_origin: date | None
) -> list[dict[str, Any]]:
    """Return the forecasts with a target before a session that have no score yet; from_origin bounds the search."""
    columns = (
        Forecast.ticker_id, Forecast.config_id, Forecast.origin, Forecast.horizon, Forecast.target, Forecast.location,
        Forecast.scale, Forecast.dof, Forecast.last_price, Forecast.baseline_location, Forecast.baseline_scale,
        Forecast.baseline_dof,
    )  # fmt: skip
    scored = sa.exists().where(
        Score.ticker_id == Forecast.ticker_id,
        Score.config_id == Forecast.config_id,
        Score.origin == Forecast.origin,
        Score.horizon == Forecast.horizon,
    )
    wanted = sa.select(*columns).where(
        Forecast.ticker_id.in_(ticker_ids), Forecast.config_id == config_id, Forecast.target < before, ~scored
    )
    if from_origin is not None:
        wanted = wanted.where(Forecast.origin >= from_origin)
    return [dict(row) for row in connection.execute(wanted).mappings()]


def unscored_twins(connection: Connection, config_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return the cold twins of some origins that have no score yet."""
    which = (
        BaselineForecast.config_id == config_id,
        BaselineForecast.origin.between(first, last),
        BaselineForecast.crps.is_(None),
        BaselineForecast.name == TWIN,
    )
    return [dict(row) for row in connection.execute(sa.select(BaselineForecast.__table__).where(*which)).mappings()]


def restated_at(connection: Connection, ticker_id: int, instant: datetime) -> tuple[date, date] | None:
    """Return the first and the last session of a ticker's bars that were restated at an instant."""
    which = (RestatementRow.ticker_id == ticker_id, RestatementRow.recorded_at == instant)
    first, last = (extreme(RestatementRow.session, type_=RestatementRow.session.type) for extreme in (sa.func.min, sa.func.max))
    row = connection.execute(sa.select(first, last).where(*which)).one()
    return (row[0], row[1]) if row[0] is not None else None


def newest_scores(connection: Connection, ticker_id: int, config_id: str, first: date, last: date) -> list[dict[str, Any]]:
    """Return the newest score of each forecast whose span, origin to target, meets some sessions, with the forecast."""
    newest = (
        sa.select(Score.origin, Score.horizon, sa.func.max(Score.revision).label("revision"))
        .where(Score.ticker_id == ticker_id, Score.config_id == config_id)
        .group_by(Score.origin, Score.horizon)
        .subquery()
    )
    of_forecast = (
        (Score.ticker_id == Forecast.ticker_id)
        & (Score.config_id == Forecast.config_id)
        & (Score.origin == Forecast.origin)
        & (Score.horizon == Forecast.horizon)
    )
    is_newest = (newest.c.origin == Score.origin) & (newest.c.horizon == Score.horizon) & (newest.c.revision == Score.revision)
    columns = (
        Forecast.ticker_id, Forecast.config_id, Forecast.origin, Forecast.horizon, Forecast.target, Forecast.location,
        Forecast.scale, Forecast.dof, Forecast.last_price, Forecast.baseline_location, Forecast.baseline_scale,
        Forecast.baseline_dof, Score.revision, Score.realised_return,
    )  # fmt: skip
    wanted = (
        sa.select(*columns)
        .join(Score, of_forecast)
        .join(newest, is_newest)
        .where(Forecast.ticker_id == ticker_id, Forecast.config_id == config_id)
        .where(Forecast.origin <= last, Forecast.target >= first)
    )
    return [dict(row) for row in connection.execute(wanted).mappings()]


def crps_against_twins(connection: Connection, config_id: str) -> tuple[float, float] | None:
    """Return the mean CRPS one session ahead of the forecasts that have a scored cold twin, and of the twins."""
    of_twin = (
        (Score.ticker_id == BaselineForecast.ticker_id)
        & (Score.config_id == BaselineForecast.config_id)
        & (Score.origin == BaselineForecast.origin)
        & (Score.horizon == BaselineForecast.horizon)
        & (Score.revision == 0)
    )
    wanted = sa.select(sa.func.avg(Score.crps), sa.func.avg(BaselineForecast.crps)).join(Score, of_twin)
    row = connection.execute(
        wanted.where(BaselineForecast.config_id == config_id, BaselineForecast.horizon == 1, BaselineForecast.name == TWIN)
    ).one()
    return (row[0], row[1]) if row[0] is not None else None


def forecast_densities(connection: Connection, ticker_id: int, config_id: str, horizon: int) -> list[tuple[Any, ...]]:
    """Return (origin, location, scale, dof) of a ticker's forecasts at one horizon, by origin."""
    columns = (Forecast.origin, Forecast.location, Forecast.scale, Forecast.dof)
    which = (Forecast.ticker_id == ticker_id, Forecast.config_id == config_id, Forecast.horizon == horizon)
    return [tuple(row) for row in connection.execute(sa.select(*columns).where(*which).order_by(Forecast.origin))]


def scored_forecasts(connection: Connection, config_id: str) -> dict[str, NDArray[Any]]:
    """Return what skill is computed from, as columns (n,): every score of revision 0 under a config."""
    columns = (
        Score.ticker_id, Score.horizon, Forecast.mode, Forecast.target, Forecast.location, Score.realised_return,
        Score.abs_error, Score.baseline_abs_error, Score.crps, Score.baseline_crps, Score.inside_50,
        Score.inside_80, Score.inside_90,
    )  # fmt: skip
    of_forecast = (
        (Forecast.ticker_id == Score.ticker_id)
        & (Forecast.config_id == Score.config_id)
        & (Forecast.origin == Score.origin)
        & (Forecast.horizon == Score.horizon)
    )
    wanted = sa.select(*columns).join(Forecast, of_forecast).where(Score.config_id == config_id, Score.revision == 0)
    kinds: dict[str, Any] = {"mode": "U8", "target": "datetime64[D]"}
    types = [np.dtype(kinds.get(c.key, np.float64 if isinstance(c.type, sa.Double) else np.int32)) for c in columns]
    parts: list[list[NDArray[Any]]] = [[np.empty(0, kind)] for kind in types]
    answer = connection.execution_options(stream_results=True).execute(wanted)
    for rows in answer.partitions(50_000):  # as dicts a long record would take gigabytes
        for part, kind, values in zip(parts, types, zip(*rows, strict=True), strict=True):
            part.append(np.array(values, kind))
    return {c.key: np.concatenate(part) for c, part in zip(columns, parts, strict=True)}


def last_run_started(connection: Connection) -> datetime | None:
    """Return when the newest run began."""
    return connection.scalars(sa.select(Run.started_at).order_by(Run.started_at.desc()).limit(1)).first()


def runs_started_since(connection: Connection, instant: datetime) -> list[datetime]:
    """Return when the daily cycles since an instant began."""
    wanted = sa.select(Run.started_at).where(Run.started_at >= instant, Run.kind.in_(("run", "daemon")))
    return list(connection.scalars(wanted))


def read_view(connection: Connection, name: str, tickers: Sequence[str] | None = None) -> Rows:
    """Return a public view's rows in contract order, of some tickers or of all, sorted by its first columns."""
    view = next(view for view in VIEWS if view.name == name)
    table = sa.table(view.name, *(sa.column(column) for column in view.names))
    wanted = sa.select(table)
    if tickers:
        wanted = wanted.where(table.c.ticker.in_(tickers))
    keys = [table.c[key] for key in ("ticker", "origin", "horizon", "mode", "epoch", "session") if key in view.names]
    answer = connection.execute(wanted.order_by(*keys))
    return Rows(view.names, [tuple(row) for row in answer])


_TICKERS = sa.select(
    Ticker.id, Ticker.symbol, Ticker.first_symbol, Ticker.exchange, Ticker.source, Ticker.price_basis, Ticker.tracked,
    Ticker.status, Ticker.currency, Ticker.failures, Ticker.probe_at,
)  # fmt: skip


def _ticker(row: Sequence[Any]) -> TickerRow:
    ticker_id, symbol, first_symbol, exchange, source, price_basis, tracked, *rest = row
    return TickerRow(ticker_id, symbol, first_symbol, exchange, source, price_basis, bool(tracked), *rest)


def kept_files(connection: Connection, ticker_id: int, superseded: int) -> set[str]:
    """Return the paths of a ticker's current file and of the newest few before it."""
    wanted = (
        sa.select(PriceFileRow.path)
        .where(PriceFileRow.ticker_id == ticker_id)
        .order_by(PriceFileRow.superseded_at.is_(None).desc(), PriceFileRow.id.desc())
        .limit(1 + superseded)
    )
    return set(connection.scalars(wanted))
