"""stdout and stderr when they are closed, when nobody reads them any more, and when they cannot be written."""

from __future__ import annotations

import os
import select
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO


def prepare_streams() -> None:
    """Let stdout and stderr take any text, whatever their encoding. What goes to a closed one is dropped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - it is open until the end
        elif isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


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
