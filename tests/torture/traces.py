"""Commands under strace: every call that changes a file, in order, and one of them made to fail."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.command_server import StartedCommand
from tests.torture.builds import Build
from tests.torture.program import KILLED, start

# Calls that write, create, name, remove or flush a file. `openat` counts where it may write.
CHANGING = (
    "fsync", "fdatasync", "rename", "renameat2", "unlink", "unlinkat", "write", "writev", "pwrite64", "openat", "ftruncate",
    "mkdir", "rmdir", "fchmod", "chmod", "link", "symlink", "sendfile", "copy_file_range", "utimensat",
)  # fmt: skip
MAY_WRITE = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC")
WORKING_FOLDER = re.compile(r"(?<=AT_FDCWD)<[^>]*>")  # the paths that follow it are absolute
LINE = re.compile(r"(\d+) +(\w+)\((.*)")


@dataclass(frozen=True, slots=True)
class Call:
    """A system call. number: its position among the calls of its name in the command. text: with the paths of its files."""

    name: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Trace:
    """A command that has ended, and its calls that change files of a folder. others: such calls of its children and threads."""

    done: subprocess.CompletedProcess[str]
    calls: tuple[Call, ...]
    others: tuple[str, ...]

    @property
    def failed(self) -> Call | None:
        """Return the call that was made to fail or that killed the command."""
        if self.done.returncode == KILLED:
            return self.calls[-1] if self.calls else None
        return next((call for call in self.calls if "(INJECTED)" in call.text), None)


@cache
def without_strace() -> str:
    """Return why commands cannot be traced on this machine, an empty text where they can."""
    if shutil.which("strace") is None:
        return "strace is missing"
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace: {tried.stderr.strip()}" if tried.returncode else ""


def trace(build: Build, home: Path, *command: object, only: str = "", inject: str = "", options: tuple[str, ...] = ()) -> Trace:
    """Run a command on a home and return its calls that change files beside or in the home.

    only: one name of CHANGING, or all of them. inject: what strace does to them, such as `error=EIO:when=3`.
    """
    log = home.parent / "strace.log"
    started = start(build, home, *command, stopped=True)
    names = only or ",".join(CHANGING)
    words = ["-f", "-y", "-o", str(log), "-e", f"trace={names}", *options]
    words += ["-e", f"inject={names}:{inject}"] if inject else []
    done = run_traced(started, words)
    calls, others = calls_of(log.read_text(encoding="utf-8"), started.pid, str(home.parent))
    log.unlink()
    return Trace(done, calls, others)


def run_traced(started: StartedCommand, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command that waits for SIGCONT to its end under strace. Raises OSError where strace cannot attach."""
    with subprocess.Popen(["strace", *options, "-p", str(started.pid)], stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        if "attached" not in (said := tracer.stderr.readline()):
            started.kill_group()
            raise OSError(f"strace did not start: {said}{started.wait().stderr}")
        os.kill(started.pid, signal.SIGCONT)
        done = started.wait()
        tracer.stderr.read()  # up to its end, when the log is whole
    return done


def calls_of(text: str, pid: int, folder: str) -> tuple[tuple[Call, ...], tuple[str, ...]]:
    """Return the calls in strace's output that change files of a folder: those of a process, and the lines of all others."""
    numbers: dict[str, int] = {}
    found, others = [], []
    for line in text.splitlines():
        if (match := LINE.match(line)) is None:
            continue
        name, text = match[2], WORKING_FOLDER.sub("", match[3])
        concerned = folder in text and (name != "openat" or MAY_WRITE.search(text))
        if int(match[1]) == pid:
            numbers[name] = numbers.get(name, 0) + 1
            found += [Call(name, numbers[name], text)] if concerned else []
        elif concerned:
            others.append(line)
    return tuple(found), tuple(others)
