"""How fast requests to Yahoo follow each other: the pace of the settings, half of it after a 429 (too many requests)."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_REST_SECONDS = 2.0  # after a 429 that says nothing else; doubled with each further one
MOST_LIMITED = 4  # responses of 429 in a row: then no request is sent for a while
SLOWEST = 1 / 16  # of the pace of the settings
ANSWERS_TO_SPEED_UP, SPEED_UP = 50, 1.25


class Pace:
    """The pace of one run's requests. limited: how many responses were a 429. slowest: the fewest requests a second so far."""

    def __init__(self, requests_per_second: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.most, self.monotonic = requests_per_second, monotonic
        self.limited = self._limited_in_a_row = self._answers = 0
        self.slowest = requests_per_second
        self._rest_until = float("-inf")
        self._set(requests_per_second)

    def wait_for_turn(self) -> None:
        """Wait until the next request may be sent."""
        self._limiter.try_acquire("yahoo")

    def slow_down(self, retry_after: float | None) -> None:
        """Rest after a 429, and halve the pace of all that follow. retry_after: seconds that the response asks for."""
        self.limited += 1
        self._limited_in_a_row += 1
        rest = FIRST_REST_SECONDS * 2.0 ** (self._limited_in_a_row - 1) if retry_after is None else retry_after
        self._rest_until = self.monotonic() + rest
        self._set(max(self.requests_per_second / 2, self.most * SLOWEST))

    def count_answer(self) -> None:
        """Count a response that was no 429. Some of them bring the pace nearer to that of the settings."""
        self._limited_in_a_row = 0
        self._answers += 1
        if self.requests_per_second < self.most and self._answers % ANSWERS_TO_SPEED_UP == 0:
            self._set(min(self.requests_per_second * SPEED_UP, self.most))

    def is_refused(self, longest_rest: float) -> bool:
        """Return whether Yahoo says 429 again and again, or asks for a longer rest than so many seconds."""
        return self._limited_in_a_row >= MOST_LIMITED or self.rest_seconds() > longest_rest

    def rest_seconds(self) -> float:
        """Return for how long no request should be sent after a 429."""
        return max(0.0, self._rest_until - self.monotonic())

    def _set(self, requests_per_second: float) -> None:
        from pyrate_limiter import Limiter, Rate

        interval_ms = max(1, round(1000 / requests_per_second))
        self._limiter = Limiter(Rate(1, interval_ms), buffer_ms=min(50, interval_ms))
        self.requests_per_second, self.slowest = requests_per_second, min(self.slowest, requests_per_second)
