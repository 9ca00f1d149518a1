"""The commands that change a home: each opens it for writing, calls one function and prints its closing line."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from tickercast.jobs.cli.options import (
    DAY,
    INSTANT,
    INSTANT_EXAMPLE,
    WAIT_SECONDS,
    AdjustmentOption,
    ColdOption,
    EndOption,
    EventsOption,
    PresetOption,
    SessionOption,
    SourceOption,
    StartOption,
    TickerArgument,
    TrackedArgument,
    WaitOption,
    WorkersOption,
    backfill_request,
    existing_home,
    home_of,
    say,
    writing,
)
from tickercast.jobs.terminal.logs import LogFormat
from tickercast.jobs.workspace.choices import SecurityKind

if TYPE_CHECKING:
    from datetime import datetime

    from tickercast.jobs.workspace.home import Home
    from tickercast.storage.database import Engine


def track(
    context: typer.Context,
    tickers: Annotated[list[str], typer.Argument(metavar="TICKER", help="Tickers to follow, e.g. MSFT ^GSPC.")],
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    kind: Annotated[
        SecurityKind | None,
        typer.Option(
            "--kind",
            metavar="|".join(get_args(SecurityKind)),
            help="Kind of security, which chooses the prior (default: as the source says, else by the symbol).",
        ),
    ] = None,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Follow tickers: `run` and `daemon` forecast them, each from its own source."""
    from tickercast.jobs.prices.tickers import track as track_tickers

    with writing(context, "track", wait) as (home, engine):
        say(track_tickers(home, engine, tickers, source=source, adjustment=adjustment, kind=kind))


def untrack(
    context: typer.Context,
    tickers: Annotated[list[str], typer.Argument(metavar="TICKER", help="Tickers to follow no longer.")],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Stop following tickers. Their record stays."""
    from tickercast.jobs.prices.tickers import untrack as untrack_tickers

    with writing(context, "untrack", wait) as (_, engine):
        say(untrack_tickers(engine, tickers))


def forget(
    context: typer.Context,
    ticker: TickerArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Remove stored bars without a question.")] = False,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Remove a ticker that has no forecasts, with its stored prices."""
    from tickercast.jobs.prices.forget import forget as forget_ticker

    def agree(question: str) -> bool:
        return yes or (sys.stdin.isatty() and typer.confirm(question, err=True))

    with writing(context, "forget", wait) as (home, engine):
        say(forget_ticker(home, engine, ticker, agree))


def rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="OLD", help="Its present symbol.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its symbol from today on.")],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Give a ticker another symbol. Its record continues under the new one."""
    from tickercast.jobs.prices.tickers import rename as rename_ticker

    with writing(context, "rename", wait) as (_, engine):
        say(rename_ticker(engine, old, new))


def backfill(
    context: typer.Context,
    tickers: TrackedArgument = None,
    start: StartOption = None,
    end: EndOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Forecast from all stored history (default: the last 252 sessions up to --end).")
    ] = False,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    events: EventsOption = None,
    preset: PresetOption = None,
    twins: Annotated[
        bool, typer.Option("--twins", help="For each warm start, also train a cold twin and store it for comparison.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also store forecasts of GARCH, HAR and other models (extra garch).")
    ] = False,
    cold: ColdOption = False,
    workers: WorkersOption = None,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Create the missing forecasts of a past span. Repeat the command to resume it. Tickers named here are not tracked."""
    request = backfill_request(tickers, start, end, source, adjustment, workers, events)
    request = replace(request, preset=preset, with_twins=twins, force_cold=cold, everything=everything)
    request.check()
    if baselines:
        from tickercast.jobs.analysis.store_baselines import backfill_with_baselines as forecast_span
    else:
        from tickercast.jobs.runs.backfill import backfill_span as forecast_span
    from tickercast.jobs.workspace.outage import work_through_outages

    lines = [f"home {home_of(context)} is created"] if _has_no_home(context) else []

    def forecast(home: Home, engine: Engine) -> str:
        while lines:  # once, however often the work begins again
            say(lines.pop())
        return forecast_span(home, engine, request)

    say(work_through_outages(
        home_of(context), forecast, command="backfill", wait_seconds=wait, create=preset or "density"
    ))  # fmt: skip


def _has_no_home(context: typer.Context) -> bool:
    """Return whether there is no home yet. Where that cannot be seen, making one tells why."""
    from tickercast.jobs.workspace.place import is_home

    try:
        return not is_home(home_of(context))
    except OSError:
        return False


