"""The charts of a ticker's page as figures of plotly. The charts themselves are those of jobs.pages."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from tickercast.errors import ArgumentError, MissingLibrary
from tickercast.jobs.exchanges.symbols import parse_symbol
from tickercast.jobs.pages import ticker_charts
from tickercast.jobs.pages.charts import Chart
from tickercast.jobs.pages.ticker_facts import TickerFacts, ticker_facts
from tickercast.storage.address import Database
from tickercast.storage.reader import snapshot

if TYPE_CHECKING:
    import plotly.graph_objects as go

CHARTS = ("fan", "returns")


def ticker_figure(database: Database, ticker: str, chart: str, config: str | None) -> go.Figure:
    """Return a chart of CHARTS. Raises ArgumentError where the ticker has nothing for it, MissingLibrary without plotly."""
    if chart not in CHARTS:
        raise ArgumentError(f"chart is {chart!r}: it can be {' or '.join(CHARTS)}")
    if find_spec("plotly") is None:
        raise MissingLibrary("plot needs plotly: pip install 'tickercast[report]'")
    from tickercast.jobs.pages.figures import plotly_figure

    with snapshot(database) as connection:
        facts = ticker_facts(connection, parse_symbol(ticker), config)
    drawn = _chart(facts, chart)
    return plotly_figure(drawn, f"{facts.ticker}: {drawn.title[0].lower()}{drawn.title[1:]}")


def _chart(facts: TickerFacts, chart: str) -> Chart:
    if not facts.forecasts or not facts.bars:
        raise ArgumentError(f"{facts.ticker}: no forecasts are stored yet; `tickercast run` or `backfill` makes them")
    if chart == "fan":
        return ticker_charts.fan(facts.ticker, facts.forecasts, facts.bars, facts.currency)
    if not facts.past:
        raise ArgumentError(f"{facts.ticker}: no outcome of a forecast is known yet")
    return ticker_charts.returns(facts.ticker, facts.past)
