"""What several commands share: options, arguments, and the ways to open a home.

Imports stay light here and in the commands: whatever needs NumPy, SQLAlchemy or a source is imported inside a function, so that
`--help` is quick.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from tickercast.jobs.cli.completion import complete_ticker
from tickercast.jobs.terminal.output import Format
from tickercast.jobs.terminal.text import printable
from tickercast.jobs.workspace.choices import Adjustment, Preset

if TYPE_CHECKING:
    from tickercast.jobs.runs.backfill import BackfillRequest
    from tickercast.jobs.workspace.home import Home
    from tickercast.jobs.workspace.place import Place
    from tickercast.storage.database import Engine

WAIT_SECONDS = 60.0
DAY = "YYYY-MM-DD"
INSTANT = "YYYY-MM-DDTHH:MMZ"
INSTANT_EXAMPLE = "e.g. 2026-11-25T21:45Z"

TickerArgument = Annotated[str, typer.Argument(metavar="TICKER", help="The ticker, e.g. MSFT.", autocompletion=complete_ticker)]
TrackedArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="TICKER", help="Tickers (default: the tracked ones).", autocompletion=complete_ticker),
]
StoredArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="TICKER", help="Tickers (default: all that are stored).", autocompletion=complete_ticker),
]

FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format", metavar="|".join(get_args(Format)), help="Output format (default: as the extension of --out, else table)."
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write to this file instead of stdout; a failed command leaves no file.",
        callback=lambda out: outside_of_store(out),
    ),
]
WaitOption = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait while another process writes.")
]
StartOption = Annotated[str | None, typer.Option("--start", metavar=DAY, help="First session to forecast from, inclusive.")]
EndOption = Annotated[str | None, typer.Option("--end", metavar=DAY, help="Last session to forecast from, inclusive.")]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", metavar="yahoo|folder:PATH|sample", help="Where prices come from (default: as in the settings)."),
]
AdjustmentOption = Annotated[
    Adjustment | None,
    typer.Option("--adjustment", metavar="|".join(get_args(Adjustment)), help="How the prices in a folder are adjusted."),
]
EventsOption = Annotated[
    Path | None,
    typer.Option("--events", metavar="FILE", help="Company events to store: columns ticker, date, kind, recorded_at."),
]
PresetOption = Annotated[
    Preset | None,
    typer.Option("--preset", metavar="|".join(get_args(Preset)), help="Use this preset instead of the one in the settings."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, help="Number of training processes (default: as in the settings).")
]
SessionOption = Annotated[str | None, typer.Option("--session", metavar=DAY, help="This session alone (default: all of them).")]
ColdOption = Annotated[bool, typer.Option("--cold", help="Retrain each ticker from the prior at its first session.")]
HorizonOption = Annotated[
    int | None, typer.Option("--horizon", metavar="N", min=1, help="Only forecasts of the Nth session after their origin.")
]
AddOption = Annotated[
    list[Path] | None,
    typer.Option("--add", metavar="FILE", help="Also compare with another tool's quantiles, CSV or Parquet; repeatable."),
]
PeriodsOption = Annotated[
    str | None,
    typer.Option("--periods", metavar="DAY..DAY,...", help="Also show these periods of origins apart, beside the years."),
]
KeepOption = Annotated[Path | None, typer.Option("--keep", metavar="DIR", help="Use this folder as the home, and keep it.")]


def outside_of_store(out: Path | None) -> Path | None:
    """Return a file to write. Raises UsageError for one that is part of a home's store, or any SQLite database."""
    if out is not None:
        from tickercast.jobs.workspace.place import refuse_store

        refuse_store(out)
    return out


def home_of(context: typer.Context) -> Path:
    """Return the folder of the home that the command line names."""
    folder: Path = context.obj
    return folder


def existing_home(context: typer.Context) -> Home:
    """Return the home for a command that only reads. Raises UsageError when there is none."""
    from tickercast.jobs.workspace.home import open_home

    return open_home(home_of(context))


def existing_place(context: typer.Context) -> Place:
    """Return the paths of the home, for a command that reads without NumPy. Raises UsageError when there is none."""
    from tickercast.jobs.workspace.place import open_place

    return open_place(home_of(context))


def writing(
    context: typer.Context, command: str, wait_seconds: float, create: Preset | None = None
) -> AbstractContextManager[tuple[Home, Engine]]:
    """Return a context manager that yields the home and its writing engine, with the writer lock held.

    create: the preset of a home to create when it is missing; None = raise UsageError instead.
    """
    from tickercast.jobs.workspace.writer import open_for_writing

    return open_for_writing(home_of(context), command=command, wait_seconds=wait_seconds, create=create)


def backfill_request(
    tickers: list[str] | None,
    start: str | None,
    end: str | None,
    source: str | None,
    adjustment: Adjustment | None,
    workers: int | None,
    events: Path | None,
) -> BackfillRequest:
    """Return the checked request of a command line. Raises SymbolRefused or UsageError."""
    from tickercast.jobs.clock import parse_day
    from tickercast.jobs.exchanges.symbols import parse_symbol
    from tickercast.jobs.runs.backfill import BackfillRequest

    request = BackfillRequest(
        symbols=tuple(dict.fromkeys(parse_symbol(ticker) for ticker in tickers or [])),
        start=parse_day(start, "--start"),
        end=parse_day(end, "--end"),
        source=source,
        adjustment=adjustment,
        workers=workers,
        events=events,
    )
    request.check()
    return request


def say(text: str) -> None:
    """Write lines for people, to stderr. What a name in them could do to a terminal is escaped."""
    typer.echo("\n".join(printable(line) for line in text.split("\n")), err=True)
