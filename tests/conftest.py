"""What tests share: homes in temporary folders, runs of the command line as a user would, and settings files."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import Record, small_record
from tests.command_server import CommandServer
from tests.loopback_webhook import LoopbackWebhook, loopback_webhook
from tests.loopback_yahoo import LoopbackYahoo, loopback_yahoo
from tests.postgres_server import PostgresCluster, postgres_cluster
from tests.server_homes import ABOUT_SQLITE, EVERYWHERE, POSTGRES, ServerHomes, begin_writing_if_any
from tickercast.jobs.workspace.home import Home, create_home
from tickercast.storage.database import upgrade_database

if TYPE_CHECKING:
    from tests.daemons import Follow, StartDaemon
    from tests.notice_homes import Followed
    from tests.price_homes import PriceHome

REPOSITORY = Path(__file__).parent.parent
DATABASE_IDS = count(1)
Command = Callable[..., subprocess.CompletedProcess[str]]
MakeHome = Callable[..., Home]
OF_THE_INTERPRETER = ("PYTHON", "OPENBLAS")  # variables that are read when Python starts or a library is loaded


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked both_records with a SQLite file and with a PostgreSQL server."""
    if metafunc.definition.get_closest_marker("both_records") and not EVERYWHERE:
        server = pytest.param(POSTGRES, marks=pytest.mark.slow)
        metafunc.parametrize("record_kind", ["sqlite", server], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is about SQLite's file where all records are on a server."""
    for item in items:
        if EVERYWHERE and item.get_closest_marker("sqlite_file"):
            item.add_marker(pytest.mark.skip(reason=ABOUT_SQLITE))


@pytest.fixture
def record_kind(request: pytest.FixtureRequest) -> str:
    """Return where the records of a test are: sqlite or postgres."""
    return str(getattr(request, "param", POSTGRES if EVERYWHERE else "sqlite"))


@pytest.fixture(autouse=True)
def fast_tests_stay_in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to start a process or a server in a test that is not marked slow."""
    if request.node.get_closest_marker("slow") or EVERYWHERE:
        return

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a test that starts a process or a server is marked slow")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(BaseProcess, "start", refuse)
    monkeypatch.setattr(socket.socket, "listen", refuse)


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database of the newest schema, which homes copy: the migrations take longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "tickercast.db"
    upgrade_database(path)
    return path


@pytest.fixture(scope="session")
def server_homes(request: pytest.FixtureRequest) -> ServerHomes:
    """Return what gives homes a database of a PostgreSQL server each."""
    return ServerHomes(request.getfixturevalue("postgres"))


@pytest.fixture
def make_home(tmp_path: Path, empty_database: Path, record_kind: str, request: pytest.FixtureRequest) -> MakeHome:
    """Return a function (name, settings text) that makes a home with a database."""
    if record_kind == POSTGRES:
        made: MakeHome = request.getfixturevalue("make_server_home")
        return made

    def make(name: str, settings: str = "") -> Home:
        home = _home_with(tmp_path / name, settings)
        assert isinstance(home.database, Path)
        copy_empty(empty_database, home.database)
        return home

    return make


@pytest.fixture
def make_server_home(tmp_path: Path, server_homes: ServerHomes, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeHome]:
    """Yield a function as make_home whose homes have their records on a PostgreSQL server."""
    monkeypatch.setattr("tickercast.storage.postgres.engine.begin_writing", begin_writing_if_any)
    with server_homes.removed_at_the_end():
        yield lambda name, settings="": _home_with(tmp_path / name, server_homes.settings(settings))


def _home_with(folder: Path, settings: str) -> Home:
    folder.mkdir()
    (folder / "tickercast.toml").write_text(settings, encoding="utf-8")
    return create_home(folder)


def copy_empty(empty: Path, path: Path) -> None:
    """Copy an empty database, with an id of its own, as when it is made."""
    shutil.copy(empty, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(f"PRAGMA user_version = {next(DATABASE_IDS)}")


@pytest.fixture(scope="session")
def command_server(request: pytest.FixtureRequest) -> Iterator[CommandServer]:
    """Yield a process from which command lines are forked."""
    server = CommandServer(clean_environment())
    server.homes = request.getfixturevalue("server_homes") if EVERYWHERE else None
    yield server
    server.close()


@pytest.fixture
def tickercast(tmp_path: Path, command_server: CommandServer) -> Command:
    """Return a function that runs the command line in a process of its own, in a temporary folder."""
    return lambda *arguments, **environment: run_tickercast(command_server, tmp_path, *arguments, **environment)


def run_tickercast(
    server: CommandServer, folder: Path, *arguments: object, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user would, in a folder: forked, or in a new interpreter where a variable is for that."""
    words = [str(argument) for argument in arguments]
    given = server.homes.environment(folder, words, environment) if server.homes else environment
    if not any(name.startswith(OF_THE_INTERPRETER) for name in environment):
        done = server.run(folder, words, given)
    else:
        done = subprocess.run(
            command_of(*words), cwd=folder, env=clean_environment(**given), capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
    if server.homes:
        server.homes.keep(folder, words, given)
    return done


def command_of(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tickercast", *map(str, arguments)]


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment without a user's Tickercast settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TICKERCAST_")}
    return {**kept, "PYTHONPATH": str(REPOSITORY), **more}


@pytest.fixture(scope="session")
def sound_record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Return a small record made by hand. Tests share it and must not change it."""
    return small_record(tmp_path_factory.mktemp("record"))


@pytest.fixture
def record(sound_record: Record, tmp_path: Path) -> Record:
    """Return a copy of the small record that a test may change."""
    return sound_record.copy_to(tmp_path)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """Yield a PostgreSQL server of this session. Skips the test where none is installed."""
    with postgres_cluster() as cluster:
        yield cluster


@pytest.fixture
def server() -> Iterator[LoopbackYahoo]:
    """Yield a loopback Yahoo that knows no ticker yet."""
    with loopback_yahoo() as server:
        yield server


@pytest.fixture
def webhook() -> Iterator[LoopbackWebhook]:
    """Yield a web server that takes notices."""
    with loopback_webhook() as server:
        yield server


@pytest.fixture(scope="session")
def made_followed(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """Return a folder with a home that follows two tickers, which tests of notices copy."""
    from tests.notice_homes import make_followed

    return make_followed(tmp_path_factory.mktemp("followed"), empty_database)


@pytest.fixture
def followed(made_followed: Path, tmp_path: Path, webhook: LoopbackWebhook) -> Followed:
    """Return a home that follows two tickers and has forecasts up to a Friday; its notices go to a web server."""
    from tests.notice_homes import copy_followed

    return copy_followed(made_followed, tmp_path, webhook)


@pytest.fixture
def follow(make_home: MakeHome, server: LoopbackYahoo) -> Follow:
    """Return a function (*tickers) that makes a home which follows some tickers of the loopback Yahoo."""
    from tests.daemons import make_following_home

    return partial(make_following_home, make_home, server)


@pytest.fixture
def start_daemon() -> Iterator[StartDaemon]:
    """Yield a function (home, *options, **environment) that starts a daemon, which is killed at the end."""
    from tests.daemons import daemons

    with daemons() as start:
        yield start


@pytest.fixture
def price_home(make_home: MakeHome, server: LoopbackYahoo) -> Iterator[Callable[..., PriceHome]]:
    """Yield a function (*tracked, name, settings) that makes a home with prices from the loopback Yahoo."""
    from tests.price_homes import price_homes  # imports the runs, which unit tests do without

    with price_homes(make_home, server) as make:
        yield make
