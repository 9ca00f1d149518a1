"""stdout when nobody reads it any more, or when it cannot be written."""

from __future__ import annotations

import os
import select
from typing import TextIO


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
