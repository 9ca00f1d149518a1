"""Commands and modules of a build, each run in a folder to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.torture.builds import Build
from tests.torture.codes import Ended
from tests.torture.program import server_of


def run_command(build: Build, folder: Path, arguments: Sequence[object], **more: str) -> Ended:
    """Run a command line of a build in a folder, and return how it ended."""
    done = server_of(build).run(folder, [str(argument) for argument in arguments], more)
    return Ended(done.returncode, done.stdout, done.stderr)


def run_module(build: Build, folder: Path, module: str, arguments: Sequence[object], *, seconds: float) -> Ended:
    """Run one of our modules in a new process of a build, and return how it ended; by SIGKILL where it takes too long."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(
        command, env=build.environment(), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
    return Ended(process.returncode, out, err)
