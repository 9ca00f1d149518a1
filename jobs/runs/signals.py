"""Stopping a run: SIGINT and SIGTERM stop it after the unit of work under way; a second one interrupts at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether to stop before the next unit of work, and the signal that said so."""

    def __init__(self, event: threading.Event) -> None:
        self.event = event
        self.signal_number: int | None = None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal. Raises KeyboardInterrupt at the second one; the open transaction rolls back."""
        if self.event.is_set():
            raise KeyboardInterrupt
        self.signal_number = number
        self.event.set()


@contextmanager
def stop_on_signals(event: threading.Event | None) -> Iterator[StopRequest]:
    """Yield a stop request that SIGINT and SIGTERM set while it lasts.

    event: a daemon's own event, whose handlers stay in place. Outside the main thread no signal is handled either.
    """
    request = StopRequest(event or threading.Event())
    if event is not None or threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
