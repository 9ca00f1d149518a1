"""The commands of priors: list those that cold starts may begin from, and fit the bundled ones again."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from tickercast.jobs.cli.options import (
    DAY,
    AdjustmentOption,
    FormatOption,
    OutOption,
    SourceOption,
    WorkersOption,
    existing_home,
    say,
)


def list_priors(context: typer.Context, output_format: FormatOption = None, out: OutOption = None) -> None:
    """List the priors that cold starts may begin from, and the tickers that each one serves today."""
    from tickercast.jobs.analysis.prior_list import COLUMNS, list_priors
    from tickercast.jobs.clock import now
    from tickercast.jobs.terminal.output import write_rows

    write_rows(COLUMNS, [astuple(row) for row in list_priors(existing_home(context), now().date())], output_format, out=out)


def fit(
    bundled: Annotated[
        bool, typer.Option("--bundled", help="Fit the bundled priors again, from all tickers of a source.")
    ] = False,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    cutoff: Annotated[
        list[str] | None,
        typer.Option("--cutoff", metavar=DAY, help="Fit on bars before this day (default: the cutoffs of the bundled ones)."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the files.")] = Path("tickercast-priors"),
    workers: WorkersOption = None,
) -> None:
    """Fit the bundled priors again: weight files and a manifest. `run` and `backfill` fit the priors of a universe."""
    from tickercast.jobs.clock import parse_day
    from tickercast.jobs.errors import UsageError
    from tickercast.jobs.runs.refit import refit_bundled

    if not bundled or source is None:
        raise UsageError("prior fit makes the bundled priors: add --bundled --source folder:PATH; `run` fits a universe's prior")
    cutoffs = [day for text in cutoff or [] if (day := parse_day(text, "--cutoff"))]
    say(refit_bundled(out, source=source, adjustment=adjustment, cutoffs=cutoffs, workers=workers))
