"""A real terminal for tests: a program on it is typed to and read, and so are functions of this process."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.conftest import clean_environment, command_of

SECONDS = 60.0


class Dialogue:
    """A command on a terminal of its own, which is its controlling one, so that Ctrl-C reaches it."""

    def __init__(self, folder: Path, *arguments: object, **environment: str) -> None:
        self._screen, terminal = pty.openpty()
        self.shown = ""
        self._started = subprocess.Popen(
            command_of(*arguments), cwd=folder, env=clean_environment(TERM="xterm", **environment), stdin=terminal,
            stdout=terminal, stderr=terminal, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(terminal)

    def answer(self, question: str, text: str) -> None:
        """Wait until the screen ends with a question, and type a text."""
        until = time.monotonic() + SECONDS
        while not self.shown.endswith(question):
            assert time.monotonic() < until, self.shown
            self._read(1.0)
        os.write(self._screen, text.encode())

    def end(self) -> int:
        """Return the exit code, once the command has ended and all that it wrote is in `shown`."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and self._read(1.0):
            pass
        os.close(self._screen)
        return self._started.wait(SECONDS)

    def _read(self, seconds: float) -> bool:
        """Read what there is, and return whether the other side is open."""
        if not select.select([self._screen], [], [], seconds)[0]:
            return True
        with suppress(OSError):  # how a terminal says that its other side was closed
            content = os.read(self._screen, 65536)
            self.shown += content.decode().replace("\r\n", "\n")
            return bool(content)
        return False


@contextmanager
def typed(monkeypatch: pytest.MonkeyPatch, lines: Sequence[str]) -> Iterator[None]:
    """Let stdin and stderr of this process be a terminal, at which some lines are typed. \\x04 ends the input."""
    screen, terminal = pty.openpty()
    with os.fdopen(screen, "wb", buffering=0) as typing, os.fdopen(terminal) as stdin, os.fdopen(os.dup(terminal), "w") as stderr:
        typing.write("".join(line if line == "\x04" else f"{line}\n" for line in lines).encode())
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", stdin)
            patched.setattr(sys, "stderr", stderr)
            yield


@contextmanager
def screen_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Let stderr of this process be a terminal, and yield a function that returns all that it has shown."""
    screen, terminal = pty.openpty()
    shown = ""

    def read() -> str:
        nonlocal shown
        while select.select([screen], [], [], 0.01)[0]:
            shown += os.read(screen, 65536).decode()
        return shown

    with os.fdopen(screen, "rb", buffering=0), os.fdopen(terminal, "w") as stderr, monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stderr)
        yield read
