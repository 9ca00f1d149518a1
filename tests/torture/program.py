"""Command lines of the program under torture, forked from a process that has it loaded."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.command_server import CommandServer, StartedCommand
from tests.torture.builds import Build
from tests.torture.codes import DOCUMENTED

KILLED = -9


@cache
def server_of(build: Build) -> CommandServer:
    """Return the one command server of a build in this process. It ends with this process."""
    return CommandServer(build.environment(), build.root)


def start(build: Build, home: Path, *arguments: object, stopped: bool = False) -> StartedCommand:
    """Start a command on a home. stopped: it waits for SIGCONT."""
    return server_of(build).start(home.parent, ["--home", str(home), *map(str, arguments)], {}, stopped=stopped)


def run(build: Build, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command on a home to its end."""
    return start(build, home, *arguments).wait()


def must_run(build: Build, home: Path, *arguments: object) -> str:
    """Run a command that has to succeed and return what it wrote to stdout. Raises RuntimeError."""
    done = run(build, home, *arguments)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, arguments))}: exit code {done.returncode}: {done.stderr}")
    return done.stdout


def content_hash(build: Build, home: Path) -> str:
    """Return the content hash of a home's record."""
    return must_run(build, home, "verify", "--content-hash").strip()


def unfit_end(done: subprocess.CompletedProcess[str], *, killed: bool = False) -> list[str]:
    """Return a sentence where a command's exit code is not documented, or where it failed with other than one line of error."""
    command = " ".join(done.args[2:])
    if killed:
        return [] if done.returncode == KILLED else [f"`{command}` was to be killed and ended with code {done.returncode}"]
    found = [] if done.returncode in DOCUMENTED else [f"`{command}` ended with code {done.returncode}: {done.stderr[-300:]}"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if "Traceback" in done.stderr or (done.returncode and len(errors) != 1):
        found.append(f"`{command}` failed without one line of error: {done.stderr[-300:]}")
    return found
