"""Group commit: what arrives one after the other is stored many at a time, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

AT_ONCE = 100  # how many are committed together
LONGEST_WAIT = 3.0  # seconds for which one waits for others; a kill costs at most the requests of that time


class CommitGroup(Generic[T]):
    """What waits to be committed together. monotonic: a clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic, self.since = monotonic, 0.0
        self.waiting: list[T] = []

    def add(self, one: T) -> None:
        """Let one more wait."""
        if not self.waiting:
            self.since = self.monotonic()
        self.waiting.append(one)

    @property
    def is_due(self) -> bool:
        """Return whether AT_ONCE wait, or the first one has waited for LONGEST_WAIT seconds."""
        waits_long = bool(self.waiting) and self.monotonic() - self.since >= LONGEST_WAIT
        return waits_long or len(self.waiting) >= AT_ONCE

    def take(self) -> list[T]:
        """Return all that wait, and let none wait any more."""
        taken, self.waiting = self.waiting, []
        return taken
