"""One piece of work on a frame: read it, choose each ticker's origins, forecast from them, and warn of what is left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from tickercast._context import context_of, without_references
from tickercast._panel import Forecasts, Positions, Wanted, forecast_panel, unserved
from tickercast._series import Left, Reading, Series, TickerLeftOut, first_reasons, warnings_of
from tickercast.errors import ArgumentError, DataWarning, public_errors
from tickercast.jobs.errors import SettingsError
from tickercast.jobs.terminal.text import counted
from tickercast.jobs.workspace.config import Config
from tickercast.jobs.workspace.settings import config_of_values

NO_SETTINGS = ("calendar", "check_prices", "n_jobs")

# Returns the positions among a ticker's bars that it is forecast from. Raises TickerLeftOut for a ticker that cannot be.
Choice = Callable[[Series], Positions]


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of prices, of a volatility index and of company events; the last two may be None."""

    prices: Any
    volatility_index: Any = None
    company_events: Any = None


@dataclass(frozen=True, slots=True)
class Work:
    """How the frames of a user are read and forecast: the parameters of a forecaster, checked."""

    config: Config
    reading: Reading
    workers: int

    def done(self, frames: Frames, choose: Choice) -> Done:
        """Return the forecasts of each ticker from the origins that are chosen. Raises ArgumentError; warns (DataWarning)."""
        frame = self.reading.frame(frames.prices)
        series, indices = without_references(frame.series)
        context = context_of(indices, self.reading, frames.volatility_index, frames.company_events)
        left_out, wanted = dict(frame.left_out), []
        for each in series:
            try:
                wanted.append(Wanted(each, choose(each)))
            except TickerLeftOut as error:
                left_out[each.unique_id] = str(error)
        if not wanted:
            raise ArgumentError(f"no ticker can be used; {first_reasons(left_out)}")
        _warn(warnings_of(left_out, frame.refused))
        _warn(_scratch_warnings(unserved(wanted, self.config)))
        with public_errors():
            forecasts = forecast_panel(wanted, self.config, context, self.workers)
        diverged = {one.series.unique_id: "; ".join(one.notes) for one in forecasts if not one.rows}
        _warn(f"{unique_id} has no forecast: its training diverged ({notes})" for unique_id, notes in diverged.items())
        return Done(tuple(one for one in forecasts if one.rows), left_out | diverged, frame.refused, frame.unit)


@dataclass(frozen=True, slots=True)
class Done:
    """The forecasts of each ticker, the tickers left out with their reasons, the rows not used, and the unit of the days."""

    forecasts: tuple[Forecasts, ...]
    left_out: dict[Any, str]
    refused: tuple[Left, ...]
    unit: str


def work_of(parameters: Mapping[str, Any], *, may_end_in_doubt: bool) -> Work:
    """Return the work of a forecaster's parameters. Raises ArgumentError where one cannot be used.

    may_end_in_doubt: whether a ticker is used up to prices that the gates hold back, as in forecasts of the past.
    """
    values = {name: _plain(value) for name, value in parameters.items() if name not in NO_SETTINGS}
    try:
        config = config_of_values(values, "the documentation of Forecaster")
    except SettingsError as error:
        raise ArgumentError(str(error)) from error
    calendar, jobs = parameters["calendar"], parameters["n_jobs"]
    if calendar is not None and not isinstance(calendar, str):
        raise ArgumentError(f"calendar is {calendar!r}: give the code of an exchange such as 'XNYS', 'B' or 'D'")
    reading = Reading(calendar, config.field, config.fewest_sessions, bool(parameters["check_prices"]), may_end_in_doubt)
    return Work(config, reading, 1 if jobs is None else whole_number("n_jobs", jobs))


def whole_number(name: str, value: Any) -> int:
    """Return a whole number from 1 on. Raises ArgumentError, which names it, for anything else."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ArgumentError(f"{name} is {repr(value)[:60]}: give a whole number from 1 on")
    return int(value)


def horizon(h: Any, most: int) -> int:
    """Return h as an int, the longest one for None. Raises ArgumentError for one that is not forecast."""
    if h is None:
        return most
    if hasattr(h, "__len__") and not isinstance(h, str):
        raise ArgumentError(f"h is a {type(h).__name__}: give the number of sessions ahead; the prices are those given to fit")
    if isinstance(h, bool) or not isinstance(h, Integral) or not 1 <= int(h) <= most:
        raise ArgumentError(f"h is {repr(h)[:60]}: this forecaster has horizons 1 to {most}; for more, set its horizons")
    return int(h)


def _scratch_warnings(without: list[Any]) -> Iterable[str]:
    """Yield a warning where networks begin from scratch because no bundled prior serves them."""
    if without:
        tickers = f"{counted(len(without), 'ticker')}, the first: {without[0]}"
        yield f"no bundled prior fits the settings and the days of {tickers}; networks begin from scratch"


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        warnings.warn(line, DataWarning, stacklevel=4)


def _plain(value: Any) -> Any:
    """Return a value of NumPy as one of Python, and a list as a tuple."""
    return value.item() if isinstance(value, np.generic) else tuple(value) if isinstance(value, list) else value