def run(
    context: typer.Context,
    now: Annotated[
        str | None,
        typer.Option(
            "--now",
            metavar=INSTANT,
            help=f"Act as at this past instant, {INSTANT_EXAMPLE}: rows get it, later bars are ignored.",
        ),
    ] = None,
    rehearse: Annotated[
        str | None,
        typer.Option("--rehearse", metavar=INSTANT, help="Print what a cycle at this instant would do; nothing is stored."),
    ] = None,
    workers: WorkersOption = None,
    cold: ColdOption = False,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Run one daily cycle: fetch prices, score, train, and create the missing forecasts of all tracked tickers."""
    from tickercast.jobs import clock
    from tickercast.jobs.clock import parse_instant
    from tickercast.jobs.errors import UsageError
    from tickercast.jobs.monitoring.monitor import metrics_at_end
    from tickercast.jobs.runs.daily import run_once
    from tickercast.jobs.runs.notices import told_at_end
    from tickercast.jobs.runs.retention import next_retention, retain
    from tickercast.jobs.workspace.outage import work_through_outages

    if now and rehearse:
        raise UsageError("--now acts and --rehearse does not; give one of them")
    if rehearse:
        _rehearse(context, parse_instant(rehearse), workers, cold)
        return
    instant = parse_instant(now) if now else None

    def work(home: Home, engine: Engine) -> None:
        say(run_once(home, engine, now=instant, workers=workers, force_cold=cold))
        if next_retention(home, present := clock.now()) <= present:
            retain(home, engine, present)

    with metrics_at_end(home_of(context)), told_at_end(home_of(context), instant):
        work_through_outages(home_of(context), work, command="run", wait_seconds=wait)


def _rehearse(context: typer.Context, instant: datetime, workers: int | None, cold: bool) -> None:
    """Print what a cycle would do for each ticker, then its closing line. Raises what it would end with."""
    from tickercast.jobs.runs.rehearsal import rehearse
    from tickercast.jobs.terminal.output import write_rows

    found = rehearse(existing_home(context), instant, workers=workers, force_cold=cold)
    write_rows(found.outcome.columns, found.outcome.rows)
    if found.error is not None:
        raise found.error
    say(f"rehearsed at {instant:%Y-%m-%dT%H:%M:%SZ}, nothing was stored: {found.message}")


def daemon(
    context: typer.Context,
    log_format: Annotated[
        LogFormat | None,
        typer.Option("--log-format", metavar="logfmt|json", help="Form of log lines (default: logfmt on a terminal, else json)."),
    ] = None,
) -> None:
    """Run the daily cycle on schedule until SIGTERM or Ctrl-C. It logs to stderr, or to the file that log.file names."""
    from tickercast.jobs.runs.daemon import serve
    from tickercast.jobs.terminal.logs import LogTarget, log_format_for, start_logging
    from tickercast.jobs.workspace.file_systems import network_warning
    from tickercast.jobs.workspace.home import open_home, require_writable

    home = open_home(home_of(context))
    require_writable(home)
    file = home.log_file()
    target = LogTarget(log_format_for(log_format, file), file)
    if file:
        say(f"log lines go to {file.path}")
    start_logging(target.format, target.file)
    database = home.place.database_file
    if database and (warning := network_warning(database.parent)):
        say(warning)
    if database is None and home.settings.backup.folder:
        say("no backup is made to backup.folder: store.url names a server, which has its own (docs/guides/backups.md)")
    serve(home, target)


def release(
    context: typer.Context,
    ticker: TickerArgument,
    session: SessionOption = None,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", metavar=f"{DAY}=NEW:OLD", help="A split that the source does not report, e.g. 2024-06-10=4:1."),
    ] = None,
    dividend: Annotated[
        list[str] | None,
        typer.Option("--dividend", metavar=f"{DAY}=AMOUNT", help="A dividend that it does not report, e.g. 2024-06-10=12.50."),
    ] = None,
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Store quarantined bars as the source gave them, or refused ones where none is quarantined."""
    from tickercast.jobs.clock import parse_day
    from tickercast.jobs.prices.quarantine import release as release_bars
    from tickercast.jobs.prices.told import parse_told

    day, told = parse_day(session, "--session"), parse_told(split or [], dividend or [])
    with writing(context, "release", wait) as (home, engine):
        say(release_bars(home, engine, ticker, day, told))


def refuse(
    context: typer.Context, ticker: TickerArgument, session: SessionOption = None, wait: WaitOption = WAIT_SECONDS
) -> None:
    """Reject quarantined bars, for as long as the source gives the same values."""
    from tickercast.jobs.clock import parse_day
    from tickercast.jobs.prices.quarantine import refuse as refuse_bars

    day = parse_day(session, "--session")
    with writing(context, "refuse", wait) as (_, engine):
        say(refuse_bars(engine, ticker, day))


def repair(context: typer.Context, ticker: TickerArgument, wait: WaitOption = WAIT_SECONDS) -> None:
    """Mend a damaged or missing price file from what is proven, and compare it with the source."""
    from tickercast.jobs.prices.repair import repair as repair_prices
    from tickercast.jobs.terminal.progress import progress_bar

    with writing(context, "repair", wait) as (home, engine):
        with progress_bar(f"repairing {ticker}"):
            told = repair_prices(home, engine, ticker)
        say(told)
