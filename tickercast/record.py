"""A home's record as DataFrames: forecasts, outcomes, scores, skill, bars, any public view, and the result of a query.

Everything is read-only, and nothing is written, not even a cache. The columns are those of the public views (docs/sql.md), in
their order. docs/python.md shows how to use them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from tickercast.errors import ArgumentError, HomeError, public_errors

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from tickercast.jobs.workspace.place import Place

Tickers = str | Iterable[str] | None
Day = str | date | None
Instant = str | datetime | None
Parameters = Sequence[Any] | Mapping[str, Any]
QUERY_SECONDS = 10.0


def open_record(home: str | os.PathLike[str] | None = None) -> Record:
    """Return the record of a home, for reading. `tickercast.open` is this function.

    home: the folder; None = $TICKERCAST_HOME, else ./tickercast-home. Raises HomeError without a home or a database there, for
    settings that are not valid, and for a database of another version of the program.
    """
    from tickercast.jobs.workspace.place import home_folder, view_place
    from tickercast.storage.versions import check_revision

    with public_errors(wrong_use=HomeError):
        place = view_place(home_folder(None if home is None else Path(home), os.environ))
        check_revision(place.database)
    return Record(place)


class Record:
    """The record of one home. Each call reads it anew, as it is at that instant, and holds nothing afterwards.

    So a notebook can keep it for weeks beside a daemon, and threads can share it. tickers: one symbol, several, or None for all.
    start, end: bounds of the origin, inclusive, as dates or ISO texts. config: the id of a config, None = all of them; see view
    `config`. Each method raises UnknownTicker, ArgumentError, DamagedRecord or Unavailable.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Return. There is nothing to close: no call leaves a file or a connection open."""

    def __repr__(self) -> str:
        return f"<tickercast record of {self.home}>"

    @property
    def home(self) -> Path:
        """Return the folder of the home."""
        return self._place.folder

    @property
    def tickers(self) -> list[str]:
        """Return the symbols of the stored tickers, in order."""
        return list(self.view("freshness")["ticker"].sort_values())

    def forecasts(
        self, tickers: Tickers = None, *, history: bool = False, start: Day = None, end: Day = None, config: str | None = None
    ) -> pd.DataFrame:
        """Return the newest forecasts of each ticker (view latest_forecast): one row a horizon.

        history: every stored forecast instead, with its distribution (view forecast_history). Prices are in the ticker's
        currency, location and scale natural-log returns.
        """
        name = "forecast_history" if history else "latest_forecast"
        return self._view(name, tickers, start, end, {"config": config})

    def outcomes(
        self, tickers: Tickers = None, *, start: Day = None, end: Day = None, config: str | None = None, **equal: Any
    ) -> pd.DataFrame:
        """Return every forecast with what came of it so far (view outcome).

        state: pending, provisional or settled. inside_90 is missing while pending. equal: the value that a column must have, such
        as horizon=1.
        """
        return self._view("outcome", tickers, start, end, {"config": config} | equal)

    def scores(
        self, tickers: Tickers = None, *, start: Day = None, end: Day = None, config: str | None = None, **equal: Any
    ) -> pd.DataFrame:
        """Return the settled forecasts with their scores and those of the random walk (view scored_forecast).

        Errors and CRPS are natural-log returns. equal: the value that a column must have, such as horizon=1 or mode="live".
        """
        return self._view("scored_forecast", tickers, start, end, {"config": config} | equal)

    def skill(self, tickers: Tickers = None, *, config: str | None = None, **equal: Any) -> pd.DataFrame:
        """Return the accuracy against the random walk by ticker, horizon and mode (view skill). Ticker * is all of them together.

        equal: the value that a column must have, such as horizon=1 or mode="live".
        """
        return self._view("skill", tickers, None, None, {"config": config} | equal)

    def risk(self, tickers: Tickers = None, *, config: str | None = None, **equal: Any) -> pd.DataFrame:
        """Return value at risk and expected shortfall of the newest forecasts, with their tests (view risk)."""
        return self._view("risk", tickers, None, None, {"config": config} | equal)

    def loss_curve(
        self, tickers: Tickers = None, *, start: Day = None, end: Day = None, config: str | None = None
    ) -> pd.DataFrame:
        """Return the loss of every training by epoch (view loss_curve)."""
        return self._view("loss_curve", tickers, start, end, {"config": config})

    def view(self, name: str, tickers: Tickers = None, *, start: Day = None, end: Day = None, **equal: Any) -> pd.DataFrame:
        """Return the rows of any public view, by its name in docs/sql.md.

        start, end: of the first of its columns origin, session and date. equal: the value that a column must have.
        """
        return self._view(name, tickers, start, end, equal)

    def bars(
        self, ticker: str, *, adjusted: bool = False, known_at: Instant = None, start: Day = None, end: Day = None
    ) -> pd.DataFrame:
        """Return a ticker's bars: session, open, high, low, close, volume, dividend, split, recorded_at, source.

        Prices are as traded, in the ticker's currency. adjusted: for splits and dividends instead. known_at: the bars as they
        were known at an instant; a text without an offset is UTC. start, end: of the session, inclusive.
        """
        from tickercast._record_frames import frame_of_bars
        from tickercast.jobs.analysis.known_bars import known_bars
        from tickercast.storage.bars import adjusted as adjusted_bars

        _refuse_no_text("ticker", ticker, "; view('bar', tickers) has the bars of several")
        first, last, instant = _day(start), _day(end), _instant(known_at)
        with public_errors():
            bars = known_bars(self._place, ticker, instant)
        frame = frame_of_bars(adjusted_bars(bars) if adjusted else bars)
        sessions = frame["session"].dt.date
        keep = (sessions >= (first or date.min)) & (sessions <= (last or date.max))
        return frame[keep].reset_index(drop=True)

    def sql(self, query: str, parameters: Parameters = (), *, seconds: float = QUERY_SECONDS) -> pd.DataFrame:
        """Return the rows of one SELECT. It runs in a process of its own, within the limits of `tickercast sql` (docs/sql.md).

        parameters: the values of `?` in the query, or of `:name` by name: text, numbers, dates, instants, None. seconds: the time
        limit. Columns that hold dates or instants are typed; one that is named like one of a public view has its type. Raises
        QueryError for a query that does more than read, that the database does not understand, or that exceeds a limit.
        """
        from tickercast._record_frames import frame_of_rows
        from tickercast.jobs.analysis.views import answer, database_for_queries

        _refuse_no_text("query", query)
        with public_errors(), answer(database_for_queries(self._place), query, _bound(parameters), seconds=seconds) as found:
            return frame_of_rows(found.columns, found.rows)

    def plot(self, ticker: str, chart: Literal["fan", "returns"] = "fan", *, config: str | None = None) -> go.Figure:
        """Return a chart of the ticker's page as a figure of plotly (extra `report`), which can be shown, changed and saved.

        fan: the newest closes, and the median and bands of the sessions ahead. returns: past forecasts one session ahead with
        what came. config: None = the active one. Raises ArgumentError where there is nothing to show, MissingLibrary without
        plotly.
        """
        from tickercast._plots import ticker_figure

        _refuse_no_text("ticker", ticker)
        with public_errors():
            return ticker_figure(self._place.database, ticker, chart, config)

    def export(self, folder: str | os.PathLike[str], *, views: str | Iterable[str] = ()) -> Path:
        """Write public views as Parquet files by ticker, all of them where none are named, and return the folder's path.

        It is the command `export`: a folder that it wrote before gets what has changed. Raises ArgumentError for a folder that is
        something else, Unavailable where it cannot be written.
        """
        from tickercast.jobs import clock
        from tickercast.jobs.analysis.export import export

        path = Path(folder).absolute()
        names = [views] if isinstance(views, str) else list(views)
        with public_errors():
            export(self._place.database, path, names, now=clock.now(), show=lambda _done, _total: None)
        return path

    def _view(self, name: str, tickers: Tickers, start: Day, end: Day, equal: Mapping[str, Any]) -> pd.DataFrame:
        from tickercast._record_frames import frame_of_table
        from tickercast.jobs.analysis.typed_views import Wanted, public_view, view_table

        _refuse_no_text("name", name)
        given = {column: _one_value(column, value) for column, value in equal.items() if value is not None}
        wanted = Wanted(_symbols(tickers), _day(start), _day(end), given)
        with public_errors():
            view = public_view(name)
            return frame_of_table(view_table(self._place.database, view, wanted), view.columns)


def _refuse_no_text(name: str, value: Any, hint: str = "") -> None:
    """Raise ArgumentError for an argument that must be text and is something else."""
    if not isinstance(value, str):
        raise ArgumentError(f"{name} is a {type(value).__name__}: give one text{hint}")


def _symbols(tickers: Tickers) -> tuple[str, ...]:
    if tickers is None:
        return ()
    if not isinstance(tickers, Iterable):
        raise ArgumentError(f"tickers is {tickers!r}: give a symbol, or a list of symbols")
    symbols = (tickers,) if isinstance(tickers, str) else tuple(tickers)
    if not symbols:
        raise ArgumentError("tickers: the list is empty; leave it out for all tickers")
    return symbols


def _day(day: Day) -> date | None:
    """Return the date of a text, a date, or the day of a datetime."""
    from tickercast.jobs.clock import parse_day

    if isinstance(day, datetime):
        return day.date()
    with public_errors():
        return day if isinstance(day, date) else parse_day(day, "start or end")


def _instant(instant: Instant) -> datetime | None:
    from tickercast.jobs.clock import parse_instant

    if instant is None:
        return None
    with public_errors():
        return parse_instant(instant if isinstance(instant, str) else instant.isoformat())


def _one_value(column: str, value: Any) -> Any:
    """Return the value that a column must have, as the database stores it. Raises ArgumentError for several values."""
    if hasattr(value, "__len__") and not isinstance(value, (str, bytes)):
        raise ArgumentError(f"{column} is a {type(value).__name__}: give one value; for several, select rows of the frame")
    return _stored(value)


def _bound(parameters: Parameters) -> Parameters:
    """Return the parameters as the database stores such values."""
    if isinstance(parameters, Mapping):
        return {name: _stored(value) for name, value in parameters.items()}
    return tuple(map(_stored, parameters))


def _stored(value: Any) -> Any:
    from tickercast.storage.instants import instant_text

    if hasattr(value, "dtype"):  # one of NumPy's
        value = (value.astype("datetime64[us]") if value.dtype.kind == "M" else value).item()
    if isinstance(value, datetime):
        if value.tzinfo:
            return instant_text(value)
        if value.time() == time():  # a session in a DataFrame
            return value.date().isoformat()
        raise ArgumentError(f"{value}: an instant needs its time zone")
    return value.isoformat() if isinstance(value, date) else value
