"""Daemons as processes: the homes that they serve, and what they log and take."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tests.conftest import clean_environment, command_of
from tests.loopback_yahoo import LoopbackYahoo, chart_body, recent_rows
from tickercast.jobs.prices.tickers import track
from tickercast.jobs.workspace.home import Home
from tickercast.storage.database import open_writer

MOST_IDLE_MEGABYTES = 80
SETTINGS = '[yahoo]\nbase_url = "{}"\nrequests_per_second = 1000\n[training]\ncold_epochs = 1\nprior_every = 0\n'

Process = subprocess.Popen[str]
Follow = Callable[..., Home]


class StartDaemon(Protocol):
    """Starts the daemon of a home, with options of the command and environment variables."""

    def __call__(self, home: Home, *options: str, **environment: str) -> Process: ...


def make_following_home(make_home: Callable[[str, str], Home], server: LoopbackYahoo, *tickers: str) -> Home:
    """Make a home that follows some tickers of the loopback Yahoo."""
    home = make_home("home", SETTINGS.format(server.url))
    for ticker in tickers:
        server.record(ticker, chart_body(ticker, recent_rows(550)))
    engine = open_writer(home.database)
    if tickers:
        track(home, engine, list(tickers))
    engine.dispose()
    return home


@contextmanager
def daemons() -> Iterator[StartDaemon]:
    """Yield a function that starts the daemon of a home; what still runs at the end is killed."""
    started: list[Process] = []

    def start(home: Home, *options: str, **environment: str) -> Process:
        command = command_of("--home", home.folder, "daemon", *options)
        process = subprocess.Popen(command, env=clean_environment(**environment), text=True, stderr=subprocess.PIPE)
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            with process:  # closes its pipe and waits for its end
                process.kill()


def next_event(process: Process, event: str) -> dict[str, Any]:
    """Return the next log line of a kind."""
    assert process.stderr is not None
    return next(facts for facts in map(json.loads, process.stderr) if facts["event"] == event)


def megabytes(pid: int) -> float:
    """Return the memory of a process."""
    listed = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(listed.stdout) / 1024
