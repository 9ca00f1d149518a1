"""A process that has the program and its libraries loaded and forks one command line after the other.

Most of a short command's time goes into loading libraries. Each command is still a process of its own, from `main` to its exit
code. `python -m tests.command_server` reads one request a line from stdin and answers each with an exit code on stdout.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIBRARIES = ("exchange_calendars", "pandas", "pyarrow.parquet", "scipy.stats")  # which the program loads inside functions
LONGEST_SECONDS = 120


class CommandServer:
    """The client. environment: of the server and, with what a command adds, of its commands."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, folder: Path, arguments: Sequence[str], more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the command line in a folder. more: environment variables. Raises TimeoutExpired."""
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            own = f"/proc/{os.getpid()}/fd"
            request = {
                "arguments": arguments, "folder": str(folder), "environment": {**self.environment, **more},
                "out": f"{own}/{out.fileno()}", "err": f"{own}/{err.fileno()}",
            }  # fmt: skip
            code = self._answer(json.dumps(request))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(arguments), code, out.read(), err.read())

    def close(self) -> None:
        """End the server."""
        self._process.communicate()

    def _answer(self, request: str) -> int:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{request}\n")
        stdin.flush()
        if not select.select([stdout], [], [], LONGEST_SECONDS)[0]:
            raise subprocess.TimeoutExpired(request, LONGEST_SECONDS)
        return int(stdout.readline())


def serve() -> None:
    """Answer requests until stdin ends."""
    _load()
    for line in sys.stdin:
        command = os.fork()
        if not command:
            _become(json.loads(line))
            _run()
        _, status = os.waitpid(command, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _load() -> None:
    """Load the program and its libraries. Nothing of it is garbage, so no command need touch it to find out."""
    import gc
    import importlib
    import pkgutil

    import jobs

    modules = [module.name for module in pkgutil.walk_packages(jobs.__path__, "jobs.") if module.name != "jobs.__main__"]
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


def _run() -> None:
    """Be a command until its exit. Libraries are not taken apart at the end, which takes longer than most commands."""
    from jobs.cli import main

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
