"""The commands that say how things are: `status`, for people and for monitors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tickercast.jobs.cli.options import FormatOption, OutOption, StoredArgument, existing_place, say

if TYPE_CHECKING:
    from tickercast.jobs.monitoring.state import HomeState
    from tickercast.jobs.workspace.place import Place


def status(
    context: typer.Context,
    tickers: StoredArgument = None,
    check: Annotated[
        bool, typer.Option("--check", help="Print one line for a monitor; exit code 0, 3 or 4 says how things are.")
    ] = False,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Show whether the daemon runs, which tickers need attention, and how far each ticker is behind.

    Behind: sessions closed since the last forecast's origin. With TICKER, only the table of those. With more than 30 tickers
    it lists those that need attention. Formats other than the table have the columns of view freshness.

    --check exits 0 when all is well; 3 when a ticker is late, failing or quarantined, the record is damaged, backups fail or the
    disk is short; 4 when the daemon has died or hangs, or no tracked ticker works. A ticker is late once a session closed
    schedule.after_close_minutes plus monitor.grace_minutes ago and has no forecast; docs/operations.md explains it.
    """
    from tickercast.jobs.analysis.views import context_notices, prior_notices, upgrade_notices, view_rows
    from tickercast.jobs.cli.status_table import status_screen, status_table
    from tickercast.jobs.terminal.output import write_rows

    if check:
        _print_check(context, tickers)
    place = existing_place(context)
    found = view_rows(place.database, "freshness", tickers)
    show = status_table if tickers else status_screen
    write_rows(
        found.columns, found.rows, output_format, out=out, types=found.types,
        table=lambda: show(_state_of(place), found.records()),
    )  # fmt: skip
    for notice in [*upgrade_notices(place.database), *context_notices(place.database), *prior_notices(place.database)]:
        say(notice)


def _print_check(context: typer.Context, tickers: list[str] | None) -> None:
    """Print the judgement of the home and end with its exit code. Raises UsageError for tickers, which it is not of."""
    from tickercast.jobs.errors import UsageError
    from tickercast.jobs.monitoring.check import check

    if tickers:
        raise UsageError("--check is of the whole home; give no ticker")
    found = check(_state_of(existing_place(context)))
    typer.echo(found.line)
    raise typer.Exit(found.code)


def _state_of(place: Place) -> HomeState:
    from tickercast.jobs import clock
    from tickercast.jobs.monitoring.state import read_state
    from tickercast.jobs.workspace.limits import read_limits

    return read_state(place, read_limits(place.folder), clock.now())
