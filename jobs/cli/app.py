"""The command line. Each command opens the home, calls one function of jobs, and writes rows or one line of text.

Results go to stdout, everything else to stderr; errors are one line and an exit code (jobs.cli.exit_codes).
Heavy imports stay inside the command that needs them, so that --help answers at once.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keeps a daily forecast record for the tickers you follow, and answers SQL questions about it.",
)
database_app = typer.Typer(rich_markup_mode=None, help="Look after the database.", no_args_is_help=True)
app.add_typer(database_app, name="db")


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


class Adjustment(StrEnum):
    as_traded = "as_traded"
    split = "split"
    full = "full"


class PresetName(StrEnum):
    density = "density"
    article = "article"


FormatOption = Annotated[Format, typer.Option("--format", help="How rows are written.")]
WaitOption = Annotated[float, typer.Option("--wait", min=0, help="Seconds to wait while another process writes.")]
TickersArgument = Annotated[list[str] | None, typer.Argument(metavar="[T]...", help="Tickers; none = the tracked ones.")]
StoredArgument = Annotated[list[str] | None, typer.Argument(metavar="[T]...", help="Tickers; none = all that are stored.")]
SourceOption = Annotated[str | None, typer.Option("--source", metavar="yahoo|folder:PATH|sample", help="Where prices come from.")]
AdjustmentOption = Annotated[Adjustment | None, typer.Option("--adjustment", help="How a folder's prices are adjusted.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Processes that train.")]
SessionOption = Annotated[str | None, typer.Option("--session", metavar="D", help="One session; else all that are held.")]
ColdOption = Annotated[bool, typer.Option("--cold", help="Start each ticker's chain cold at its first session.")]
WAIT_SECONDS = 60.0


@app.callback(invoke_without_command=False)
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option("--home", metavar="DIR", help="The home; else $TICKERCAST_HOME, else ./tickercast-home."),
    ] = None,
) -> None:
    from jobs.workspace.home import home_folder

    context.obj = home_folder(home, os.environ)


@app.command()
def init(context: typer.Context) -> None:
    """Make a home: a settings file with comments and an empty store."""
    from jobs.workspace.home import create_home
    from jobs.workspace.locks import writer_lock
    from storage.database import upgrade_database

    home = create_home(context.obj)
    with writer_lock(home.folder, command="init", wait_seconds=WAIT_SECONDS):
        upgrade_database(home.database)
    say(f"home {home.folder} is ready; next: `tickercast --home {home.folder} track MSFT`")


@app.command()
def track(
    context: typer.Context,
    tickers: Annotated[list[str], typer.Argument(metavar="T...", help="Tickers to follow.")],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Follow tickers: the daily run forecasts them."""
    from jobs.prices import tickers as tracking

    with writing(context, "track", wait) as (home, engine):
        say(tracking.track(home, engine, tickers))


