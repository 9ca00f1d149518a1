"""stdout and stderr when they are closed, when nobody reads them any more, and when they cannot be written.

stderr is the door of every message, warning and traceback of a process, so what leaves there is free of secrets.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

from tickercast.jobs.terminal.secrets import hide_secrets


class HidingStream:
    """A stream that hides secrets. It has no `buffer`, because what is written there would be seen as it is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Return what the stream itself has."""
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text without its secrets, and return the length of the given one."""
        self._stream.write(hide_secrets(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each text without its secrets."""
        for line in lines:
            self.write(line)


def prepare_streams() -> None:
    """Let stdout and stderr take any text, whatever their encoding. What goes to a closed one is dropped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - it is open until the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    hide_on_stderr()


def hide_on_stderr() -> None:
    """Let no secret leave this process by stderr. Each process that is started calls it."""
    if not isinstance(sys.stderr, HidingStream):
        sys.stderr = cast(TextIO, HidingStream(sys.stderr))


def has_no_reader(stream: TextIO) -> bool:
    """Return whether a stream is a pipe whose other side has been closed."""
    poll = select.poll()
    poll.register(stream.fileno(), 0)  # only errors and a closed other side
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def discard_unwritten(stream: TextIO) -> None:
    """Drop what a stream still holds if it cannot be written, so that the end of the process does not fail once more."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
