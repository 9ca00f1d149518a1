"""What SIGINT, SIGTERM and SIGHUP do to a process: they interrupt its work, and bound how long it goes on.

Python calls its handlers between two steps of its own code, so a thread that the system's handler wakes also ends a process
inside a long call of a library. That is safe at any instant: what has no committed row does not exist. Not here: which work is
finished first (signals).
"""

from __future__ import annotations

import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Seconds after a signal until the unit of work under way is dropped, and until the process ends whatever it does.
DROP_SECONDS = 2.0
END_SECONDS = 4.0
LAST_WORDS_SECONDS = 1.0  # for what is still written after a second signal
LAST_WORDS = "error: interrupted; the work under way was dropped; committed results are kept; repeat the command to resume\n"


class Stopped(KeyboardInterrupt):
    """A signal interrupted the work. signal_number: which one."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


def exit_code_of_signal(number: int) -> int:
    """Return the exit code of a command that a signal stopped, as shells count it."""
    return 128 + number


def is_code_of_signal(code: int) -> bool:
    """Return whether an exit code says that a stop signal ended the command."""
    return code in map(exit_code_of_signal, STOP_SIGNALS)


def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    """Be the handler of a stop signal: interrupt whatever the process does."""
    raise Stopped(number)


def handled_signals() -> tuple[signal.Signals, ...]:
    """Return the stop signals that have an effect: not SIGHUP where it is ignored, as under nohup."""
    return tuple(number for number in STOP_SIGNALS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN)


def ignore_signals() -> None:
    """Leave stop signals to the parent: a terminal or a service manager sends them to all its processes."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let each stop signal interrupt this process at once, and end it END_SECONDS after the first one."""
    before = {number: signal.signal(number, interrupt) for number in handled_signals()}
    try:
        with ended_in_time(tuple(before), _end_command, drop_seconds=DROP_SECONDS):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_now(code: int) -> NoReturn:
    """End this process without waiting for threads, such as one that waits for a server's response."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _end_command(number: int) -> NoReturn:
    """End a command that goes on too long after a signal. Nothing of a stream is used: the main thread may hold its lock."""
    with suppress(OSError):
        os.write(2, LAST_WORDS.encode())
    os._exit(exit_code_of_signal(number))


@contextmanager
def ended_in_time(numbers: tuple[int, ...], end: Callable[[int], NoReturn], *, drop_seconds: float) -> Iterator[None]:
    """Send the first of some signals a second time after drop_seconds, and end the process after END_SECONDS.

    A second signal that comes by itself ends it after LAST_WORDS_SECONDS. end: ends the process, given the first signal's number.
    In another thread than the main one, which cannot follow signals, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    arguments = (reading, numbers, end, drop_seconds)
    threading.Thread(target=_end_in_time, args=arguments, name="signals", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)


def _end_in_time(reading: int, numbers: tuple[int, ...], end: Callable[[int], NoReturn], drop_seconds: float) -> None:
    """Follow the signals of the main thread until its work has ended."""
    with suppress(_Ended):
        first = _next_signal(reading, numbers, math.inf) or 0
        left = LAST_WORDS_SECONDS
        if _next_signal(reading, numbers, drop_seconds) is None:
            left = END_SECONDS - drop_seconds
            signal.pthread_kill(threading.main_thread().ident or 0, first)
        _next_signal(reading, (), left)
        end(first)
    os.close(reading)


class _Ended(Exception):
    """The work has ended."""


def _next_signal(reading: int, numbers: tuple[int, ...], seconds: float) -> int | None:
    """Return the next of some signals, None when none came in time. Raises _Ended."""
    until = time.monotonic() + seconds
    while select.select([reading], [], [], None if seconds == math.inf else max(0.0, until - time.monotonic()))[0]:
        byte = os.read(reading, 1)
        if not byte:
            raise _Ended
        if byte[0] in numbers:
            return byte[0]
    return None
