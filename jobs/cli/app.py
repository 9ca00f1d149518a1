"""The program `tickercast`: its commands in the order that --help shows, and how it ends.

Results go to stdout, everything else to stderr. An error is one line and an exit code (jobs.cli.exit_codes).
"""

from __future__ import annotations

import gc
import os
import stat
import sys
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Annotated

import typer

from tickercast.jobs.cli import (
    export_command,
    init_command,
    notice_commands,
    prior_commands,
    read_commands,
    record_commands,
    serve_command,
    status_commands,
    write_commands,
)
from tickercast.jobs.cli.command_line import PROGRAM, home_first
from tickercast.jobs.cli.examples import epilog_of
from tickercast.jobs.cli.options import say
from tickercast.jobs.cli.plain_command import PlainCommand
from tickercast.jobs.cli.quick import convert_quickly
from tickercast.jobs.errors import ExitCode
from tickercast.jobs.runs.interrupts import end_now, ignore_signals, interruptible, is_code_of_signal
from tickercast.jobs.terminal.streams import discard_unwritten, has_no_reader, prepare_streams

COMPLETION_VARIABLE = "_TICKERCAST_COMPLETE"

app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"max_content_width": 110},
    help="Keeps a daily forecast record for the tickers you follow. Query it with SQL.",
)
prior_app = typer.Typer(
    rich_markup_mode=None, help="Show or fit priors: what cold starts begin from.", invoke_without_command=True
)
database_app = typer.Typer(rich_markup_mode=None, help="Manage the database.", invoke_without_command=True)

COMMANDS: tuple[Callable[..., None], ...] = (
    init_command.init,
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
    status_commands.status,
    notice_commands.notices,
    read_commands.bars,
    read_commands.sql,
    read_commands.report,
    serve_command.serve,
    export_command.export,
    write_commands.release,
    write_commands.refuse,
    write_commands.repair,
    read_commands.verify,
    record_commands.replay,
    record_commands.backup,
    record_commands.restore,
    record_commands.move,
    read_commands.evaluate,
    read_commands.demo,
)
for command in COMMANDS:
    app.command(cls=PlainCommand, epilog=epilog_of(command.__name__))(command)
database_app.command(cls=PlainCommand, epilog=epilog_of("db upgrade"))(record_commands.upgrade)
prior_app.command("list", cls=PlainCommand, epilog=epilog_of("prior list"))(prior_commands.list_priors)
prior_app.command("fit", cls=PlainCommand, epilog=epilog_of("prior fit"))(prior_commands.fit)
app.add_typer(prior_app, name="prior")
app.add_typer(database_app, name="db")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from tickercast.storage.versions import known_revisions

        typer.echo(f"{PROGRAM} {version(PROGRAM)}, schema {known_revisions()[0]}, Python {sys.version.split()[0]}")
        raise typer.Exit


@database_app.callback()
def database(context: typer.Context) -> None:
    """Manage the database."""
    _show_help_without_command(context)


@prior_app.callback()
def prior(context: typer.Context) -> None:
    """Show or fit priors: what cold starts begin from."""
    _show_help_without_command(context)


def _show_help_without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.callback()
def root(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(
            "--home", metavar="DIR", help="Folder of the home, anywhere (default: $TICKERCAST_HOME or ./tickercast-home)."
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the versions of program, schema and Python."),
    ] = False,
) -> None:
    """Resolve the home, for all commands."""
    from tickercast.jobs.workspace.place import home_folder, ignored_variables

    _show_help_without_command(context)
    for name in ignored_variables(os.environ):
        say(f"warning: {name} is no setting and is ignored; a setting is TICKERCAST_SECTION__KEY")
    context.obj = home_folder(home, os.environ)


def main() -> None:
    """Run the command line and end the process with one of jobs.errors.ExitCode."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy loads; worker processes inherit it
    os.umask(os.umask(0) | stat.S_IWOTH)  # nothing that is made is open for all to write
    prepare_streams()
    with interruptible():
        code = _run()
    if is_code_of_signal(code):
        end_now(code)
    sys.exit(code)


def _run() -> int:
    try:
        _call_command()
        sys.stdout.flush()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and has_no_reader(sys.stdout):
            return 0  # head(1) has read enough
        ignore_signals()  # the command ends anyway
        return _report(error)
    finally:
        discard_unwritten(sys.stdout)
        discard_unwritten(sys.stderr)


def _report(error: BaseException) -> int:
    try:
        from tickercast.jobs.cli.exit_codes import report_failure
    except MemoryError:
        sys.stderr.write("error: memory ran out (no module could be loaded); what was committed stays; repeat the command\n")
        return int(ExitCode.STORAGE)
    return report_failure(error)


def _call_command() -> None:
    """Call the command of the command line. Unlike Typer's own way to do it, this lets every exception pass."""
    if COMPLETION_VARIABLE in os.environ:  # set by the shell's script: Typer answers it
        app(prog_name=PROGRAM)
    arguments = home_first(sys.argv[1:])
    program = typer.main.get_command(_app_for(arguments))
    convert_quickly(program)
    with program.make_context(PROGRAM, arguments) as context:
        gc.freeze()  # what was loaded so far stays, and need not be looked through again
        gc.enable()
        program.invoke(context)


def _app_for(arguments: Sequence[str]) -> typer.Typer:
    """Return the app with the commands that a command line names, or with all where it names none: each takes time to build."""
    named = [info for info in app.registered_commands if info.callback and info.callback.__name__ in arguments]
    if not named or any(info.name in arguments for info in app.registered_groups):
        return app
    small = copy(app)
    small.registered_commands, small.registered_groups = named, []
    return small
