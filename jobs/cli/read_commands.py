"""The commands that change no existing home: they show the record, check it, or work in a home of their own."""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from tickercast.jobs.cli.options import (
    DAY,
    INSTANT,
    INSTANT_EXAMPLE,
    AddOption,
    AdjustmentOption,
    EndOption,
    EventsOption,
    FormatOption,
    HorizonOption,
    KeepOption,
    OutOption,
    PeriodsOption,
    SourceOption,
    StartOption,
    StoredArgument,
    TickerArgument,
    WorkersOption,
    backfill_request,
    existing_home,
    existing_place,
    say,
)

if TYPE_CHECKING:
    from tickercast.jobs.terminal.tables import Table

Mode = Literal["live", "catchup", "backfill", "all"]


def tickers(context: typer.Context, output_format: FormatOption = None, out: OutOption = None) -> None:
    """List the stored tickers."""
    from tickercast.jobs.analysis.views import ticker_rows
    from tickercast.jobs.cli.ticker_table import ticker_table
    from tickercast.jobs.terminal.output import write_rows

    found = ticker_rows(existing_place(context).database)
    write_rows(found.columns, found.rows, output_format, out=out, table=lambda: ticker_table(found.records()))


def forecast(
    context: typer.Context,
    tickers: StoredArgument = None,
    horizon: HorizonOption = None,
    all_horizons: Annotated[bool, typer.Option("--all-horizons", help="Show every horizon in the table.")] = False,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Show the newest forecasts: in the table one row a ticker, for the next session.

    5-95 % range: the price is inside with 90 % probability. Width: that of the range, in multiples of its median over
    the ticker's year up to the origin. Behind: sessions closed since the origin. Other formats have all horizons and
    columns of view latest_forecast.
    """
    from tickercast.jobs.analysis.missing import without_forecasts
    from tickercast.jobs.analysis.views import usual_widths_of, view_rows
    from tickercast.jobs.cli.forecast_table import forecast_table
    from tickercast.jobs.terminal.output import format_of, write_rows

    chosen = output_format or format_of(out)
    if chosen == "table" and not all_horizons:
        horizon = horizon or 1
    database = existing_place(context).database
    found = view_rows(database, "latest_forecast", tickers, horizon=horizon)

    def table() -> Table:
        rows = found.records()
        missing = without_forecasts(database, {row["ticker"] for row in rows}, tickers, horizon)
        return forecast_table(rows, usual_widths_of(database, found), horizon, missing)

    write_rows(found.columns, found.rows, chosen, out=out, table=table, types=found.types)


def skill(
    context: typer.Context,
    tickers: StoredArgument = None,
    horizon: HorizonOption = None,
    mode: Annotated[
        Mode | None,
        typer.Option("--mode", metavar="|".join(get_args(Mode)), help="Only forecasts of this mode; all = all modes together."),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="COLUMN[:desc]", help="Sort tickers by a column of view skill (table: crps_skill:desc)."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="At most N rows of single tickers.")] = None,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Compare past forecasts with the random walk: first all tickers together (`*`), then each ticker.

    Without TICKER the table shows each ticker one session ahead, and its live forecasts where there are any. Other
    formats have every horizon, mode and column of view skill.
    """
    from tickercast.jobs.analysis.missing import without_scores
    from tickercast.jobs.analysis.views import view_rows
    from tickercast.jobs.cli import skill_table
    from tickercast.jobs.scoring.terms import ALL_MODES
    from tickercast.jobs.terminal.output import write_rows

    order = skill_table.check_sort(sort) if sort else None
    wanted = ALL_MODES if mode == "all" else mode
    database = existing_place(context).database
    found = view_rows(database, "skill", tickers, horizon=horizon, mode=wanted)
    rows = found.records()
    first, usual, best = (None, None, None) if tickers else (1, skill_table.usual_mode(rows), skill_table.BEST_FIRST)

    def table() -> Table:
        shown = skill_table.skill_table(rows, horizon=horizon or first, mode=wanted or usual, sort=order or best, limit=limit)
        return shown if shown.rows else replace(shown, notes=(without_scores(database, tickers, mode, horizon),))

    ordered = (tuple(row.values()) for row in skill_table.ordered(rows, order, limit))
    write_rows(found.columns, ordered, output_format, out=out, table=table, types=found.types)


def bars(
    context: typer.Context,
    ticker: TickerArgument,
    start: Annotated[str | None, typer.Option("--start", metavar=DAY, help="First session to show.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar=DAY, help="Last session to show.")] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", metavar="N", min=1, help="Only the last N bars (default in a table: 20).")
    ] = None,
    known_at: Annotated[
        str | None, typer.Option("--known-at", metavar=INSTANT, help=f"The bars as known at this instant, {INSTANT_EXAMPLE}.")
    ] = None,
    adjusted: Annotated[bool, typer.Option("--adjusted", help="Adjust prices for splits and dividends.")] = False,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Show a ticker's stored prices."""
    from tickercast.jobs.analysis.answers import adjusted_bars, stored_bars
    from tickercast.jobs.cli.bar_table import bar_table, between
    from tickercast.jobs.clock import parse_day, parse_instant
    from tickercast.jobs.terminal.output import write_rows

    first, last = parse_day(start, "--start"), parse_day(end, "--end")
    instant = parse_instant(known_at) if known_at else None
    read = adjusted_bars if adjusted else stored_bars
    known = read(existing_home(context), ticker, known_at=instant)
    found = between(known, first, last)
    write_rows(
        found.columns, found.rows[-(tail or 0) :], output_format, out=out, types=found.types,
        table=lambda: bar_table(found, tail, known),
    )  # fmt: skip


def sql(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(metavar='"SELECT ..."', help="The query, one SELECT; - reads stdin.")] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="QUERY.sql", help="Read the query from this file.")] = None,
    list_views: Annotated[bool, typer.Option("--list", help="List the public views and their columns instead.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="SECONDS", min=0.01, max=3600, help="Time limit of the query.")
    ] = 10.0,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Query the record with SQL: read-only, with a time limit."""
    from tickercast.jobs.analysis import views
    from tickercast.jobs.cli.query_table import query_table
    from tickercast.jobs.terminal.output import format_of, write_rows

    text = views.query_text(query, file, list_views=list_views)
    if list_views:
        listed = views.view_list()
        write_rows(listed.columns, listed.rows, output_format, out=out)
        return
    chosen = output_format or format_of(out)
    most = views.TABLE if chosen == "table" else views.ANY_FORMAT
    database = views.database_for_queries(existing_place(context))
    with views.answer(database, text, seconds=seconds, most=most) as found:
        write_rows(found.columns, found.rows, chosen, out=out, table=lambda: query_table(database, found))


def report(
    context: typer.Context,
    tickers: StoredArgument = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the pages.")] = Path("tickercast-report"),
) -> None:
    """Write HTML pages with charts into a folder that a browser or a web server reads. They need no network.

    index.html is the page of today. With TICKER, the pages are about those tickers alone. Setting web.report lets the daemon
    write them after each run.
    """
    from tickercast.jobs import clock
    from tickercast.jobs.exchanges.symbols import parse_symbol
    from tickercast.jobs.pages import require_libraries
    from tickercast.jobs.terminal.progress import progress_bar

    require_libraries()
    from tickercast.jobs.pages.report import write_report

    symbols = [parse_symbol(ticker) for ticker in tickers or []]
    with progress_bar("pages") as show:
        index = write_report(existing_place(context), out, clock.now(), show, symbols or None)
    say(f"report: {index}")


def verify(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Also compare the sessions in each price file with the database.")] = False,
    content_hash: Annotated[
        bool, typer.Option("--content-hash", help="Print a hash of the record's content and check nothing.")
    ] = False,
) -> None:
    """Check the database, all references, price files and checkpoints. Exit code 6 when something is wrong."""
    from tickercast.jobs.analysis import answers
    from tickercast.jobs.runs.findings import finding_noted

    home = existing_home(context)
    if content_hash:
        typer.echo(answers.record_hash(home))
    else:
        with finding_noted(home, is_deep=deep):
            told = answers.check_deeply(home) if deep else answers.check(home)
        say(told)


def explain(context: typer.Context, ticker: TickerArgument, output_format: FormatOption = None, out: OutOption = None) -> None:
    """Show why a ticker's newest forecast changed: restated bars, the new bar, or new weights."""
    from tickercast.jobs.analysis.explain import COLUMNS
    from tickercast.jobs.analysis.explain import explain as explain_ticker
    from tickercast.jobs.cli.explain_table import explain_table
    from tickercast.jobs.terminal.output import write_rows

    explanation = explain_ticker(existing_home(context), ticker)
    changes = [astuple(change) for change in explanation.changes]
    write_rows(COLUMNS, changes, output_format, out=out, table=lambda: explain_table(explanation))


def evaluate(
    context: typer.Context,
    tickers: Annotated[list[str] | None, typer.Argument(metavar="TICKER", help="Tickers (default: all of a folder).")] = None,
    start: StartOption = None,
    end: EndOption = None,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    events: EventsOption = None,
    garch: Annotated[bool, typer.Option("--garch", help="Also compare with GARCH models (extra garch).")] = False,
    add: AddOption = None,
    periods: PeriodsOption = None,
    keep: KeepOption = None,
    workers: WorkersOption = None,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Backfill a span, in a temporary home with default settings, and compare the forecasts with other models.

    Needs --start, --end and tickers, or a folder whose tickers are all compared; --source is Yahoo where it is not given.

    CRPS is in percent of return, and lower is better. Ours / it: our CRPS divided by the method's; below 1, ours is better.
    p: of the Diebold-Mariano test, ours against the method. Set p: of the model confidence set; above 0.05 the method cannot be
    told from the best. Files of --add have the long format of cross_validation in neuralforecast and statsforecast; see
    docs/experiments.md.
    """
    from tickercast.jobs.analysis.baselines import BASELINE_METHODS
    from tickercast.jobs.analysis.evaluate import Comparison, evaluate_kept, evaluate_temporarily
    from tickercast.jobs.analysis.evaluation_table import COLUMNS
    from tickercast.jobs.analysis.garch import garch_methods
    from tickercast.jobs.analysis.other_files import read_other_models
    from tickercast.jobs.analysis.periods import parse_periods
    from tickercast.jobs.cli.evaluate_table import evaluate_table
    from tickercast.jobs.terminal.output import format_of, write_rows

    chosen = output_format or format_of(out)  # a wrong extension is told before the work
    request = backfill_request(tickers, start, end, source, adjustment, workers, events)
    methods = BASELINE_METHODS | (garch_methods() if garch else {})
    comparison = Comparison(methods, read_other_models(add or [], list(methods)), parse_periods(periods))
    evaluation = evaluate_kept(keep, request, comparison) if keep else evaluate_temporarily(request, comparison)
    rows = evaluation.rows
    write_rows(COLUMNS, [astuple(row) for row in rows], chosen, out=out, table=lambda: evaluate_table(rows))
    for line in evaluation.lines:
        say(line)


def demo(context: typer.Context, keep: KeepOption = None, workers: WorkersOption = None) -> None:
    """Run a backfill of real sample prices in a temporary home, show its results and write the report. Needs no network."""
    from tickercast.jobs.cli.demo import run_demo

    run_demo(keep, workers=workers)
