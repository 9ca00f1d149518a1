"""The commands that prove and keep the record: its forecasts computed again, backups, moves, upgrades."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import Annotated

import typer

from tickercast.jobs.cli.options import WAIT_SECONDS, FormatOption, OutOption, WaitOption, existing_home, home_of, say


def replay(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A model_id, or the beginning of one: all forecasts of that model.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Replay the whole record.")] = False,
    sample: Annotated[
        int | None, typer.Option("--sample", metavar="N", min=1, help="With --all: so many sessions, drawn at random.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Which sessions --sample draws.")] = 0,
    output_format: FormatOption = None,
    out: OutOption = None,
) -> None:
    """Compute forecasts again, from what was known when they were made, and compare every number with the stored one."""
    from tickercast.jobs.analysis.replay import COLUMNS, replay_model, replay_sample, summary_of
    from tickercast.jobs.errors import UsageError
    from tickercast.jobs.terminal.output import write_rows

    if (model is None) != everything or (sample is not None and not everything):
        raise UsageError("give a model_id, or --all with or without --sample N")
    home = existing_home(context)
    found = replay_sample(home, sample, seed) if model is None else replay_model(home, model)
    write_rows(COLUMNS, [astuple(row) for row in found], output_format, out=out)
    say(summary_of(found))


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The tar file to write (default: one named by its instant in backup.folder)."),
    ] = None,
) -> None:
    """Write database, price files and settings into one tar file, checked before it gets its name. Others may write meanwhile."""
    from tickercast.jobs import clock
    from tickercast.jobs.runs.backup import back_up
    from tickercast.jobs.runs.scheduled_backup import back_up_to_folder

    home, now = existing_home(context), clock.now()
    say(back_up_to_folder(home, now) if file is None else back_up(home, file.absolute(), now=now))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `backup` wrote.")],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Put a backup in the place of the home, after checking all of it. The home before stays beside it, under another name."""
    from tickercast.jobs import clock
    from tickercast.jobs.runs.restore import restore as put_back

    say(put_back(home_of(context), file.absolute(), now=clock.now(), wait_seconds=wait))


def move(
    context: typer.Context,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            help="postgresql://user@host/database, sqlite:///PATH, or the path of a file, whose folder is made if missing.",
        ),
    ],
    wait: WaitOption = WAIT_SECONDS,
) -> None:
    """Copy the record to an empty database, whole, and prove the copy. It says what to put into store.url then.

    Rows keep their ids, instants and hashes; price files stay where they are. A move that is killed leaves no record there. The
    record that it reads is not changed.
    """
    from tickercast.jobs.runs.move import move as move_record

    say(move_record(existing_home(context), to, wait_seconds=wait))


def upgrade(context: typer.Context, wait: WaitOption = WAIT_SECONDS) -> None:
    """Upgrade the database to this program's schema, after a backup copy in the same folder."""
    from tickercast.jobs import clock
    from tickercast.jobs.prices.copies import fill_copies
    from tickercast.jobs.runs.upgrade import fill_skill_and_risk
    from tickercast.jobs.terminal.progress import progress_bar
    from tickercast.jobs.workspace.home import open_home, require_writable
    from tickercast.jobs.workspace.locks import writer_lock
    from tickercast.storage.database import upgrade_database

    home = open_home(home_of(context))
    require_writable(home)
    with writer_lock(home.folder, command="db upgrade", wait_seconds=wait, database=home.database):
        with progress_bar("upgrading the database"):
            copy = upgrade_database(home.database)
        for told in fill_copies(home):
            say(told)
        fill_skill_and_risk(home, clock.now())
    say(f"{home.database} has this program's schema{f'; as it was before: {copy}' if copy else ''}")
