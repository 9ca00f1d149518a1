"""The program `tickercast`: its commands in the order that --help shows, and how it ends.

Results go to stdout, everything else to stderr. An error is one line and an exit code (jobs.cli.exit_codes).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.cli import read_commands, write_commands

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Keeps a daily forecast record for the tickers you follow. Query it with SQL.",
)
database_app = typer.Typer(rich_markup_mode=None, help="Manage the database.", no_args_is_help=True)

COMMANDS: tuple[Callable[..., None], ...] = (
    write_commands.init,
    write_commands.track,
    write_commands.untrack,
    write_commands.forget,
    write_commands.rename,
    read_commands.tickers,
    write_commands.backfill,
    write_commands.run,
    write_commands.daemon,
    read_commands.forecast,
    read_commands.skill,
    read_commands.explain,
    read_commands.status,
    read_commands.bars,
    read_commands.sql,
    read_commands.report,
    write_commands.release,
    write_commands.refuse,
    write_commands.repair,
    read_commands.verify,
    read_commands.evaluate,
    read_commands.demo,
)
for command in COMMANDS:
    app.command()(command)
database_app.command()(write_commands.upgrade)
app.add_typer(database_app, name="db")


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option("--home", metavar="DIR", help="Folder of the home (default: $TICKERCAST_HOME or ./tickercast-home)."),
    ] = None,
) -> None:
    """Resolve the home, for all commands."""
    from jobs.workspace.home import home_folder

    context.obj = home_folder(home, os.environ)


def main() -> None:
    """Run the command line and end the process with one of jobs.errors.ExitCode."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy loads; worker processes inherit it
    sys.exit(_run())


def _run() -> int:
    try:
        code: Any = app(standalone_mode=False)
    except BrokenPipeError:
        # The reader of stdout has gone. Without this, closing stdout would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        from jobs.cli.exit_codes import report_failure

        return report_failure(error)
    return code or 0
