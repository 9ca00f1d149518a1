"""Stopping a run: SIGINT, SIGTERM and SIGHUP stop it after the unit of work under way; a second one interrupts at once.

The second one comes from interrupts where the unit takes longer than a few seconds. Processes that a run or the daemon starts
leave these signals to their parent.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType

from tickercast.jobs.runs.interrupts import STOP_SIGNALS, Stopped, handled_signals


class StopRequest:
    """Whether to stop before the next unit of work, and the signal that said so."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.signal_number: int | None = None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal. Raises Stopped at the second one; the open transaction rolls back."""
        if self.event.is_set():
            raise Stopped(self.signal_number or number)
        self.signal_number = number
        self.event.set()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Block the stop signals in this thread, so that a process started meanwhile is not hit before it ignores them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        resource_tracker.ensure_running()  # multiprocessing's helper, which SIGHUP would end; its start unblocks the others
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def stop_on_signals(event: threading.Event | None) -> Iterator[StopRequest]:
    """Yield a stop request that the stop signals set while it lasts.

    event: a daemon's own event, whose handlers stay in place. Outside the main thread no signal is handled either.
    """
    request = StopRequest(event or threading.Event())
    if event is not None or threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.handle) for number in handled_signals()}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
