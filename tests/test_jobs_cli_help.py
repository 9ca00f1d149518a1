"""Help, versions and completion: a bare command is help, and every example of a command is one that the program understands."""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.builders import Record
from tests.conftest import Command
from tickercast.jobs.cli.app import COMMANDS, app
from tickercast.jobs.cli.command_line import home_first
from tickercast.jobs.cli.completion import complete_ticker
from tickercast.jobs.cli.examples import EXAMPLES
from tickercast.jobs.cli.options import DAY, INSTANT

PROGRAM: Any = typer.main.get_command(app)
NAMES = [*(command.__name__ for command in COMMANDS), "db upgrade", "prior list", "prior fit"]


def command_named(name: str) -> Any:
    found = PROGRAM
    for word in name.split():
        found = found.commands[word]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_an_example_in_its_help(name: str) -> None:
    command = command_named(name)
    text = command.get_help(typer.Context(command, info_name=name))
    assert all(f"  {example}" in text for example in EXAMPLES[name])


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("forecast", "[OPTIONS] [TICKER]..."), ("track", "[OPTIONS] TICKER..."), ("bars", "[OPTIONS] TICKER"),
        ("rename", "[OPTIONS] OLD NEW"), ("sql", '[OPTIONS] ["SELECT ..."]'), ("init", "[OPTIONS]"),
    ],
)  # fmt: skip
def test_usage_names_the_arguments_as_a_manual_does(name: str, usage: str) -> None:
    command = command_named(name)
    assert command.get_help(typer.Context(command, info_name=name)).splitlines()[0] == f"Usage: {name} {usage}"


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_no_type_of_python(name: str) -> None:
    command = command_named(name)
    assert not re.search(r"<\w+(\[\w+\])?>|\{", command.get_help(typer.Context(command, info_name=name)))


@pytest.mark.parametrize(("name", "example"), [(name, example) for name, several in EXAMPLES.items() for example in several])
def test_every_example_is_understood(name: str, example: str) -> None:
    words = shlex.split(example)
    assert words[0] == "tickercast"
    arguments = home_first(words[1:])
    while arguments[0] == "--home":
        arguments = arguments[2:]
    assert arguments[: len(name.split())] == name.split()
    command_named(name).make_context(name, arguments[len(name.split()) :])


@pytest.mark.parametrize("name", NAMES)
def test_the_value_of_an_option_says_its_form(name: str) -> None:
    metavars = {param.opts[0]: param.metavar for param in command_named(name).params if param.param_type_name == "option"}
    days = {option: metavars[option] for option in ("--start", "--end", "--session") if option in metavars}
    instants = {option: metavars[option] for option in ("--now", "--rehearse", "--known-at") if option in metavars}
    assert set(days.values()) <= {DAY}
    assert set(instants.values()) <= {INSTANT}


@pytest.mark.parametrize(
    ("arguments", "moved"),
    [
        (["status", "--home", "X"], ["--home", "X", "status"]),
        (["status", "--home=X", "A"], ["--home=X", "status", "A"]),
        (["--home", "X", "status"], ["--home", "X", "status"]),
        (["--home", "X", "status", "--home", "Y"], ["--home", "X", "--home", "Y", "status"]),
        (["sql", "--", "--home", "X"], ["sql", "--", "--home", "X"]),
        (["status", "--home"], ["--home"]),
        (["sql", "SELECT '--home'"], ["sql", "SELECT '--home'"]),
        ([], []),
    ],
)
def test_home_is_moved_before_the_command(arguments: list[str], moved: list[str]) -> None:
    assert home_first(arguments) == moved


@pytest.mark.parametrize(("typed", "completed"), [("A", ["AAPL"]), ("aa", ["aapl"]), ("ZZ", [])])
def test_tickers_complete_from_the_database_in_the_case_that_was_typed(tmp_path: Path, typed: str, completed: list[str]) -> None:
    (tmp_path / "tickercast.toml").write_text("")
    connection = sqlite3.connect(tmp_path / "tickercast.db")
    connection.execute("CREATE TABLE tickers (symbol TEXT)")
    connection.execute("INSERT INTO tickers VALUES ('AAPL'), ('^GSPC'), ('MSFT')")
    connection.commit()
    connection.close()
    context = typer.Context(PROGRAM)
    context.params["home"] = str(tmp_path)
    assert complete_ticker(context, typed) == completed


def test_completion_without_a_home_is_empty(tmp_path: Path) -> None:
    context = typer.Context(PROGRAM)
    context.params["home"] = str(tmp_path / "none")
    assert complete_ticker(context, "A") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "first"), [([], "Usage: tickercast [OPTIONS]"), (["db"], "Usage: tickercast db [OPTIONS]")]
)
def test_a_bare_command_is_its_help(tickercast: Command, arguments: list[str], first: str) -> None:
    answer = tickercast(*arguments)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith(first)


@pytest.mark.slow
def test_the_version_names_program_schema_and_python(tickercast: Command) -> None:
    answer = tickercast("--version")
    assert answer.returncode == 0
    assert re.fullmatch(r"tickercast \d+\.\d+\.\d+, schema \d{4}, Python \d+\.\d+\.\d+\n", answer.stdout)


@pytest.mark.slow
def test_a_shell_completes_commands_and_tickers(tickercast: Command, record: Record) -> None:
    (record.database.parent / "tickercast.toml").write_text("")
    asked = {"_TICKERCAST_COMPLETE": "complete_bash", "TICKERCAST_HOME": str(record.database.parent)}
    assert tickercast(COMP_WORDS="tickercast fo", COMP_CWORD="1", **asked).stdout.split() == ["forget", "forecast"]
    with sqlite3.connect(record.database) as connection:
        symbol = connection.execute("SELECT symbol FROM tickers ORDER BY symbol").fetchone()[0]
    words = f"tickercast forecast {symbol[:2]}"
    assert symbol in tickercast(COMP_WORDS=words, COMP_CWORD="2", **asked).stdout.split()
