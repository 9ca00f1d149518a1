"""Hostile command lines over all commands, drawn by a seed: wrong words in right places, and right ones in wrong places."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.torture.hostile_sql import hostile_sql
from tests.torture.hostile_words import UNKNOWN, Paths, hostile_word, plain_word
from tickercast.jobs.cli.command_line import home_first

OUTPUTS = ("--out", "--keep", "--to")
DEFAULT_OUTPUTS = {("report",): "tickercast-report", ("prior", "fit"): "tickercast-priors"}
CREATING = ("init", "backfill", "restore")
HOSTILE_SHARE = 0.4  # of the values of options and arguments
# They take longer than a trial may, so they are stopped; a daemon never ends.
LONG = {("daemon",), ("serve",), ("demo",), ("evaluate",), ("prior", "fit")}
LONG_SHARE = 0.15  # how often one of them is kept where it is drawn


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option or an argument of a command. flag: an option without a value. many: it may stand several times."""

    option: str
    metavar: str
    flag: bool
    many: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A command line. command: what it begins with, as drawn. outputs: the paths that it names to write to. home: of --home."""

    arguments: tuple[str, ...]
    command: tuple[str, ...]
    outputs: tuple[str, ...]
    home: str | None = None


@cache
def commands() -> dict[tuple[str, ...], tuple[Parameter, ...]]:
    """Return the parameters of each command of the program."""
    import typer

    from tickercast.jobs.cli.app import app

    return dict(_commands((), typer.main.get_command(app)))


def sql_line(rng: random.Random, folder: Path) -> Line:
    """Return `sql` with a hostile statement: as an argument, or in a file of a folder."""
    statement = hostile_sql(rng)
    words = ["--seconds", rng.choice(("0.2", "0.2", "0.5", "2"))]
    if "\0" in statement or rng.random() < 0.2:
        file = folder / f"statement-{rng.randrange(10**9)}.sql"
        file.write_bytes(statement.encode("utf-8", "surrogatepass"))
        words += ["--file", str(file)]
    else:
        words += ["--", statement]
    shape = ["--format", rng.choice(("table", "csv", "json", "ndjson"))] if rng.random() < 0.7 else []
    return Line(("sql", *shape, *words), ("sql",), ())


def hostile_line(rng: random.Random, paths: Paths) -> Line:
    """Return one hostile command line."""
    while (command := rng.choice(sorted(commands()))) in LONG and rng.random() > LONG_SHARE:
        pass
    words = [word for parameter in _chosen(rng, commands()[command]) for word in _words(rng, parameter, paths)]
    home = hostile_word(rng, paths) if rng.random() < 0.07 else None
    arguments = [*command, *_disordered(rng, words, paths)]
    if home is not None:
        arguments[rng.randrange(len(arguments) + 1) :] = ["--home", home]
    return Line(tuple(arguments), command, tuple(_outputs(command, arguments)), home)


def _chosen(rng: random.Random, parameters: tuple[Parameter, ...]) -> list[Parameter]:
    positional = [each for each in parameters if not each.option for _ in range(rng.choice((1, 1, 2)) if each.many else 1)]
    options = [each for each in parameters if each.option]
    return positional + rng.sample(options, min(len(options), rng.choice((0, 1, 1, 2, 3))))


def _words(rng: random.Random, parameter: Parameter, paths: Paths) -> list[str]:
    if parameter.flag:
        return [parameter.option]
    is_hostile = rng.random() < HOSTILE_SHARE
    value = hostile_word(rng, paths) if is_hostile else plain_word(rng, parameter.metavar, paths)
    if not parameter.option:
        return [value]
    return [f"{parameter.option}={value}"] if rng.random() < 0.4 else [parameter.option, value]


def _disordered(rng: random.Random, words: list[str], paths: Paths) -> list[str]:
    """Return words, in half of the cases with something that does not belong there."""
    match rng.randrange(12):
        case 0:
            rng.shuffle(words)
        case 1:
            words = words[:-1]
        case 2:
            words = [*words, *words]
        case 3:
            words.insert(rng.randrange(len(words) + 1), hostile_word(rng, paths))
        case 4:
            words.insert(rng.randrange(len(words) + 1), rng.choice(UNKNOWN))
        case 5:
            words = [*words, *(hostile_word(rng, paths) for _ in range(rng.choice((1, 5, 200))))]
        case _:
            pass
    return words


def _outputs(command: tuple[str, ...], arguments: list[str]) -> Iterator[str]:
    """Yield the paths that a command line names to write to."""
    if command in DEFAULT_OUTPUTS:
        yield DEFAULT_OUTPUTS[command]
    named = (*OUTPUTS, "--home") if command[0] in CREATING else OUTPUTS
    arguments = home_first(arguments)
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, found, value = word.partition("=")
        if name in named:
            yield (value if found else following).removeprefix("sqlite:///")
        elif command in (("backup",), ("export",)):
            yield word


def _commands(name: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], tuple[Parameter, ...]]]:
    if not hasattr(command, "commands"):
        yield name, tuple(_parameter(each) for each in command.params)
        return
    for word, below in command.commands.items():
        yield from _commands((*name, word), below)


def _parameter(each: Any) -> Parameter:
    option = each.opts[0] if each.opts[0].startswith("-") else ""
    return Parameter(option, each.metavar or "", bool(getattr(each, "is_flag", False)), each.nargs == -1)
