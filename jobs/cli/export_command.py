"""The command that writes the views as Parquet files for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tickercast.jobs.cli.options import existing_place, say


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the files: a new one, or that of an earlier export.")],
    view: Annotated[
        list[str] | None, typer.Option("--view", metavar="NAME", help="Only this view (default: all of them); repeatable.")
    ] = None,
) -> None:
    """Write the public views as Parquet files, by ticker, which DuckDB, Polars, Spark and pandas read in place.

    Types are true ones: dates, UTC instants, booleans. The files are DIR/VIEW/ticker=SYMBOL/data.parquet; a view without tickers
    has one. A second export writes again what has changed, and removes what is gone. A reader sees each file whole.
    """
    from tickercast.jobs import clock
    from tickercast.jobs.analysis.export import export as export_views
    from tickercast.jobs.terminal.progress import progress_bar

    with progress_bar("export") as show:
        exported = export_views(existing_place(context).database, folder, view or [], now=clock.now(), show=show)
    say(exported.summary(folder))