@app.command()
def untrack(
    context: typer.Context,
    tickers: Annotated[list[str], typer.Argument(metavar="T...", help="Tickers to leave.")],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Stop following tickers; their record stays."""
    from jobs.prices import tickers as tracking

    with writing(context, "untrack", wait) as (_, engine):
        say(tracking.untrack(engine, tickers))


@app.command()
def rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The symbol it had.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The symbol it has from today on.")],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Give a ticker another symbol; its record goes on under the new one."""
    from jobs.prices import tickers as tracking

    with writing(context, "rename", wait) as (_, engine):
        say(tracking.rename(engine, old, new))


@app.command()
def tickers(context: typer.Context, form: FormatOption = Format.table) -> None:
    """List the tickers that are stored."""
    show(
        context,
        "SELECT symbol AS ticker, tracked, status, source, exchange, currency, price_basis, last_error "
        "FROM tickers ORDER BY symbol",
        form,
    )


@app.command()
def backfill(
    context: typer.Context,
    tickers: TickersArgument = None,
    start: Annotated[str | None, typer.Option("--start", metavar="D", help="First origin, inclusive.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="D", help="Last origin, inclusive.")] = None,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    preset: Annotated[PresetName | None, typer.Option("--preset", help="Another model than the settings'.")] = None,
    twins: Annotated[bool, typer.Option("--twins", help="Train a cold twin beside each warm start, to measure it.")] = False,
    baselines: Annotated[bool, typer.Option("--baselines", help="Store GARCH, HAR and others beside (extra garch).")] = False,
    cold: ColdOption = False,
    workers: WorkersOption = None,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Forecast a span of the past, one-shot and resumable. A ticker given is stored, not tracked."""
    from jobs.clock import parse_day
    from jobs.exchanges.symbols import parse_symbol
    from jobs.runs.backfill import BackfillRequest, backfill_span

    request = BackfillRequest(
        symbols=tuple(dict.fromkeys(parse_symbol(t) for t in tickers or [])),
        start=parse_day(start, "--start"),
        end=parse_day(end, "--end"),
        source=source,
        adjustment=adjustment,
        preset=preset,
        workers=workers,
        with_twins=twins,
        force_cold=cold,
    )
    request.check()
    with writing(context, "backfill", wait, create=preset or "density") as (home, engine):
        if baselines:
            from jobs.analysis.evaluate import backfill_with_baselines as backfill_span
        say(backfill_span(home, engine, request))


@app.command()
def run(
    context: typer.Context,
    now: Annotated[
        str | None, typer.Option("--now", metavar="INSTANT", help="Rehearse: only bars closed by then, stamped so.")
    ] = None,
    workers: WorkersOption = None,
    cold: ColdOption = False,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Do one daily cycle: fetch, score, train, forecast every tracked ticker's missing sessions."""
    from jobs.clock import parse_instant
    from jobs.runs.daily import run_once

    instant = parse_instant(now) if now else None
    with writing(context, "run", wait) as (home, engine):
        say(run_once(home, engine, now=instant, workers=workers, force_cold=cold))


@app.command()
def daemon(context: typer.Context) -> None:
    """Do the daily cycle on schedule, for ever; SIGTERM ends it cleanly."""
    from jobs.runs.daemon import serve
    from jobs.terminal.logs import start_logging
    from jobs.workspace.home import open_home, require_writable

    home = open_home(context.obj)
    require_writable(home)
    start_logging()
    serve(home)


@app.command()
def forecast(context: typer.Context, tickers: StoredArgument = None, form: FormatOption = Format.table) -> None:
    """Show the newest forecasts."""
    shown = ["ticker", "origin", "target", "horizon", "last_price", "q05", "q50", "q95", "mode", "preset"]
    show_view(context, "latest_forecast", tickers, form, shown)


@app.command()
def skill(context: typer.Context, tickers: StoredArgument = None, form: FormatOption = Format.table) -> None:
    """Show how the forecasts did against the random walk; `*` is all tickers."""
    shown = [
        "ticker",
        "horizon",
        "mode",
        "n",
        "crps",
        "baseline_crps",
        "crps_skill",
        "coverage_80",
        "p_adjusted",
        "verdict",
    ]
    show_view(context, "skill", tickers, form, shown)


@app.command()
def status(context: typer.Context, tickers: StoredArgument = None, form: FormatOption = Format.table) -> None:
    """Show how fresh each ticker's record is and what went wrong last."""
    show_view(context, "freshness", tickers, form, None)


@app.command()
def release(
    context: typer.Context,
    ticker: Annotated[str, typer.Argument(metavar="T")],
    session: SessionOption = None,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Store bars that a gate holds, as the source gave them."""
    from jobs.clock import parse_day
    from jobs.prices.quarantine import release as release_bars

    day = parse_day(session, "--session")
    with writing(context, "release", wait) as (home, engine):
        say(release_bars(home, engine, ticker, day))


@app.command()
def refuse(
    context: typer.Context,
    ticker: Annotated[str, typer.Argument(metavar="T")],
    session: SessionOption = None,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Refuse bars that a gate holds, for good."""
    from jobs.clock import parse_day
    from jobs.prices.quarantine import refuse as refuse_bars

    day = parse_day(session, "--session")
    with writing(context, "refuse", wait) as (_, engine):
        say(refuse_bars(engine, ticker, day))


@app.command()
def bars(
    context: typer.Context,
    ticker: Annotated[str, typer.Argument(metavar="T")],
    known_at: Annotated[
        str | None, typer.Option("--known-at", metavar="INSTANT", help="The bars as they were known then.")
    ] = None,
    adjusted: Annotated[bool, typer.Option("--adjusted", help="For splits and dividends, as known.")] = False,
    form: FormatOption = Format.table,
) -> None:
    """Show a ticker's stored prices."""
    from jobs.analysis.answers import stored_bars
    from jobs.clock import parse_instant
    from jobs.terminal.output import write_rows

    instant = parse_instant(known_at) if known_at else None
    columns, rows = stored_bars(existing_home(context), ticker, known_at=instant, adjusted_prices=adjusted)
    write_rows(columns, rows, form.value)


@app.command()
def sql(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(metavar='"SELECT ..."')] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="QUERY.sql", help="Read the query from a file.")] = None,
    list_views: Annotated[bool, typer.Option("--list", help="List the public views and their columns.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.01, max=3600, help="Time limit.")] = 10.0,
    form: FormatOption = Format.table,
) -> None:
    """Ask the record a question in SQL, read-only and time-limited."""
    from jobs.analysis import answers as asking
    from jobs.terminal.output import write_rows

    text = asking.query_text(query, file, list_views=list_views)
    columns, rows = asking.view_list() if list_views else asking.answer(existing_home(context), text, seconds=seconds)
    write_rows(columns, rows, form.value)


@app.command()
def report(
    context: typer.Context,
    tickers: StoredArgument = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the pages.")] = Path("tickercast-report"),
) -> None:
    """Write static HTML pages with charts, viewable without a network."""
    from jobs.analysis.answers import write_pages

    say(f"report: {write_pages(existing_home(context), out, tickers)}")


@app.command()
def verify(
    context: typer.Context,
    deep: Annotated[bool, typer.Option("--deep", help="Also read every price file and every checkpoint.")] = False,
    content_hash: Annotated[bool, typer.Option("--content-hash", help="Print the hash of the record instead.")] = False,
) -> None:
    """Check the store's integrity; exit 6 when something is wrong."""
    from jobs.analysis import answers as asking

    home = existing_home(context)
    if content_hash:
        typer.echo(asking.record_hash(home))
    else:
        say(asking.check_record(home, deep=deep))


@app.command()
def explain(
    context: typer.Context,
    ticker: Annotated[str, typer.Argument(metavar="T")],
    form: FormatOption = Format.table,
) -> None:
    """Show what changed a ticker's newest forecast: restated bars, the new bar, new weights."""
    from jobs.analysis.explain import COLUMNS
    from jobs.analysis.explain import explain as explain_ticker
    from jobs.terminal.output import write_rows

    explanation = explain_ticker(existing_home(context), ticker)
    write_rows(COLUMNS, explanation.rows, form.value)
    say(explanation.told)


@app.command()
def evaluate(
    context: typer.Context,
    tickers: TickersArgument = None,
    start: Annotated[str | None, typer.Option("--start", metavar="D", help="First origin, inclusive.")] = None,
    end: Annotated[str | None, typer.Option("--end", metavar="D", help="Last origin, inclusive.")] = None,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    garch: Annotated[bool, typer.Option("--garch", help="Compare with GARCH models too (extra garch).")] = False,
    keep: Annotated[Path | None, typer.Option("--keep", metavar="DIR", help="Use this folder as the home and keep it.")] = None,
    workers: WorkersOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Walk forward in a throw-away home and score it beside other volatility models."""
    from jobs.analysis.evaluate import COLUMNS
    from jobs.analysis.evaluate import evaluate as evaluate_span
    from jobs.clock import parse_day
    from jobs.exchanges.symbols import parse_symbol
    from jobs.runs.backfill import BackfillRequest
    from jobs.terminal.output import write_rows

    request = BackfillRequest(
        symbols=tuple(dict.fromkeys(parse_symbol(t) for t in tickers or [])),
        start=parse_day(start, "--start"),
        end=parse_day(end, "--end"),
        source=source,
        adjustment=adjustment,
        workers=workers,
    )
    request.check()
    evaluation = evaluate_span(keep, request, with_garch=garch)
    write_rows(COLUMNS, evaluation.rows, form.value)
    say(evaluation.told)


@app.command()
def demo(
    context: typer.Context,
    keep: Annotated[Path | None, typer.Option("--keep", metavar="DIR", help="Use this folder as the home and keep it.")] = None,
    workers: WorkersOption = None,
) -> None:
    """Show the whole way on real sample prices, in a throw-away home, without a network."""
    from jobs.cli.demo import run_demo

    run_demo(keep, workers=workers)


@database_app.command("upgrade")
def upgrade(context: typer.Context, wait: WaitOption = WAIT_SECONDS) -> None:
    """Bring the database to this program's schema; a copy is made first."""
    from jobs.workspace.home import open_home, require_writable
    from jobs.workspace.locks import writer_lock
    from storage.database import upgrade_database

    home = open_home(context.obj)
    require_writable(home)
    with writer_lock(home.folder, command="db upgrade", wait_seconds=wait):
        upgrade_database(home.database)
    say(f"{home.database} is at this program's schema")


def existing_home(context: typer.Context) -> Any:
    """Return the home of a command that only reads."""
    from jobs.workspace.home import open_home

    return open_home(context.obj)


def writing(context: typer.Context, command: str, wait: float, create: str | None = None) -> Any:
    """Return a context manager: the home and a writing engine, the writer lock held."""
    from jobs.workspace.writer import open_for_writing

    return open_for_writing(context.obj, command=command, wait_seconds=wait, create=create)


def show(context: typer.Context, query: str, form: Format) -> None:
    """Write the rows of one of our own queries."""
    from jobs.analysis import answers as asking
    from jobs.terminal.output import write_rows

    columns, rows = asking.answer(existing_home(context), query, seconds=60)
    write_rows(columns, rows, form.value)


def show_view(context: typer.Context, view: str, tickers: list[str] | None, form: Format, shown: list[str] | None) -> None:
    """Write a public view's rows of some tickers, or of all."""
    from jobs.analysis import answers as asking
    from jobs.terminal.output import write_rows

    columns, rows = asking.view_rows(existing_home(context), view, tickers)
    write_rows(columns, rows, form.value, shown=shown)


def say(text: str) -> None:
    """Write one line for people."""
    typer.echo(text, err=True)


def main() -> None:
    """Run the command line and end with the documented exit code."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # inherited by workers; before NumPy loads
    try:
        code = app(standalone_mode=False)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (Exception, KeyboardInterrupt) as error:
        from jobs.cli.exit_codes import report_failure

        code = report_failure(error)
    sys.exit(code or 0)
