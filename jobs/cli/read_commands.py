"""The commands that change no existing home: they show the record, check it, or work in a home of their own."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli.options import (
    INSTANT_EXAMPLE,
    AdjustmentOption,
    EndOption,
    FormatOption,
    KeepOption,
    OutOption,
    SourceOption,
    StartOption,
    StoredArgument,
    TickerArgument,
    TrackedArgument,
    WorkersOption,
    backfill_request,
    existing_home,
    existing_place,
    say,
    show_view,
)

FORECAST_TABLE = ["ticker", "origin", "target", "horizon", "last_price", "q05", "q50", "q95", "mode", "preset"]
SKILL_TABLE = [
    "ticker", "horizon", "mode", "n", "crps", "baseline_crps", "crps_skill", "coverage_80", "p_adjusted", "verdict",
]  # fmt: skip


def tickers(context: typer.Context, output_format: FormatOption = None, out: OutOption = None) -> None:
    """List the stored tickers."""
    from jobs.analysis.views import ticker_rows
    from jobs.terminal.output import write_rows

    found = ticker_rows(existing_place(context).database)
    write_rows(found.columns, found.rows, output_format, out=out)


def forecast(
    context: typer.Context, tickers: StoredArgument = None, output_format: FormatOption = None, out: OutOption = None
) -> None:
    """Show the newest forecasts."""
    show_view(context, "latest_forecast", tickers, output_format, out, shown=FORECAST_TABLE)


def skill(
    context: typer.Context, tickers: StoredArgument = None, output_format: FormatOption = None, out: OutOption = None
) -> None:
    """Compare past forecasts with the random walk. Ticker `*` is all tickers together."""
    show_view(context, "skill", tickers, output_format, out, shown=SKILL_TABLE)


def status(
    context: typer.Context, tickers: StoredArgument = None, output_format: FormatOption = None, out: OutOption = None
) -> None:
    """Show how far each ticker is behind, and its last error."""
    from jobs.analysis.views import upgrade_notices

    show_view(context, "freshness", tickers, output_format, out)
    for notice in upgrade_notices(existing_place(context).database):
        say(notice)


def bars(
    context: typer.Context,
    ticker: TickerArgument,
    known_at: Annotated[
        str | None, typer.Option("--known-at", metavar="INSTANT", help=f"The bars as known at this instant, {INSTANT_EXAMPLE}.")
    ] = None,
    adjusted: Annotated[bool, typer.Option("--adjusted", help="Adjust prices for splits and dividends.")] = False,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Show a ticker's stored prices."""
    from jobs.analysis.answers import adjusted_bars, stored_bars
    from jobs.clock import parse_instant
    from jobs.terminal.output import write_rows

    instant = parse_instant(known_at) if known_at else None
    read = adjusted_bars if adjusted else stored_bars
    found = read(existing_home(context), ticker, known_at=instant)
    write_rows(found.columns, found.rows, output_format, out=out)


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
    from jobs.analysis import views
    from jobs.terminal.output import format_of, write_rows

    text = views.query_text(query, file, list_views=list_views)
    if list_views:
        listed = views.view_list()
        write_rows(listed.columns, listed.rows, output_format, out=out)
        return
    chosen = output_format or format_of(out)
    most = views.TABLE if chosen == "table" else views.ANY_FORMAT
    with views.answer(existing_place(context).database, text, seconds=seconds, most=most) as found:
        write_rows(found.columns, found.rows, chosen, out=out)


def report(
    context: typer.Context,
    tickers: StoredArgument = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the pages.")] = Path("tickercast-report"),
) -> None:
    """Write HTML pages with charts. They need no network."""
    from jobs.analysis.answers import write_pages

    say(f"report: {write_pages(existing_home(context), out, tickers)}")


def verify(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Also compare the sessions in each price file with the database.")] = False,
    content_hash: Annotated[
        bool, typer.Option("--content-hash", help="Print a hash of the record's content and check nothing.")
    ] = False,
) -> None:
    """Check the database, all references, price files and checkpoints. Exit code 6 when something is wrong."""
    from jobs.analysis import answers

    home = existing_home(context)
    if content_hash:
        typer.echo(answers.record_hash(home))
    else:
        say(answers.check_deeply(home) if deep else answers.check(home))


def explain(context: typer.Context, ticker: TickerArgument, output_format: FormatOption = None, out: OutOption = None) -> None:
    """Show why a ticker's newest forecast changed: restated bars, the new bar, or new weights."""
    from jobs.analysis.explain import COLUMNS
    from jobs.analysis.explain import explain as explain_ticker
    from jobs.terminal.output import write_rows

    explanation = explain_ticker(existing_home(context), ticker)
    write_rows(COLUMNS, [astuple(change) for change in explanation.changes], output_format, out=out)
    say(explanation.message)


def evaluate(
    context: typer.Context,
    tickers: TrackedArgument = None,
    start: StartOption = None,
    end: EndOption = None,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    garch: Annotated[bool, typer.Option("--garch", help="Also compare with GARCH models (extra garch).")] = False,
    keep: KeepOption = None,
    workers: WorkersOption = None,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Backfill a span, in a temporary home, and compare the forecasts with other models. Needs --start and --end."""
    from jobs.analysis.baselines import BASELINE_METHODS
    from jobs.analysis.evaluate import COLUMNS, evaluate_kept, evaluate_temporarily
    from jobs.analysis.garch import garch_methods
    from jobs.terminal.output import format_of, write_rows

    chosen = output_format or format_of(out)  # a wrong extension is told before the work
    request = backfill_request(tickers, start, end, source, adjustment, workers)
    methods = BASELINE_METHODS | (garch_methods() if garch else {})
    evaluation = evaluate_kept(keep, request, methods) if keep else evaluate_temporarily(request, methods)
    write_rows(COLUMNS, [astuple(row) for row in evaluation.rows], chosen, out=out)
    say(evaluation.message)


def demo(context: typer.Context, keep: KeepOption = None, workers: WorkersOption = None) -> None:
    """Run a backfill of real sample prices in a temporary home, show its results and write the report. Needs no network."""
    from jobs.cli.demo import run_demo

    run_demo(keep, workers=workers)
