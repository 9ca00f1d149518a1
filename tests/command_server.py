"""A process that has the program and its libraries loaded and forks one command line after the other.

Most of a short command's time goes into loading libraries. Each command is still a process of its own, from `main` to its exit
code, and leads a process group of its own. `python -m tests.command_server` reads one request a line from stdin: it answers one
that starts a command with its process id, and one that waits for a command with its exit code, on stdout.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tests import written_paths

if TYPE_CHECKING:
    from tests.server_homes import ServerHomes

# What the program loads inside functions.
LIBRARIES = ("alembic.command", "exchange_calendars", "pandas", "pyarrow.parquet", "scipy.stats")
LONGEST_SECONDS = 120.0


class CommandServer:
    """The client.

    environment: of the server and, with what a command adds, of its commands. root: the folder of the program. homes: gives homes
    their databases where records are on a PostgreSQL server.
    """

    def __init__(self, environment: Mapping[str, str], root: Path | None = None) -> None:
        self.environment = dict(environment)
        self.homes: ServerHomes | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], env=self.environment, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def run(self, folder: Path, arguments: Sequence[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the command line in a folder. more: environment variables. Raises TimeoutExpired."""
        return self.start(folder, arguments, more).wait()

    def start(
        self, folder: Path, arguments: Sequence[str], more: Mapping[str, str], *, stopped: bool = False, log: Path | None = None
    ) -> StartedCommand:
        """Start the command line in a folder.

        stopped: it waits for SIGCONT before its first step, so that it can be traced. log: a file for the paths that its own
        process writes, and its memory is limited (tests.written_paths).
        """
        kind = {"encoding": "utf-8", "errors": "backslashreplace"}
        out, err = (tempfile.TemporaryFile("w+", **kind) for _ in range(2))  # type: ignore[call-overload]  # noqa: SIM115
        own = f"/proc/{os.getpid()}/fd"
        request = {
            "arguments": arguments, "folder": str(folder), "environment": {**self.environment, **more},
            "out": f"{own}/{out.fileno()}", "err": f"{own}/{err.fileno()}", "stopped": stopped, "log": str(log) if log else None,
        }  # fmt: skip
        return StartedCommand(self, list(arguments), self.ask(request), out, err)

    def ask(self, request: Mapping[str, Any]) -> int:
        """Return the number that a request is answered with."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{json.dumps(request)}\n")
        stdin.flush()
        return int(stdout.readline())

    def close(self) -> None:
        """End the server."""
        self._process.communicate()


class StartedCommand:
    """A command under way. pid: of its process, which leads a process group."""

    def __init__(self, server: CommandServer, arguments: list[str], pid: int, out: IO[str], err: IO[str]) -> None:
        self.arguments, self.pid = arguments, pid
        self._server, self._out, self._err = server, out, err
        self._ended = os.pidfd_open(pid)

    def has_ended(self, seconds: float = 0.0) -> bool:
        """Return whether it has ended, after waiting for so long at most. Its exit code is still to be taken by `wait`."""
        return bool(select.select([self._ended], [], [], seconds)[0])

    def stderr_so_far(self) -> str:
        """Return what it has written to stderr."""
        return os.pread(self._err.fileno(), 1 << 20, 0).decode()

    def printed_so_far(self) -> str:
        """Return what it has written to stderr and stdout."""
        return self.stderr_so_far() + os.pread(self._out.fileno(), 1 << 20, 0).decode()

    def wait(self, seconds: float = LONGEST_SECONDS) -> subprocess.CompletedProcess[str]:
        """Return its exit code, negative after a signal, and what it wrote. Raises TimeoutExpired after killing its group."""
        in_time = self.has_ended(seconds)
        if not in_time:
            self.kill_group()
        code = self._server.ask({"pid": self.pid})
        os.close(self._ended)
        with self._out, self._err:
            self._out.seek(0)
            self._err.seek(0)
            if not in_time:
                raise subprocess.TimeoutExpired(self.arguments, seconds, self._out.read(), self._err.read())
            return subprocess.CompletedProcess(self.arguments, code, self._out.read(), self._err.read())

    def kill(self) -> None:
        """Send SIGKILL to its process alone."""
        os.kill(self.pid, signal.SIGKILL)

    def kill_group(self) -> None:
        """Send SIGKILL to its process and to all that it started."""
        os.killpg(self.pid, signal.SIGKILL)


def serve() -> None:
    """Answer requests until stdin ends."""
    _load()
    for line in sys.stdin:
        request = json.loads(line)
        answer = _exit_code(request["pid"]) if "pid" in request else _started(request)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def _started(request: Mapping[str, Any]) -> int:
    """Fork a command and return its process id."""
    command = os.fork()
    if not command:
        os.setpgid(0, 0)
        _become(request)
        if request["stopped"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        _run()
    os.setpgid(command, command)  # here too: whoever reads the answer may signal the group at once
    if request["stopped"]:
        os.waitpid(command, os.WUNTRACED)  # a SIGCONT before its stop would be lost
    return command


def _exit_code(command: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])


def _load() -> None:
    """Load the program and its libraries. Nothing of it is garbage, so no command need touch it to find out."""
    import gc
    import importlib
    import pkgutil

    from tickercast import jobs

    modules = [
        module.name
        for module in pkgutil.walk_packages(jobs.__path__, "tickercast.jobs.")
        if module.name != "tickercast.jobs.__main__"
    ]
    for name in (*LIBRARIES, *modules):
        importlib.import_module(name)
    gc.freeze()


def _become(request: Mapping[str, Any]) -> None:
    """Take the arguments, the folder, the environment and the streams of a request."""
    sys.argv[1:] = request["arguments"]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for stream, path, flags in (
        (0, os.devnull, os.O_RDONLY), (1, request["out"], os.O_WRONLY), (2, request["err"], os.O_WRONLY)
    ):  # fmt: skip
        opened = os.open(path, flags)
        os.dup2(opened, stream)
        os.close(opened)
    if request["log"]:
        written_paths.log_to(request["log"])


def _run() -> None:
    """Be a command until its exit. Libraries are not taken apart at the end, which takes longer than most commands."""
    from tickercast.jobs.cli import main

    code: object = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve()
