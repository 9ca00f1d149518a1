"""The command `init`: a new home, what it begins with, and the commands that come next."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tickercast.jobs.cli.command_line import command_for
from tickercast.jobs.cli.options import WAIT_SECONDS, AdjustmentOption, SourceOption, home_of, say, writing

if TYPE_CHECKING:
    from tickercast.jobs.prices.first_home import Beginning

Step = tuple[str, str]  # a command without the program's name, and what it is for


def init(
    context: typer.Context,
    source: SourceOption = None,
    adjustment: AdjustmentOption = None,
    tickers: Annotated[
        list[str] | None, typer.Option("--ticker", metavar="TICKER", help="A ticker to follow; repeatable.")
    ] = None,
) -> None:
    """Create a home: a settings file with comments, and a database. On a terminal it asks for source and tickers.

    It asks nothing where an option answers, or where the home exists.
    """
    from tickercast.jobs.cli.first_questions import ask_beginning, can_ask
    from tickercast.jobs.prices.first_home import Beginning, check_beginning, refuse_other_source
    from tickercast.jobs.terminal.text import first_names
    from tickercast.jobs.workspace.file_systems import network_warning
    from tickercast.jobs.workspace.home import create_home
    from tickercast.jobs.workspace.locks import writer_lock
    from tickercast.jobs.workspace.place import is_home
    from tickercast.storage.database import upgrade_database

    folder = home_of(context)
    is_asked = not (source or adjustment or tickers) and can_ask() and not is_home(folder)
    beginning = ask_beginning(folder) if is_asked else Beginning(source, adjustment, tuple(tickers or ()))
    offer = check_beginning(beginning)
    home = create_home(folder, settings=beginning.settings())
    refuse_other_source(home, beginning)
    file = home.place.database_file
    if file and (warning := network_warning(file.parent)):
        say(warning)
    with writer_lock(home.folder, command="init", wait_seconds=WAIT_SECONDS, database=home.database):
        upgrade_database(home.database)
    if beginning.tickers:
        _track(context, beginning)
    follows = f" and follows {first_names(beginning.tickers)}" if beginning.tickers else ""
    say(f"home {home.folder} is ready{follows}; next:")
    say(_lines(home.folder, next_steps(beginning, offer.tickers)))


def _track(context: typer.Context, beginning: Beginning) -> None:
    from tickercast.jobs.prices.tickers import track

    with writing(context, "init", WAIT_SECONDS) as (home, engine):
        track(home, engine, beginning.tickers, source=beginning.source, adjustment=beginning.adjustment)


def next_steps(beginning: Beginning, offered: Sequence[str]) -> Sequence[Step]:
    """Return the three commands that come next. offered: the tickers that the source lists."""
    backfill = ("backfill", "forecasts of the last year's sessions, and how they did")
    read = ("forecast", "the next session of each ticker")
    if not beginning.tickers:
        return [(f"track {' '.join(offered[:3]) or 'MSFT AAPL'}", "the tickers to follow"), backfill, read]
    if beginning.source == "sample":  # no new prices come, so a daemon has nothing to do
        return [backfill, read, ("skill", "past forecasts against the random walk")]
    return [backfill, read, ("daemon", "keeps them up to date; stop it with Ctrl-C")]


def _lines(folder: Path, steps: Sequence[Step]) -> str:
    command = command_for(folder, os.environ)
    commands = [f"{command} {step}" for step, _ in steps]
    width = max(map(len, commands))
    return "\n".join(f"  {line:{width}}  # {meaning}" for line, (_, meaning) in zip(commands, steps, strict=True))
